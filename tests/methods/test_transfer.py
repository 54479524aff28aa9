"""Discovery of classes by what a similarity network, trained on other classes, says of their samples."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans
from sklearn.exceptions import NotFittedError
from tests.methods.test_similarity import groups
from torch import nn

from coterie import CCN, InputError, InputTypeError, Pairs, SimilarityNetwork, SimilarityWarning
from coterie.losses.ccl import ccl_matrix
from coterie.losses.kcl import kcl_matrix
from coterie.methods.transfer import PairLabeler, all_pairs, make_pair_labeler
from coterie.metrics import clustering_accuracy, nmi

Digits = Any
TARGET, TRUTH = groups(1, 6, 30)


def quick(**params: Any) -> CCN:
    settings: dict[str, Any] = {"n_clusters": 6, "max_steps": 100, "random_state": 0, "augment": "none"}
    return CCN(**(settings | {"over_clustering": True} | params))


@pytest.fixture(scope="module")
def spn() -> SimilarityNetwork:
    return SimilarityNetwork(max_steps=150, random_state=0, augment="none").fit(*groups(0, 60, 20))


@pytest.mark.parametrize("loss", ["ccl", "kcl"])
@pytest.mark.parametrize("pair_weight", [None, "confidence"])
def test_unseen_classes_are_found(spn: SimilarityNetwork, loss: str, pair_weight: str | None) -> None:
    """K-means on the samples finds 28%."""
    model = quick(loss=loss, pair_weight=pair_weight, max_steps=150).fit(TARGET, similarity=spn)
    lowest = 0.9 if loss == "ccl" else 0.6
    assert clustering_accuracy(TRUTH, model.labels_) > lowest
    new, classes = groups(1, 6, 40)
    assert clustering_accuracy(classes, model.predict(new)) > lowest


def test_more_outputs_than_classes_estimate_their_number(spn: SimilarityNetwork) -> None:
    model = quick(n_clusters=30, n_restarts=2, max_steps=150).fit(TARGET, similarity=spn)
    assert 5 <= model.n_dominant_ <= 7
    found = {run["n_dominant"] for run in model.runs_}
    assert len(found) <= 2
    assert model.n_dominant_ in found
    assert all(5 <= number <= 8 for number in found)


@pytest.mark.filterwarnings("ignore::coterie.CollapseWarning")  # after two steps
@pytest.mark.parametrize("over_clustering", [False, True])
def test_each_restart_says_how_many_clusters_it_finds(spn: SimilarityNetwork, over_clustering: bool) -> None:
    params: dict[str, Any] = {"n_restarts": 2, "max_steps": 2, "over_clustering": over_clustering}
    model = quick(**params).fit(TARGET, similarity=spn)
    chosen = next(run for run in model.runs_ if run["chosen"])
    assert (chosen["n_clusters"], chosen["n_dominant"]) == (model.n_clusters_, model.n_dominant_)
    assert all(run["n_clusters"] >= run["n_dominant"] for run in model.runs_)


def test_the_similarity_network_is_left_as_it_is(spn: SimilarityNetwork) -> None:
    before = {name: value.clone() for name, value in spn.network_.state_dict().items()}
    assert not spn.network_.training
    for preset in ("default", "paper", "code"):
        quick(preset=preset, max_steps=3).fit(TARGET, similarity=spn)
    assert not spn.network_.training
    for name, value in spn.network_.state_dict().items():
        assert torch.equal(value, before[name])
        assert value.requires_grad == before[name].requires_grad


def test_pair_weights_and_presets_make_a_difference(spn: SimilarityNetwork) -> None:
    settings: list[dict[str, Any]] = [{}, {"pair_weight": "confidence"}, {"pair_weight": "balanced"}]
    settings += [{"preset": "paper"}, {"preset": "code"}]
    losses = [quick(max_steps=5, **params).fit(TARGET, similarity=spn).loss_ for params in settings]
    assert len(set(losses)) == len(losses)
    again = quick(max_steps=5).fit(TARGET, similarity=spn)
    assert again.loss_ == losses[0]


def test_x_is_scaled_as_the_source_was(spn: SimilarityNetwork) -> None:
    model = quick(max_steps=3).fit(TARGET, similarity=spn)
    np.testing.assert_array_equal(model.scaling_.offset, spn.scaling_.offset)
    assert model.fit(TARGET, TRUTH).scaling_.offset.tolist() != spn.scaling_.offset.tolist()


def test_a_checkpoint_of_another_network_is_refused(spn: SimilarityNetwork, tmp_path: Path) -> None:
    other = copy.deepcopy(spn)
    torch.nn.init.zeros_(other.network_.head.out.bias)
    model = quick(max_steps=3, checkpoint_dir=tmp_path).fit(TARGET, similarity=spn)
    again = quick(max_steps=3, checkpoint_dir=tmp_path).fit(TARGET, similarity=spn)
    assert again.loss_ == model.loss_
    with pytest.raises(InputError, match="other parameters or other data"):
        quick(max_steps=3, checkpoint_dir=tmp_path).fit(TARGET, similarity=other)


def test_digits_0_to_4_say_something_about_5_to_9(all_digits: Digits) -> None:
    """Five classes teach little: k-means on raw pixels is better. The features are those of the network."""
    X, y = all_digits
    known = y < 5
    spn = SimilarityNetwork(max_steps=60, batch_size=50, samples_per_class=10, held_out=0.0, random_state=0)
    spn.fit(X[known], y[known])
    model = quick(n_clusters=5, max_steps=100).fit(X[~known], similarity=spn)
    assert nmi(y[~known], model.labels_) > 0.15


def test_weights_of_pairs_in_the_losses() -> None:
    torch.manual_seed(0)
    p = torch.rand(5, 3, dtype=torch.float64).softmax(1)
    same = torch.tensor(np.where(np.arange(5)[:, None] % 2 == np.arange(5) % 2, 1, -1), dtype=torch.int8)
    weight = torch.rand(5, 5, dtype=torch.float64)
    weight = (weight + weight.T) / 2
    one, half = torch.ones_like(weight), torch.full_like(weight, 0.5)
    for loss in (ccl_matrix, kcl_matrix):
        plain = loss(p, same)
        torch.testing.assert_close(loss(p, same, weight=one), plain)
        torch.testing.assert_close(loss(p, same, weight=half), plain / 2)
        # linear in the weights
        torch.testing.assert_close(loss(p, same, weight=weight) + loss(p, same, weight=1 - weight), plain)


def test_a_pair_labeler_cuts_and_weighs() -> None:
    odds = torch.tensor([[9.0, 0.5], [0.5, -9.0]])
    labeler = PairLabeler(nn.Identity(), cut=1.0, temperature=1.0, weighted=True)
    assert labeler.same(odds).tolist() == [[1, -1], [-1, -1]]
    weight = labeler.weight(odds)
    assert weight is not None
    # |2 sigmoid(x) - 1|
    torch.testing.assert_close(weight[0], (2 * torch.sigmoid(odds[0] - 1) - 1).abs())
    assert PairLabeler(nn.Identity(), 0.0, 1.0).weight(odds) is None


def test_the_paper_s_pair_labeler_takes_the_likelier_answer(spn: SimilarityNetwork) -> None:
    assert make_pair_labeler(spn, argmax=True, weighted=False).cut == 0
    cut = make_pair_labeler(spn, argmax=False, weighted=False).cut
    assert 1 / (1 + np.exp(-cut / spn.batch_temperature_)) == pytest.approx(spn.batch_threshold_)


def test_one_answer_for_every_pair_is_said_before_training() -> None:
    """Trained to tell 0 from 100, it takes all samples near 0 for one class."""
    rng = np.random.default_rng(0)
    y = np.arange(200) % 2
    source = rng.normal(size=(200, 3)) + 100 * y[:, None]
    spn = SimilarityNetwork(max_steps=60, random_state=0, augment="none", batch_size=20).fit(source, y)
    spn.batch_threshold_ = 1e-9  # whatever it says, it is taken for similar
    with pytest.warns(SimilarityWarning, match=r"calls 100.00% similar and 0.00% dissimilar") as caught:
        quick(max_steps=2).fit(source, similarity=spn)
    assert caught[0].filename == __file__


def test_bad_input(spn: SimilarityNetwork) -> None:
    with pytest.raises(
        InputError, match=r"X must hold samples of shape \(16,\), on which similarity was fitted, got \(15,\)"
    ):
        quick().fit(TARGET[:, :15], similarity=spn)
    with pytest.raises(
        InputError, match="X must hold other numbers than uint8, on which similarity was fitted, got uint8"
    ):
        quick().fit(TARGET.astype(np.uint8), similarity=spn)
    with pytest.raises(InputError, match="fit needs one of y, pairs and similarity"):
        quick().fit(TARGET, TRUTH, similarity=spn)
    with pytest.raises(InputError, match="fit needs one of y, pairs and similarity"):
        quick().fit(TARGET, pairs=Pairs([0], [1], [1]), similarity=spn)
    with pytest.raises(InputError, match="cross_entropy_weight must be 0 with similarity"):
        quick(cross_entropy_weight=1.0).fit(TARGET, similarity=spn)
    with pytest.raises(InputError, match='pair_weight="confidence" needs similarity in fit'):
        quick(pair_weight="confidence").fit(TARGET, TRUTH)
    with pytest.raises(NotFittedError):
        quick().fit(TARGET, similarity=SimilarityNetwork())
    wrong: Any = KMeans()
    with pytest.raises(InputTypeError, match=r"similarity must be a fitted coterie\..*, got KMeans"):
        quick().fit(TARGET, similarity=wrong)


def test_a_target_smaller_than_a_batch_is_warned_of(spn: SimilarityNetwork) -> None:
    with pytest.warns(SimilarityWarning, match="X has n_samples=40, fewer than batch_size=100") as caught:
        quick(max_steps=2).fit(TARGET[:40], similarity=spn)
    assert caught[0].filename == __file__


def test_clusters_begin_with_what_the_similarity_network_says(spn: SimilarityNetwork) -> None:
    """Where training hardly moves, spectral clustering of its answers is what comes out."""
    params: dict[str, Any] = {"backbone": "identity", "max_steps": 1}
    found = quick(**params, head_init="similarity").fit(TARGET, similarity=spn)
    assert clustering_accuracy(TRUTH, found.labels_) > 0.6
    assert clustering_accuracy(TRUTH, found.labels_) > 0.2 + clustering_accuracy(
        TRUTH, quick(**params, head_init="k-means").fit(TARGET, similarity=spn).labels_
    )
    single = quick(**params, head_init="similarity", n_clusters=1).fit(TARGET, similarity=spn)
    assert set(single.labels_) == {0}
    with pytest.raises(InputError, match='head_init="similarity" needs similarity in fit'):
        quick(head_init="similarity").fit(TARGET, TRUTH)


def test_all_pairs_are_answered_with_their_own_statistics(spn: SimilarityNetwork) -> None:
    proba = all_pairs(spn, make_pair_labeler(spn, argmax=True, weighted=False), TARGET)
    assert proba.shape == (180, 180)
    np.testing.assert_allclose(proba, proba.T, rtol=0, atol=1e-6)
    shifted = all_pairs(spn, make_pair_labeler(spn, argmax=True, weighted=False), TARGET + 100)
    # batch norm takes a shift of all samples off again
    np.testing.assert_allclose(shifted, proba, rtol=0, atol=1e-2)
