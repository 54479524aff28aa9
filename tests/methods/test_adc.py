"""ADC: its phases, its start from k-means, its terms, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Generator, Tensor

from coterie import ADC, CollapseWarning, InputError, InputTypeError, Pairs, load, save
from coterie._types import Batch, Output
from coterie.data.augment_images import RECIPES
from coterie.data.batches import RowBatches
from coterie.engine.checkpoint import Checkpointer
from coterie.engine.objective import Phase
from coterie.losses import ccl, norm, transformation, visit, walker
from coterie.losses.ccl import ccl_matrix
from coterie.methods.adc import PRESET_OF, ADCObjective
from coterie.methods.adc_weights import Weights
from coterie.methods.kmeans_start import CentroidStart
from coterie.metrics import clustering_accuracy
from coterie.nn import CentroidNetwork


def quick(**params: Any) -> ADC:
    return ADC(
        **(
            {"n_clusters": 3, "max_steps": 6, "n_restarts": 1, "random_state": 0, "over_clustering": True}
            | params
        )
    )


def blobs(n: int = 90, seed: int = 0) -> tuple[Any, Any]:
    """Three clusters of rows that no method should miss."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 3
    return 6 * np.eye(3, 5)[y] + rng.normal(size=(n, 5)), y


def images(n: int = 30, *shape: int) -> Any:
    return np.random.default_rng(0).random((n, *(shape or (8, 8))))


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_clear_clusters_are_found() -> None:
    X, y = blobs()
    model = ADC(n_clusters=3, max_steps=60, random_state=0).fit(X)
    assert clustering_accuracy(y, model.labels_) > 0.95
    assert model.n_clusters_ == 3


def test_images_take_the_paper_s_network() -> None:
    model = quick(max_steps=2).fit(images())
    assert type(model.network_.backbone).__name__ == "VCNN"


def test_y_is_ignored() -> None:
    X, y = blobs()
    first, second = quick().fit(X), quick().fit(X, y)
    np.testing.assert_array_equal(first.predict_proba(X), second.predict_proba(X))


def test_the_history_shows_the_phases() -> None:
    X, _ = blobs(300)
    model = quick(max_steps=24).fit(X)
    assert [(epoch["step"], epoch["phase"]) for epoch in model.history_] == [
        *((3, 1), (6, 1), (9, 1), (12, 2), (15, 2), (18, 3), (21, 3), (24, 3))
    ]
    assert {"view_walker", "view_visit", "centroid_walker", "centroid_visit", "classification"} <= set(
        model.history_[0]
    )


def test_pairs_pull_their_rows() -> None:
    X, _ = blobs()
    odd = np.arange(90) // 30  # another truth than the blobs show
    pairs = Pairs.from_labels(odd, 400, random_state=0)
    told = quick(max_steps=200, weights={"pairs": 50.0}).fit(X, pairs=pairs)
    alone = quick(max_steps=200).fit(X)
    same = np.zeros((90, 90), dtype=np.int8)
    same[pairs.i, pairs.j] = same[pairs.j, pairs.i] = pairs.same
    known = torch.from_numpy(same)
    costs = [float(ccl(torch.from_numpy(each.predict_proba(X)), known)) for each in (told, alone)]
    assert costs[0] < 0.95 * costs[1]
    assert "pairs" in told.history_[0]
    assert "pairs" not in alone.history_[0]


def output(n: int = 6, k: int = 3, m: int = 1, n_views: int = 2) -> Output:
    def one(seed: int) -> dict[str, Tensor]:
        tensors = {"embedding": draw(n, 4, seed=seed), "logits": draw(n, k, seed=seed + 1)}
        return tensors | {"centroids": draw(k * m, 4, seed=90), "centroid_logits": draw(k * m, k, seed=91)}

    shared = CentroidNetwork.shared_outputs
    views = tuple(Output(one(10 * number), shared=shared) for number in range(1, n_views + 1))
    return Output(one(0), views, shared)


def terms(
    m: int = 1, *, per_pair: bool = True, n_drawn: int | None = None
) -> tuple[Output, dict[str, Tensor]]:
    weights = {**Weights(sparsity=1.0).clustering(has_pairs=True)}
    objective = ADCObjective(
        RowBatches(6, 6),
        (Phase("clustering", None, weights),),
        n_views=2,
        per_cluster=m,
        per_pair=per_pair,
    )
    same = torch.eye(6, dtype=torch.int8)
    same[0, 1] = same[1, 0] = -1
    found = output(m=m)
    return found, objective.terms(found, Batch(torch.arange(6), same, n_drawn=n_drawn))


@pytest.mark.parametrize("m", [1, 2])
def test_terms_are_the_paper_s(m: int) -> None:
    found, named = terms(m)
    z, (one, two) = found.embedding, found.views
    views = torch.cat([one.embedding, two.embedding])
    everything = torch.cat([z, views, found["centroids"]])
    clusters = torch.arange(3).repeat_interleave(m)
    same = torch.eye(6, dtype=torch.int8)
    same[0, 1] = same[1, 0] = -1
    expected = {
        "view_walker": walker(views, z, torch.arange(6).repeat(2)),
        "view_visit": visit(views, z),
        "centroid_walker": walker(found["centroids"], z, clusters),
        "centroid_visit": visit(found["centroids"], z),
        "classification": torch.nn.functional.cross_entropy(found["centroid_logits"], clusters),
        "transformation": transformation(z, one.embedding, found.logits, one.logits),
        "norm": norm(everything, reduction="sum"),
        "sparsity": everything.abs().sum(),
        "pairs": sum(ccl_matrix(each.prob, same) for each in (found, one, two)) / 3,
    }
    assert set(named) == set(expected)
    for name, value in expected.items():
        torch.testing.assert_close(named[name], torch.as_tensor(value), msg=name)


def test_the_ends_of_pairs_take_no_part_in_the_associations() -> None:
    found, whole = terms()
    _, partly = terms(n_drawn=4)
    z, views = found.embedding[:4], torch.cat([view.embedding[:4] for view in found.views])
    torch.testing.assert_close(partly["view_walker"], walker(views, z, torch.arange(4).repeat(2)))
    torch.testing.assert_close(partly["centroid_visit"], visit(found["centroids"], z))
    torch.testing.assert_close(
        partly["norm"], norm(torch.cat([z, views, found["centroids"]]), reduction="sum")
    )
    torch.testing.assert_close(partly["classification"], whole["classification"])
    torch.testing.assert_close(partly["pairs"], whole["pairs"])


def test_the_code_s_transformation() -> None:
    found, named = terms(per_pair=False)
    view = found.views[0]
    scalar = transformation(found.embedding, view.embedding, found.logits, view.logits, per_pair=False)
    torch.testing.assert_close(named["transformation"], scalar)


def ready(**params: Any) -> ADC:
    """As fit leaves it before the training."""
    model = quick(**params)
    model.n_outputs_ = int(model.n_clusters)
    return model


def phases(total: int, **params: Any) -> list[tuple[str, int | None]]:
    return [(phase.name, phase.steps) for phase in ready(**params)._phases(total, has_pairs=False)]


def test_phases_of_the_presets() -> None:
    assert phases(1600) == [("warm-up", 600), ("clustering", 500), ("clustering", None)]
    assert phases(1) == [("clustering", None)]
    assert phases(2) == [("warm-up", 1), ("clustering", None)]
    assert phases(30_000, preset="paper") == [("warm-up", 5_000), ("clustering", None)]
    assert phases(1_000, preset="paper") == [("warm-up", 500), ("clustering", None)]
    assert phases(1_000, preset="code") == [("clustering", None)]


def test_kmeans_may_start_when_the_views_loss_is_saturated(monkeypatch: pytest.MonkeyPatch) -> None:
    first, _, last = ready(kmeans_start="plateau")._phases(1_600, has_pairs=False)
    assert (first.steps, first.patience, last.patience) == (600, 5, None)
    assert ready()._phases(1_600, has_pairs=False)[0].patience is None
    monkeypatch.setattr("coterie.methods.adc.PLATEAU_EPOCHS", 1)
    monkeypatch.setattr("coterie.engine.recipe.MIN_STALE_STEPS", 1)
    X, _ = blobs()

    def epochs(start: str) -> int:
        model = quick(max_steps=120, batch_size=30, kmeans_start=start).fit(X)
        return sum(epoch["phase"] == 1 for epoch in model.history_)

    assert epochs("plateau") < epochs("step") == 15


def test_weights_of_the_phases() -> None:
    warm_up, last = ready(preset="paper")._phases(20_000, has_pairs=True)
    assert warm_up.weights == {"view_walker": 0.9, "view_visit": 0.9 * 0.3, "norm": 1e-5}
    assert last.weights == {
        **warm_up.weights,
        "centroid_walker": 1.0,
        "centroid_visit": 0.3,
        "classification": 1.0,
        "transformation": 2e-5,
        "pairs": 1.0,
    }
    assert warm_up.on_enter is None
    assert isinstance(last.on_enter, CentroidStart)
    changed = ready(weights={"centroids": 2.0, "visit": 0.8, "transformation": 0.0})
    _, middle, last = changed._phases(1_000, has_pairs=False)
    assert middle.weights == last.weights
    assert last.weights["centroid_visit"] == pytest.approx(1.6)
    assert not {"transformation", "pairs"} & set(last.weights)


def test_kmeans_starts_the_centroids_again(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds: list[int] = []
    start = CentroidStart.__call__

    def spy(self: CentroidStart, embed: Any, seed: int) -> Any:
        seeds.append(seed)
        return start(self, embed, seed)

    monkeypatch.setattr(CentroidStart, "__call__", spy)
    X, _ = blobs()
    quick(max_steps=24).fit(X)
    assert len(set(seeds)) == 2


@pytest.mark.parametrize(
    ("preset", "per_cluster"), [("default", 1), ("paper", 1), ("paper-mnist", 1), ("code", 4)]
)
def test_presets_fit(preset: str, per_cluster: int) -> None:
    X, _ = blobs(40)
    model = quick(preset=preset, batch_size=20).fit(X)
    assert model.network_.centroids.shape == (3 * per_cluster, 128)
    assert np.isfinite(model.loss_)
    assert PRESET_OF[preset].per_cluster == per_cluster


@pytest.mark.parametrize("augment", ["auto", "digits", "none"])
def test_views_by_name(augment: str) -> None:
    assert np.isfinite(quick(augment=augment, n_views=1, max_steps=2).fit(images()).loss_)


def test_views_of_colour_images() -> None:
    model = quick(augment="objects", max_steps=2).fit(images(12, 3, 8, 8))
    assert model._views() is RECIPES["objects"]


def test_published_presets_take_published_views() -> None:
    for preset, views in {"default": "digits", "paper": "digits-paper", "code": "digits-paper"}.items():
        model = ready(preset=preset)
        model.sample_shape_, model.modality_ = (28, 28), "image"
        assert model._views() is RECIPES[views]
        assert model.set_params(augment="digits")._views() is RECIPES["digits"]


def test_a_callable_as_views() -> None:
    calls = []

    def augment(x: Tensor, generator: Generator) -> Tensor:
        calls.append(tuple(x.shape))
        return x + 0.1 * torch.randn(x.shape, generator=generator)

    X, _ = blobs(40)
    quick(augment=augment, n_views=3, batch_size=20, max_steps=2).fit(X)
    assert set(calls) == {(60, 5)}


def test_saved_models_keep_their_centroids(tmp_path: Path) -> None:
    X, _ = blobs(40)
    model = quick(centroids_per_cluster=2, weights={"visit": 0.5}).fit(X)
    save(model, tmp_path / "model")
    loaded: Any = load(tmp_path / "model")
    one, other = (each.network_.state_dict()["centroids"] for each in (loaded, model))
    assert torch.equal(one, other)
    assert loaded.weights == {"visit": 0.5}


class Views:
    """Noise, until the power fails after so many calls."""

    def __init__(self, calls: int = 10**9) -> None:
        self.calls = calls

    def __getstate__(self) -> dict[str, int]:
        """How often it was called is no part of what it does: checkpoints compare the rest."""
        return {}

    def __call__(self, x: Tensor, generator: Generator) -> Tensor:
        self.calls -= 1
        if self.calls < 0:
            raise OSError("power failure")
        return x + 0.3 * torch.randn(x.shape, generator=generator)


@pytest.mark.parametrize("done", [2, 6, 9])
def test_a_stopped_fit_goes_on_bitwise(done: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Checkpointer, "seconds", 0.0)  # a checkpoint after every step
    X, _ = blobs()
    whole = quick(max_steps=16, augment=Views(), batch_size=30).fit(X)
    with pytest.raises(OSError, match="power failure"):
        quick(max_steps=16, augment=Views(done), batch_size=30, checkpoint_dir=str(tmp_path)).fit(X)
    again = Views()
    resumed = quick(max_steps=16, augment=again, batch_size=30, checkpoint_dir=str(tmp_path)).fit(X)
    assert again.calls > 10**9 - 16 - 3  # only what was left, and the evaluation
    np.testing.assert_array_equal(resumed.predict_proba(X), whole.predict_proba(X))
    assert (resumed.loss_, resumed.history_) == (whole.loss_, whole.history_)


def test_images_below_8_pixels_take_an_mlp() -> None:
    model = quick(max_steps=2).fit(images(30, 5, 5))
    assert type(model.network_.backbone).__name__ == "MLP"


def nan_views(x: Tensor, generator: Generator) -> Tensor:
    return x * torch.nan


def cut_views(x: Tensor, generator: Generator) -> Tensor:
    return x[:, :-1]


X40, Y40 = blobs(40)
BAD: list[tuple[dict[str, Any], Any, type[Exception], str]] = [
    ({"backbone": "vcnn"}, images(20, 6, 6), InputError, "backbone: 'vcnn' needs images of at least 8 x 8"),
    ({"backbone": "vcnn"}, X40, InputError, "backbone: 'vcnn' needs images of shape"),
    (
        {"augment": "objects"},
        images(),
        InputError,
        "augment needs images of 3 channels to change hue and saturation, got 1",
    ),
    (
        {"augment": "digits"},
        X40,
        InputError,
        r"augment needs images of shape \(h, w\) or \(c, h, w\), got shape \(5,\)",
    ),
    ({"augment": nan_views}, X40, InputError, "augment must give finite values, got NaN or infinity"),
    (
        {"augment": cut_views},
        X40,
        InputError,
        r"augment must give a batch of shape \(80, 5\), as it received, got \(80, 4\)",
    ),
    (
        {"augment": "letters"},
        X40,
        InputError,
        "augment must be a callable, 'auto', 'digits', .* or 'none', got 'letters'",
    ),
    (
        {"n_clusters": 4},
        np.arange(40)[:, None] % 3.0,
        InputError,
        "n_clusters=4 must be <= the number of distinct rows of X, 3",
    ),
    ({"n_clusters": 41}, X40, InputError, "n_clusters=41 must be <= n_samples=40"),
    ({"n_views": 0}, X40, InputError, "n_views must be an int >= 1 or None, got 0"),
    ({"n_views": 1.5}, X40, InputTypeError, "n_views must be an int >= 1 or None, got 1.5"),
    ({"centroids_per_cluster": 0}, X40, InputError, "centroids_per_cluster must be an int >= 1"),
    ({"kmeans_start": "late"}, X40, InputError, "kmeans_start must be 'step' or 'plateau', got 'late'"),
    ({"weights": [1.0]}, X40, InputTypeError, "weights must be a dict or None, got"),
    (
        {"weights": {"alpha": 1.0}},
        X40,
        InputError,
        "weights must have names among .* got 'alpha'",
    ),
    ({"weights": {"visit": -1.0}}, X40, InputError, r"weights\['visit'\] must be a finite number >= 0"),
    (
        {"preset": "fast"},
        X40,
        InputError,
        "preset must be 'default', 'paper', 'paper-mnist' or 'code', got 'fast'",
    ),
    ({}, np.where(X40 > 5, np.nan, X40), InputError, "X: Input X contains NaN"),
]


@pytest.mark.parametrize(("params", "X", "error", "message"), BAD, ids=[row[3] for row in BAD])
def test_bad_input(params: dict[str, Any], X: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        quick(**params).fit(X)


@pytest.mark.parametrize(
    ("pairs", "error", "message"),
    [
        ([(0, 1)], InputTypeError, "pairs must be coterie.Pairs, .* got list"),
        (Pairs([0], [99], [1]), InputError, "99"),
        (Pairs([0, 1, 0], [1, 2, 2], [1, 1, -1]), InputError, "contradict"),
    ],
)
def test_bad_pairs(pairs: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        quick().fit(X40, pairs=pairs)


def test_a_cluster_that_dies_is_named_with_what_to_do() -> None:
    X = np.repeat(np.eye(4), 10, axis=0)
    model = ADC(n_clusters=3, max_steps=4, random_state=0).fit(X)
    model.network_.head.bias.data[:] = torch.tensor([0.0, 0.0, -1e4])
    with pytest.warns(CollapseWarning, match="2 of n_clusters=3 clusters are used: try more restarts"):
        model._describe(X)
