"""CCN on digits: from labels, from pairs, in every form of X and with every kind of network."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits, load_wine
from torch import Generator, Tensor, nn

from coterie import CCN, CollapseWarning, Pairs
from coterie.engine.checkpoint import Checkpointer
from coterie.engine.recipe import Recipe
from coterie.losses import pairs as loss_pairs
from coterie.losses.pairs import PairOptions
from coterie.methods import ccn_presets
from coterie.methods.ccn_presets import MANY_PAIRS
from coterie.metrics import clustering_accuracy, nmi
from coterie.nn.features import Features

Digits = Any


def quick(**params: Any) -> CCN:
    settings = {
        "n_clusters": 10,
        "n_restarts": 1,
        "max_steps": 15,
        "random_state": 0,
        "over_clustering": True,
    }
    return CCN(**(settings | params))


class Listed:
    def __init__(self, rows: Any) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Any:
        return torch.from_numpy(self.rows[index]), "what a loader gives beside it"


def test_few_pairs_of_images_begin_with_clusters_of_the_pixels() -> None:
    X, y = load_digits().images, load_digits().target
    pairs = Pairs.from_labels(y, 200, random_state=0)
    model = CCN(10, random_state=0).fit(X, pairs=pairs)
    assert isinstance(model.network_.backbone, Features)
    by_kmeans = KMeans(10, n_init=10, random_state=0).fit_predict(X.reshape(len(X), -1))
    assert clustering_accuracy(y, model.labels_) > clustering_accuracy(y, by_kmeans) + 0.03
    assert (model.predict(X) == model.labels_).all()


def test_few_pairs_of_a_table_begin_with_clusters_of_columns_of_one_scale() -> None:
    X, y = load_wine(return_X_y=True)
    pairs = Pairs.from_labels(y, 20, random_state=0)
    model = CCN(3, random_state=0).fit(X, pairs=pairs)
    assert clustering_accuracy(y, model.labels_) > 0.93
    # one column of wine has a thousand times the deviation of another
    scaled = CCN(3, random_state=0, scale=False).fit(X, pairs=pairs)
    assert clustering_accuracy(y, scaled.labels_) < 0.8


@pytest.mark.parametrize(("n_labels", "begins"), [(2, True), (7, True), (8, False)])
def test_few_labels_of_a_table_begin_with_its_clusters(n_labels: int, begins: bool) -> None:
    X, y = load_wine(return_X_y=True)
    known = np.full(len(y), -1)
    for label in range(3):
        known[np.flatnonzero(y == label)[:n_labels]] = label
    model = CCN(3, random_state=0, max_steps=40).fit(X, known)
    assert isinstance(model.network_.backbone, Features) == begins
    if begins:
        assert clustering_accuracy(y, model.labels_) > 0.9


@pytest.mark.filterwarnings("ignore::coterie.CollapseWarning")
@pytest.mark.parametrize(
    "chosen",
    [{"backbone": "lenet"}, {"over_clustering": True}, {"preset": "paper"}, {"head_init": "random"}],
    ids=str,
)
def test_a_network_that_is_asked_for_learns_from_few_pairs_too(chosen: dict[str, Any]) -> None:
    images, y = load_digits().images[:200].repeat(4, axis=1).repeat(4, axis=2), load_digits().target[:200]
    pairs = Pairs.from_labels(y, 100, random_state=0)
    model = CCN(10, n_restarts=1, max_steps=2, random_state=0, **chosen).fit(images, pairs=pairs)
    assert not isinstance(model.network_.backbone, Features)


def test_500_pairs_find_the_digits(all_digits: Digits) -> None:
    """Five restarts gave an NMI of 0.80 to 0.85 over four draws; k-means has 0.74."""
    X, y = all_digits
    pairs = Pairs.from_labels(y, 500, random_state=0)
    five = {"n_restarts": 5, "restarts": "successive-halving", "max_steps": None}
    model = quick(loss="kcl", **five).fit(X, pairs=pairs)
    assert nmi(y, model.labels_) > 0.76
    assert model.n_clusters_ >= 8
    unseen = np.setdiff1d(np.arange(len(y)), pairs.rows())
    assert nmi(y[unseen], model.predict(X[unseen])) > 0.65


@pytest.mark.parametrize("loss", ["ccl", "kcl"])
def test_from_labels(all_digits: Digits, loss: str) -> None:
    X, y = all_digits
    known = y[:600].astype(object)
    known[::2] = None
    model = quick(loss=loss, max_steps=400).fit(X[:600], known)
    assert clustering_accuracy(y[:600], model.labels_) > 0.82
    assert clustering_accuracy(y[600:], model.predict(X[600:])) > 0.75
    assert model.classes_.tolist() == list(range(10))


@pytest.mark.parametrize("loss", ["ccl", "kcl"])
@pytest.mark.parametrize("preset", ["default", "paper", "code"])
@pytest.mark.parametrize("source", ["labels", "pairs"])
def test_every_preset_learns(digits: Digits, loss: str, preset: str, source: str) -> None:
    X, y = digits
    told: dict[str, Any] = {"y": y} if source == "labels" else {"pairs": Pairs.from_labels(y, 300, 0)}
    before = quick(loss=loss, preset=preset, max_steps=1).fit(X, **told)
    after = quick(loss=loss, preset=preset, max_steps=60).fit(X, **told)
    assert after.loss_ < before.loss_
    assert list(after.history_[0]) == ["restart", "epoch", "step", "learning_rate", loss, "loss"]


def test_labels_of_any_type_say_the_same(digits: Digits) -> None:
    X, y = digits
    expected = quick().fit(X, y).labels_
    for same in (y.tolist(), y.astype(str), [f"class {label}" for label in y], pd.Series(y, dtype="Int64")):
        np.testing.assert_array_equal(quick().fit(X, same).labels_, expected)


def test_rows_without_a_label_take_no_part(digits: Digits) -> None:
    X, y = digits
    partly = np.where(np.arange(len(y)) < 100, y, -1)
    moved = X.copy()
    moved[100:] = moved[100:][::-1]
    first, second = quick().fit(X, partly), quick().fit(moved, partly)
    assert first.loss_ == pytest.approx(second.loss_, rel=1e-5)
    np.testing.assert_array_equal(first.labels_[100:], second.labels_[100:][::-1])


def test_balanced_pairs_weigh_both_kinds_the_same(digits: Digits) -> None:
    X, y = digits
    pairs = Pairs.from_labels(y, 300, random_state=0)
    plain, balanced = quick().fit(X, pairs=pairs), quick(pair_weight="balanced").fit(X, pairs=pairs)
    assert plain.loss_ != balanced.loss_
    alike = Pairs([0, 2], [1, 3], [1, 1])
    # nothing to balance
    assert quick().fit(X, pairs=alike).loss_ == quick(pair_weight="balanced").fit(X, pairs=alike).loss_


@pytest.mark.parametrize("loss", ["kcl", "ccl"])
def test_a_batch_of_many_labels_is_never_expanded(
    digits: Digits, loss: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Above the limit the pairs are walked block by block: the same loss, no n x n matrix."""
    X, y = digits
    settings: dict[str, Any] = {"loss": loss, "batch_size": len(X), "max_steps": 3}
    dense = quick(**settings).fit(X, y)
    monkeypatch.setattr(loss_pairs, "DENSE_LIMIT", len(X) - 1)
    monkeypatch.delattr(loss_pairs, "as_matrix")
    walked = quick(**settings).fit(X, y)
    assert walked.loss_ == pytest.approx(dense.loss_, rel=1e-4)


def test_cross_entropy_makes_clusters_the_classes(all_digits: Digits) -> None:
    X, y = all_digits[0][:400], all_digits[1][:400]
    alone = quick(cross_entropy_weight=1.0, max_steps=100).fit(X, y)
    assert (alone.labels_ == y).mean() > 0.95
    assert list(alone.history_[0])[4:] == ["ccl", "cross_entropy", "loss"]
    epoch = alone.history_[-1]
    assert epoch["loss"] == pytest.approx(epoch["ccl"] + epoch["cross_entropy"], rel=1e-5)
    partly = np.where(np.arange(len(y)) % 4 == 0, y, -1)
    both = quick(cross_entropy_weight=1.0, max_steps=120)
    both.fit(X, partly, pairs=Pairs.from_labels(y, 600, random_state=0))
    assert (both.labels_ == y).mean() > 0.8


@pytest.mark.parametrize("preset", ["default", "paper", "code"])
def test_cross_entropy_beside_pairs_in_every_preset(digits: Digits, preset: str) -> None:
    X, y = digits
    model = quick(preset=preset, cross_entropy_weight=0.5).fit(X, y, pairs=Pairs.from_labels(y, 100, 0))
    assert np.isfinite(model.loss_)


def test_restarts_are_ranked_by_their_loss(digits: Digits) -> None:
    X, y = digits
    model = quick(n_restarts=3).fit(X, y)
    losses = [run["loss"] for run in model.runs_]
    assert model.loss_ == min(losses)
    assert [run["chosen"] for run in model.runs_] == [loss == min(losses) for loss in losses]
    assert len(quick(n_restarts="auto", max_steps=2).fit(X, y).runs_) == 5


def test_more_clusters_than_classes(all_digits: Digits) -> None:
    X, y = all_digits[0][:500], all_digits[1][:500]
    model = quick(n_clusters=30, max_steps=400).fit(X, y)
    assert nmi(y, model.labels_) > 0.85
    assert 8 <= model.n_dominant_ <= 12
    sizes = np.bincount(model.labels_, minlength=30)
    assert model.n_dominant_ == (sizes >= 500 / 30).sum()


def test_an_unused_cluster_is_warned_of(digits: Digits) -> None:
    X, y = digits
    with pytest.warns(CollapseWarning, match=r"of n_clusters=12 .* over_clustering=True") as caught:
        quick(n_clusters=12, over_clustering=False, max_steps=100).fit(X, y % 2)
    assert caught[0].filename == __file__
    quick(n_clusters=12, max_steps=100).fit(X, y % 2)


def test_one_cluster(digits: Digits) -> None:
    X, y = digits
    assert set(quick(n_clusters=1).fit(X, y).labels_) == {0}


def encoder() -> nn.Sequential:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 12), nn.ReLU())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16])
def test_a_module_as_backbone_keeps_its_weights_and_is_not_changed(
    digits: Digits, dtype: torch.dtype
) -> None:
    X, y = digits
    module = encoder().to(dtype)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    model = quick(backbone=module, n_restarts=2).fit(X, y)
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())
    assert model.transform(X).shape == (len(X), 12)
    start = quick(backbone=module).fit(X, y)._make_network(7).backbone.state_dict()
    torch.testing.assert_close(start["module.1.weight"], before["1.weight"].float())


def test_a_callable_as_backbone_is_called_for_each_restart(digits: Digits) -> None:
    X, y = digits
    calls: list[int] = []

    def fresh() -> nn.Module:
        calls.append(1)
        return encoder()

    first = quick(backbone=fresh, n_restarts=3).fit(X, y)
    assert len(calls) >= 3
    assert first.loss_ == quick(backbone=fresh, n_restarts=3).fit(X, y).loss_


def test_a_frozen_backbone_is_not_trained(digits: Digits) -> None:
    X, y = digits
    module = encoder().requires_grad_(False)
    model = quick(backbone=module).fit(X, y)
    trained = model.network_.backbone.state_dict()["module.1.weight"]
    assert torch.equal(trained, module.state_dict()["1.weight"])


@pytest.mark.parametrize(
    ("shape", "backbone"),
    [
        ((8, 8), "auto"),
        ((1, 8, 8), "mlp"),
        ((16, 16), "auto"),
        ((3, 16, 16), "lenet-code"),
        ((28, 28), "lenet"),
    ],
)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_images(shape: tuple[int, ...], backbone: str, dtype: type) -> None:
    X: Any = (np.random.default_rng(0).random((40, *shape)) * 255).astype(dtype)
    model = quick(n_clusters=3, backbone=backbone, max_steps=3, batch_size=10).fit(X, np.arange(40) % 3)
    assert model.predict_proba(X[:5]).shape == (5, 3)
    assert (model.predict(X) == model.labels_).all()


def test_every_form_of_x_gives_the_same(digits: Digits, tmp_path: Path) -> None:
    X, y = digits
    np.save(tmp_path / "x.npy", X)
    expected = quick().fit(X, y)
    forms = (
        X.tolist(),
        np.load(tmp_path / "x.npy", mmap_mode="r"),
        torch.from_numpy(X),
        Listed(X),
        X.astype(">f8"),
    )
    for same in forms:
        model = quick().fit(same, y)
        assert model.loss_ == expected.loss_
        np.testing.assert_array_equal(model.predict_proba(same), expected.predict_proba(X))
    frame = pd.DataFrame(X, columns=[f"pixel {number}" for number in range(64)])
    model = quick().fit(frame, y)
    np.testing.assert_array_equal(model.predict_proba(frame), expected.predict_proba(X))
    assert model.feature_names_in_[1] == "pixel 1"


def test_without_scaling_x_is_taken_as_it_is(digits: Digits) -> None:
    X, y = digits
    model = quick(scale=False).fit(X, y)
    assert float(model.scaling_.factor) == 1
    assert model.loss_ != quick().fit(X, y).loss_
    scaled = (X - X.mean(axis=0)) / np.where(X.std(axis=0) > 0, X.std(axis=0), 1)
    assert quick(scale=False).fit(scaled, y).loss_ == pytest.approx(quick().fit(X, y).loss_, rel=1e-4)


def test_views_of_one_s_own(digits: Digits) -> None:
    X, y = digits
    seen: list[tuple[int, ...]] = []

    def augment(x: Tensor, generator: Generator) -> Tensor:
        seen.append(tuple(x.shape))
        return x + torch.randn(x.shape, generator=generator)

    model = quick(augment=augment, batch_size=50).fit(X, y)
    assert seen == [(50, 64)] * 15
    assert model.loss_ == quick(augment=augment, batch_size=50).fit(X, y).loss_
    assert model.loss_ != quick(augment="none", batch_size=50).fit(X, y).loss_


def test_uncertain_pairs_may_contradict(digits: Digits) -> None:
    X, _ = digits
    pairs = Pairs([0, 1, 0], [1, 2, 2], [1, 1, -1], hard=False)
    assert np.isfinite(quick().fit(X, pairs=pairs).loss_)


def test_a_second_fit_forgets_the_first(digits: Digits) -> None:
    X, y = digits
    model = quick().fit(X[:, :32].reshape(-1, 4, 8), y).fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(X), quick().fit(X, y).predict_proba(X))


def test_a_checkpoint_is_gone_on_with(
    digits: Digits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    X, y = digits
    monkeypatch.setattr(Checkpointer, "seconds", 0.0)

    class Calls:
        """A counter; it is no part of what the views do, which checkpoints compare."""

        n = 0

        def __getstate__(self) -> dict[str, int]:
            return {}

    class Stop(Exception):
        pass

    calls = Calls()

    def augment(x: Tensor, generator: Generator) -> Tensor:
        calls.n += 1
        if calls.n == 20:
            raise Stop
        return x + 0.1 * torch.randn(x.shape, generator=generator)

    settings = {"augment": augment, "n_restarts": 2, "batch_size": 40, "random_state": None}
    settings["restarts"] = "sequential"
    with pytest.raises(Stop):
        quick(**settings, checkpoint_dir=tmp_path / "c").fit(X, y)
    resumed = quick(**settings, checkpoint_dir=tmp_path / "c").fit(X, y)
    # the seeds are those of the first call: 19 steps are not done again
    assert calls.n == 20 + (30 - 19)
    again = quick(**settings, checkpoint_dir=tmp_path / "c").fit(X, y)
    assert (again.runs_, again.history_) == (resumed.runs_, resumed.history_)
    np.testing.assert_array_equal(again.predict_proba(X), resumed.predict_proba(X))


def test_default_pair_recipe_is_the_torch7_code_s_restated_for_a_mean() -> None:
    """Rate times and decay over the number of pairs: the same steps as of a sum."""
    X, y = load_digits(return_X_y=True)
    pairs = Pairs.from_labels(y, 320, random_state=0)
    summed = ccn_presets.Preset(
        dataclasses.replace(ccn_presets._FROM_VECTOR_PAIRS, learning_rate=0.01, weight_decay=5e-3),
        PairOptions("sum"),
    )
    model = quick(loss="kcl", max_steps=40, batch_size=32)
    ours = model.fit(X, pairs=pairs).predict_proba(X)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ccn_presets.DEFAULTS, ("pairs of vectors", "kcl"), summed)
        theirs = model.fit(X, pairs=pairs).predict_proba(X)
    np.testing.assert_allclose(ours, theirs, atol=1e-3)


@pytest.mark.parametrize(("n_pairs", "batch_size"), [(MANY_PAIRS, 32), (MANY_PAIRS + 1, 100)])
def test_many_pairs_of_images_take_larger_batches(
    n_pairs: int, batch_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    override = CCN._override

    def spy(model: CCN, recipe: Recipe) -> Recipe:
        seen.append(recipe.batch_size)
        return override(model, recipe)

    monkeypatch.setattr(CCN, "_override", spy)
    images = np.random.default_rng(0).normal(size=(150, 4, 4))
    pairs = Pairs.from_labels(np.arange(150) % 3, n_pairs, random_state=0)
    quick(max_steps=1).fit(images, pairs=pairs)
    assert seen == [batch_size]
