"""Similarity networks: what they learn from classes and pairs, calibration, saving, and bad input."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score
from torch import nn

import coterie
from coterie import CCN, InputError, InputTypeError, Pairs, SimilarityNetwork
from coterie.methods.calibration import calibrate
from coterie.methods.held_out import hold_out

Digits = Any
Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


def groups(seed: int, n_classes: int, per_class: int) -> tuple[Floats, Ints]:
    """Classes that lie apart in 4 of 16 features; the others are noise of larger variance."""
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(n_classes), per_class)
    centres = rng.uniform(-4, 4, (n_classes, 4))[y]
    noise = 5 * rng.normal(size=(len(y), 12))
    return np.c_[centres + 0.4 * rng.normal(size=centres.shape), noise].astype(np.float32), y


def quick(**params: Any) -> SimilarityNetwork:
    settings: dict[str, Any] = {"max_steps": 20, "random_state": 0, "augment": "none"}
    return SimilarityNetwork(**(settings | params))


@pytest.fixture(scope="module")
def fitted() -> SimilarityNetwork:
    return quick(max_steps=150).fit(*groups(0, 60, 20))


def test_it_answers_for_classes_that_it_never_saw(fitted: SimilarityNetwork) -> None:
    X, y = groups(1, 20, 10)
    rng = np.random.default_rng(0)
    i, j = rng.integers(len(X), size=(2, 3000))
    same, told = y[i] == y[j], fitted.predict_proba_pairs(X, i, j) >= fitted.threshold_
    assert (told & same).sum() / told.sum() > 0.5
    assert (told & same).sum() / same.sum() > 0.6
    assert fitted.report_["precision"] > 0.5
    # 20 classes of 5 rows
    assert fitted.report_["similar"] == pytest.approx(20 * 5 * 4 / (100 * 99))


def test_answers_do_not_depend_on_the_order_of_a_pair_or_on_its_company(fitted: SimilarityNetwork) -> None:
    X, _ = groups(1, 5, 4)
    i, j = np.triu_indices(len(X), 1)
    proba = fitted.predict_proba_pairs(X, i, j)
    assert proba.dtype == np.float64
    assert proba.min() >= 0
    assert proba.max() <= 1
    np.testing.assert_allclose(fitted.predict_proba_pairs(X, j, i), proba, rtol=0, atol=1e-6)
    alone = fitted.predict_proba_pairs(X[:8], [1], [2])
    np.testing.assert_allclose(alone, proba[(i == 1) & (j == 2)], rtol=0, atol=1e-6)
    assert fitted.predict_proba_pairs(X, [], []).shape == (0,)
    assert fitted.transform(X).shape == (20, 128)


def test_from_pairs() -> None:
    X, y = groups(0, 30, 10)
    pairs = Pairs.from_labels(y, 3000, random_state=0)
    model = quick(max_steps=120, batch_size=150).fit(X, pairs=pairs)
    assert model.history_[-1]["loss"] < model.history_[0]["loss"]
    assert model.report_["pairs"] == 300
    assert roc_auc_score(pairs.same == 1, model.predict_proba_pairs(X, pairs.i, pairs.j)) > 0.9


def test_few_classes_hold_rows_out_and_no_class() -> None:
    codes = np.repeat([0, 1, -1, 2], [40, 30, 5, 3])
    held = hold_out(codes, 0.1)
    assert [int(held[codes == code].sum()) for code in (0, 1, -1, 2)] == [4, 3, 0, 0]
    many = np.repeat(np.arange(40), 5)
    assert sorted(np.bincount(many[hold_out(many, 0.1)], minlength=40))[-5:] == [0, 5, 5, 5, 5]
    assert not hold_out(many, 0.0).any()
    assert not hold_out(np.array([0, 0, 1, 1]), 0.5).any()


def test_groups_are_held_out_whole() -> None:
    codes = np.repeat([0, 1, -1, 2, 3, 4, 5], 4)
    of_row = np.array([0, 0, 0, 1, 1, 2, 2])[np.repeat(np.arange(7), 4)]
    held = hold_out(codes, 0.5, of_row)
    assert held[codes >= 0].sum() == 16
    assert not held[codes < 0].any()
    assert all(len(set(held[(of_row == group) & (codes >= 0)])) == 1 for group in range(3))


def test_groups_make_the_batches() -> None:
    """What tells the groups apart tells no classes of one group apart."""
    X, y = groups(0, 20, 10)
    names = np.where(y < 12, "first", "second")
    X[:, 4] += 50 * (y < 12)
    seen = []

    def remember(x: torch.Tensor, _: torch.Generator) -> torch.Tensor:
        seen.append(x)
        return x

    model = quick(max_steps=4, held_out=0.0, augment=remember).fit(X, y, groups=names)
    assert len(seen) == 4
    assert all(float(x[:, 4].std()) < 0.5 for x in seen)
    again = quick(max_steps=4, held_out=0.0).fit(X, y, groups=names)
    assert again.loss_ == model.loss_


def test_the_temperature_takes_overconfidence_back() -> None:
    rng = np.random.default_rng(0)
    honest = rng.normal(0, 2, 20_000)
    same = rng.random(20_000) < 1 / (1 + np.exp(-honest))
    temperature, threshold = calibrate(3 * honest, same, float(same.mean()))
    assert temperature == pytest.approx(3, rel=0.05)
    assert 0.2 < threshold < 0.5  # of balanced pairs F1 is best below one half
    assert calibrate(honest, np.ones(20_000, bool), 0.5) == (1.0, 0.5)
    # rarer similar pairs need more supervision
    assert calibrate(honest, same, 0.05)[1] > threshold
    # a few pairs that are all right do not make it certain
    temperature, threshold = calibrate(np.array([-1.0, 1.0]), np.array([False, True]), 0.5)
    assert (round(temperature, 3), threshold) == (1, 0.5)


def test_without_held_out_pairs_nothing_is_calibrated() -> None:
    model = quick(held_out=0.0).fit(*groups(0, 6, 8))
    assert (model.temperature_, model.threshold_, model.report_) == (1.0, 0.5, {"pairs": 0})


@pytest.mark.parametrize("symmetric", [True, False])
def test_images_and_features(symmetric: bool) -> None:
    images = np.random.default_rng(0).integers(0, 255, (40, 16, 16), dtype=np.uint8)
    y = np.arange(40) % 4
    model = quick(backbone="vggs", symmetric=symmetric, hidden_features=8, max_steps=2, batch_size=20)
    assert model.fit(images, y).predict_proba_pairs(images, [0], [1]).shape == (1,)
    features = model.transform(images)
    assert features.shape == (40, 256)
    twin = model.on_features()
    i, j = np.triu_indices(40, 1)
    expected = model.predict_proba_pairs(images, i, j)
    np.testing.assert_allclose(twin.predict_proba_pairs(features, i, j), expected, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(twin.transform(features), features)
    head = quick(backbone=nn.Identity(), hidden_features=8).fit(features, y)
    assert head.predict_proba_pairs(features, [0], [1]).shape == (1,)


def test_the_same_seed_is_bitwise_the_same_and_restarts_are_ranked() -> None:
    X, y = groups(0, 12, 6)
    first, second = quick(n_restarts=2).fit(X, y), quick(n_restarts=2).fit(X, y)
    assert (first.loss_, first.history_, first.report_) == (second.loss_, second.history_, second.report_)
    assert first.loss_ == min(run["loss"] for run in first.runs_)
    assert quick(random_state=1).fit(X, y).loss_ != quick().fit(X, y).loss_


def test_save_and_load(fitted: SimilarityNetwork, tmp_path: Path) -> None:
    X, _ = groups(1, 5, 4)
    coterie.save(fitted, tmp_path / "spn")
    loaded: Any = coterie.load(tmp_path / "spn")
    assert isinstance(loaded, SimilarityNetwork)
    i, j = np.triu_indices(len(X), 1)
    np.testing.assert_array_equal(loaded.predict_proba_pairs(X, i, j), fitted.predict_proba_pairs(X, i, j))
    for name in SimilarityNetwork._saved_fields:
        assert getattr(loaded, name) == getattr(fitted, name)
    assert loaded.get_params() == fitted.get_params()
    settings: dict[str, Any] = {"n_clusters": 5, "max_steps": 5, "random_state": 0, "over_clustering": True}
    with pytest.warns(coterie.SimilarityWarning, match="X has n_samples=20, fewer than batch_size=100"):
        first, second = (CCN(**settings).fit(X, similarity=spn) for spn in (fitted, loaded))
    np.testing.assert_array_equal(first.predict_proba(X), second.predict_proba(X))


def test_a_checkpoint_is_gone_on_with(tmp_path: Path) -> None:
    X, y = groups(0, 12, 6)
    first = quick(checkpoint_dir=tmp_path).fit(X, y)
    again = quick(checkpoint_dir=tmp_path).fit(X, y)
    assert (again.loss_, again.report_) == (first.loss_, first.report_)


def test_clone_and_nothing_before_fit() -> None:
    assert clone(quick(symmetric=False)).get_params()["symmetric"] is False
    with pytest.raises(NotFittedError):
        quick().transform(np.zeros((2, 3)))
    with pytest.raises(NotFittedError):
        quick().predict_proba_pairs(np.zeros((2, 3)), [0], [1])


X, Y = groups(0, 4, 6)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (None, "SimilarityNetwork requires y to be passed"),
        (np.zeros(24), r"y must have at least 2 classes, or no pair is dissimilar, got one"),
        (np.arange(24), "y must have a class of two or more rows, or no pair is similar"),
        (Y[:-1], "y must have one label per row of X, n_samples=24, got 23"),
    ],
)
def test_bad_labels(y: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        quick().fit(X, y)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["a"] * 23, r"groups must have shape \(24,\), one group per row, got \(23,\)"),
        (np.arange(24) % 2, r"groups: class .* must be in one known group, got .*0.*, .*1"),
        ([None, *["a"] * 23], "groups: class .* must be in one known group, got unknown, 'a'"),
        (Y, "groups must include one of two or more classes"),
        (5, r"groups must have shape \(24,\), one group per row, got \(\)"),
    ],
)
def test_bad_groups(given: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        quick().fit(X, Y, groups=given)


def test_groups_are_of_labels() -> None:
    with pytest.raises(InputError, match="groups must be given with y, not with pairs"):
        quick().fit(X, pairs=Pairs([0, 0], [1, 9], [1, -1]), groups=Y)


def test_a_class_with_one_row_is_warned_of() -> None:
    labels = [f"class {code}" for code in Y]
    labels[0] = "alone"
    with pytest.warns(
        UserWarning, match="y: 1 of 5 classes have one row \\(for example 'alone'\\)"
    ) as caught:
        quick(max_steps=2).fit(X, labels)
    assert caught[0].filename == __file__


def test_bad_pairs() -> None:
    with pytest.raises(InputError, match="pairs must hold both kinds, got 1 similar and 0 dissimilar"):
        quick().fit(X, pairs=Pairs([0], [1], [1]))
    with pytest.raises(InputError, match="fit takes one of y and pairs"):
        quick().fit(X, Y, pairs=Pairs([0, 0], [1, 9], [1, -1]))
    wrong: Any = [(0, 1)]
    with pytest.raises(InputTypeError, match=r"pairs must be coterie.Pairs, .* got list"):
        quick().fit(X, pairs=wrong)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"held_out": 0.6}, r"held_out must be a finite number in \[0, 0.5\], got 0.6"),
        ({"held_out": -0.1}, "held_out must be"),
        ({"samples_per_class": 1}, "samples_per_class must be an int >= 2, got 1"),
        ({"hidden_features": 0}, "hidden_features must be"),
        ({"symmetric": "yes"}, "symmetric must be True or False, got 'yes'"),
        ({"preset": "fast"}, "preset must be 'default' or 'paper', got 'fast'"),
    ],
)
def test_bad_parameters(params: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        quick(**params).fit(X, Y)


def test_bad_rows_of_pairs(fitted: SimilarityNetwork) -> None:
    with pytest.raises(InputError, match="i and j must have the same length, got 1 and 2"):
        fitted.predict_proba_pairs(X, [0], [1, 2])
    with pytest.raises(InputError, match=r"j: rows 24\.\.24 must lie in 0\.\.23"):
        fitted.predict_proba_pairs(X, [0], [24])
    with pytest.raises(
        InputTypeError, match=r"i must be row numbers of shape \(m,\), got shape \(1,\) and type float64"
    ):
        fitted.predict_proba_pairs(X, [0.5], [1])
    with pytest.raises(InputError, match="X has 3 features, but SimilarityNetwork is expecting 16"):
        fitted.predict_proba_pairs(X[:, :3], [0], [1])


def test_the_callers_state_is_left_alone() -> None:
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    quick(max_steps=2).fit(X, Y).predict_proba_pairs(X, [0], [1])
    assert torch.equal(torch.rand(3), expected)
