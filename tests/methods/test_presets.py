"""What the presets "paper" and "code" stand for: the recipes that the authors ran."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.methods.test_similarity import groups
from torch import nn

import coterie
from coterie import CCN, SimilarityNetwork
from coterie.methods import adc, ccn_presets, l2c
from coterie.nn import build_centroid_network, build_network

# a network of few steps gives nearly all pairs the same answer
pytestmark = pytest.mark.filterwarnings("ignore::coterie.SimilarityWarning")
TARGET, TRUTH = groups(1, 4, 30)


@pytest.fixture(scope="module")
def spn() -> SimilarityNetwork:
    return SimilarityNetwork(max_steps=5, random_state=0, augment="none").fit(*groups(0, 20, 10))


def transferred(spn: SimilarityNetwork, **params: Any) -> CCN:
    settings: dict[str, Any] = {"n_clusters": 4, "max_steps": 2, "random_state": 0, "over_clustering": True}
    return CCN(**(settings | params)).fit(TARGET, similarity=spn)


@pytest.mark.parametrize("preset", ["paper", "code"])
def test_kcl_is_dampened_as_torch7_does(preset: str) -> None:
    """Torch7's SGD takes its dampening from the momentum where nothing is said, and the demo says nothing."""
    recipe = ccn_presets.PAPER_AND_CODE[preset, "kcl"].recipe
    assert (recipe.optimizer, recipe.learning_rate, recipe.weight_decay) == ("sgd", 0.01, 5e-4)
    assert recipe.dampening == recipe.momentum == 0.9


def test_ccl_from_labels_has_the_released_momentum() -> None:
    recipe = ccn_presets.PAPER_AND_CODE["paper", "ccl"].recipe
    assert (recipe.optimizer, recipe.learning_rate, recipe.momentum) == ("sgd", 0.1, 0.9)


@pytest.mark.parametrize(
    ("params", "width"),
    [
        ({"preset": "paper"}, 512),
        ({"preset": "code"}, 512),
        ({"preset": "default"}, 0),
        ({"preset": "paper", "hidden_features": 0}, 0),
        ({"preset": "default", "hidden_features": 7}, 7),
    ],
)
def test_the_released_clusterer_has_a_hidden_layer(
    spn: SimilarityNetwork, params: dict[str, Any], width: int
) -> None:
    model = transferred(spn, **params)
    assert model.hidden_features_ == width
    layers = [type(layer) for layer in model.network_.hidden.children()]
    assert layers == ([nn.Linear, nn.BatchNorm1d, nn.ReLU] if width else [])
    assert model.transform(TARGET).shape[1] == (width or model.network_.backbone.out_features)


def test_known_pairs_need_no_hidden_layer() -> None:
    model = CCN(4, preset="paper", n_restarts=1, max_steps=2, over_clustering=True).fit(TARGET, TRUTH)
    assert model.hidden_features_ == 0


def test_a_model_with_a_hidden_layer_is_saved(spn: SimilarityNetwork, tmp_path: Path) -> None:
    model = transferred(spn, preset="paper")
    coterie.save(model, tmp_path / "model")
    loaded = coterie.load(tmp_path / "model")
    assert isinstance(loaded, CCN)
    np.testing.assert_array_equal(loaded.predict_proba(TARGET), model.predict_proba(TARGET))


def test_features_of_another_network_get_a_fresh_hidden_layer(spn: SimilarityNetwork) -> None:
    """The similarity network's features are the start; what lies above them it does not have."""
    model = CCN(4, preset="paper", learning_rate=1e-9, max_steps=1, over_clustering=True, random_state=0)
    model.start_from(spn).fit(TARGET, similarity=spn)
    started = model.network_.backbone.state_dict()
    weights = spn.network_.backbone.state_dict()
    assert weights
    for name, value in weights.items():
        if name.endswith("weight"):
            torch.testing.assert_close(started[name], value, atol=1e-6, rtol=0)


def test_without_a_hidden_layer_the_same_seed_gives_the_same_network() -> None:
    plain, wide = (build_network("mlp", (6,), 3, 0, hidden_features=width) for width in (0, 5))
    first = "backbone.layers.0.0.weight"
    assert torch.equal(plain.state_dict()[first], wide.state_dict()[first])
    assert "hidden.0.weight" not in plain.state_dict()
    assert wide(torch.zeros(4, 6))[0].shape == (4, 5)


def test_transfer_by_the_paper_crops_images() -> None:
    """Random crops of 0.85 to 1 of the area, and not the jitter of the default preset."""
    images, classes = groups(0, 12, 10)
    images = np.repeat(images, 8, axis=1)[:, :64].reshape(-1, 8, 8)
    similarity = SimilarityNetwork(max_steps=2, random_state=0, augment="none").fit(images, classes)
    views = []
    for preset in ("default", "paper", "code"):
        model = CCN(4, preset=preset, max_steps=1, over_clustering=True).fit(images, similarity=similarity)
        views.append(model._transfer_views())
    assert views[1:] == [ccn_presets.CROPS] * 2
    assert views[0] != ccn_presets.CROPS
    assert (1 - ccn_presets.CROPS.crop) ** 2 == pytest.approx(0.85)
    assert not ccn_presets.CROPS.flip


def test_adc_decays_the_network_and_not_its_centroids() -> None:
    """L2 of 1e-3 on the weights of the layers and of 1e-4 on the head's; biases and centroids go free."""
    network = build_centroid_network("vcnn", (16, 16), 3, seed=0)
    optimizer = adc.PRESET_OF["paper"].recipe.make_optimizer(network.named_parameters())
    decays = {id(one): group["weight_decay"] for group in optimizer.param_groups for one in group["params"]}
    found = {name: decays[id(one)] for name, one in network.named_parameters()}
    assert found.pop("centroids") == 0
    assert found.pop("head.weight") == 1e-4
    assert found.pop("head.bias") == 0
    assert {name.endswith("weight") for name in found} == {True, False}
    for name, decay in found.items():
        assert decay == (1e-3 if name.endswith("weight") else 0), name


def test_the_released_adc_starts_four_centroids_around_each_centre() -> None:
    settings: dict[str, Any] = {"spec": "mlp", "sample_shape": (6,), "n_clusters": 5, "seed": 0}
    groups = build_centroid_network(**settings, per_cluster=4, close=True).centroids.view(5, 4, -1)
    centres = groups.mean(dim=1)
    assert (groups - centres[:, None]).abs().max() < 0.02
    assert centres.std().item() == pytest.approx(0.3, rel=0.1)
    assert len(torch.unique(groups.flatten(0, 1), dim=0)) == 20
    apart = build_centroid_network(**settings, per_cluster=4).centroids.view(5, 4, -1)
    assert (apart - apart.mean(dim=1, keepdim=True)).abs().max() > 0.1
    assert adc.PRESET_OF["code"].close_centroids
    assert adc.PRESET_OF["code"].per_cluster == 4


def test_adc_has_its_numbers_for_mnist_by_name() -> None:
    paper, mnist = adc.PRESET_OF["paper"], adc.PRESET_OF["paper-mnist"]
    assert (paper.weights.visit, paper.weights.view_visit, paper.recipe.warmup_steps) == (0.3, 0.3, 2_000)
    assert (mnist.weights.visit, mnist.weights.view_visit, mnist.recipe.warmup_steps) == (0.8, 0.8, 1_000)
    assert (mnist.warm_up, mnist.n_views) == (paper.warm_up, paper.n_views)
    released = adc.PRESET_OF["code"].recipe
    assert (released.warmup, released.warmup_steps, released.drop_factor) == ("logistic", 1_000, 0.33)
    assert paper.recipe.warmup == "linear"


def test_l2c_s_adadelta_is_keras_s() -> None:
    assert (l2c.PAPER.optimizer, l2c.PAPER.learning_rate, l2c.PAPER.rho) == ("adadelta", 5.0, 0.95)
