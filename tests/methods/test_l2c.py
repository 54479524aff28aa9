"""L2C: training from groups and from sets, the shipped models, large sets, saving, bad input."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from benchmarks.hardware import fast_precision
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import coterie
from coterie import L2C, InputError, InputTypeError
from coterie.data.shapes2d import shapes2d
from coterie.engine.runtime import has_bfloat16
from coterie.methods.l2c import PRETRAINED
from coterie.methods.one_set import at_unit_scale
from coterie.metrics import nmi

# a model of two steps may well find the largest number of clusters
pytestmark = pytest.mark.filterwarnings("ignore:max_clusters")

Points = npt.NDArray[np.float32]
QUICK: dict[str, Any] = {"max_clusters": 3, "set_size": 8, "batch_size": 4, "max_steps": 2, "random_state": 0}


def groups() -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Six groups of ten samples in three dimensions."""
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(6), 10)
    return rng.normal(size=(6, 3))[y] * 5 + rng.normal(size=(60, 3)), y


@pytest.fixture(scope="module")
def fitted() -> L2C:
    return L2C(**QUICK).fit(*groups())


@pytest.fixture(scope="module", params=PRETRAINED)
def shipped(request: pytest.FixtureRequest) -> L2C:
    return L2C.from_pretrained(request.param)


def blobs(n: int, k: int = 3) -> tuple[Points, npt.NDArray[np.int64]]:
    """Far apart, so that any model that clusters at all gets them right."""
    rng = np.random.default_rng(3)
    y = rng.integers(k, size=n)
    centres = np.stack([np.cos(angle := 2 * np.pi * np.arange(k) / k), np.sin(angle)], axis=1)
    return (centres[y] + 0.05 * rng.normal(size=(n, 2))).astype(np.float32), y


def test_outputs_have_their_shapes(fitted: L2C) -> None:
    X, _ = groups()
    count_proba, proba = fitted.predict_count_proba(X), fitted.predict_proba(X)
    assert count_proba.shape == (3,)
    assert count_proba.sum() == pytest.approx(1)
    assert proba.shape == (60, count_proba.argmax() + 1)
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    assert np.array_equal(fitted.predict(X), proba.argmax(axis=1))
    assert [part.shape for part in fitted.predict_all(X)[1]] == [(60, 1), (60, 2), (60, 3)]
    assert not hasattr(fitted, "labels_")
    assert not hasattr(fitted, "fit_predict")


def test_history_names_the_terms(fitted: L2C) -> None:
    last = fitted.history_[-1]
    assert last["loss"] == pytest.approx(last["count"] + 5 * last["assignment"] + 5 * last["pair"])
    assert fitted.runs_[0]["loss"] == fitted.loss_


def test_the_same_seed_gives_the_same_model(fitted: L2C) -> None:
    X, y = groups()
    again = clone(fitted).fit(X, y)
    assert again.loss_ == fitted.loss_
    assert np.array_equal(again.predict_count_proba(X), fitted.predict_count_proba(X))


def test_labels_of_any_type_and_unknown_ones() -> None:
    X, y = groups()
    names = [None if code == 5 else f"group {code}" for code in y]
    model = L2C(**QUICK).fit(X, names)
    assert model.loss_ == L2C(**QUICK).fit(X, np.where(y == 5, -1, y)).loss_


def test_training_clusters_groups_it_has_not_seen() -> None:
    rng = np.random.default_rng(0)
    centres, y = rng.normal(size=(60, 4)), np.repeat(np.arange(60), 12)
    X = centres[y] + 0.05 * rng.normal(size=(720, 4))
    model = L2C(max_clusters=3, set_size=12, batch_size=8, max_steps=40, random_state=0).fit(X, y)
    new = rng.normal(size=(3, 4))[labels := np.arange(30) % 3] + 0.05 * rng.normal(size=(30, 4))
    told = model.predict_all(new)[1][2].argmax(axis=1)
    assert nmi(labels, told) > 0.9


def test_sets_with_labels_and_with_same_different_are_the_same() -> None:
    points, labels = shapes2d(12, 10, n_clusters=(1, 3), random_state=0)
    options = QUICK | {"set_size": None}
    from_labels = L2C(**options).fit_sets(list(zip(points, labels, strict=True)))
    same = [np.where(one[:, None] == one, 1, -1) for one in labels]
    from_pairs = L2C(**options).fit_sets(list(zip(points, same, strict=True)))
    assert from_pairs.loss_ == from_labels.loss_
    assert np.array_equal(
        from_pairs.predict_count_proba(points[0]), from_labels.predict_count_proba(points[0])
    )


def test_sets_of_different_size_and_with_unknown_pairs() -> None:
    points, labels = shapes2d(6, 10, n_clusters=(1, 3), random_state=0)
    sets: list[Any] = [
        (points[0][:6], labels[0][:6]),
        (points[1], np.where(labels[1] == 0, -1, labels[1] + 1)),
    ]
    same = np.zeros((10, 10), dtype=int)
    same[0, 1] = same[1, 0] = 1
    model = L2C(**QUICK).fit_sets([*sets, (points[2], same)])
    assert np.isfinite(model.loss_)


@pytest.mark.parametrize("distance", ["implicit", "full"])
def test_the_paper_s_stack(distance: Any) -> None:
    X, y = groups()
    model = L2C(**QUICK, network="lstm", distance=distance, preset="paper").fit(X, y)
    assert "pair" not in model.history_[-1]
    assert model.predict(X[:8]).shape == (8,)


def test_images_go_through_the_paper_s_cnn() -> None:
    images = np.random.default_rng(0).integers(256, size=(30, 16, 16), dtype=np.uint8)
    model = L2C(**QUICK).fit(images, np.repeat(np.arange(3), 10))
    assert model.transform(images[:4]).shape == (4, 256)
    assert model.predict(images[:9]).shape == (9,)


@pytest.mark.parametrize("network", ["attention", "lstm"])
def test_steps_of_lower_precision_train_float32_weights(network: Any) -> None:
    images = np.random.default_rng(0).integers(256, size=(30, 16, 16), dtype=np.uint8)
    y = np.repeat(np.arange(3), 10)
    low = L2C(**QUICK, network=network, precision=fast_precision()).fit(images, y)
    full = L2C(**QUICK, network=network).fit(images, y)
    assert all(value.dtype != torch.bfloat16 for value in low.network_.state_dict().values())
    assert low.loss_ == pytest.approx(full.loss_, rel=0.1)
    assert (low.loss_ != full.loss_) == has_bfloat16()


def test_saving_and_loading(fitted: L2C, tmp_path: Path) -> None:
    coterie.save(fitted, tmp_path / "model")
    loaded = coterie.load(tmp_path / "model")
    X, _ = groups()
    assert isinstance(loaded, L2C)
    assert loaded.get_params() == fitted.get_params()
    assert np.array_equal(loaded.predict_proba(X), fitted.predict_proba(X))


def test_a_shipped_model_clusters(shipped: L2C) -> None:
    points, labels = blobs(72)
    assert shipped.predict_count_proba(points).argmax() + 1 == 3
    assert nmi(labels, shipped.predict(points)) == 1.0


def test_a_shipped_model_beats_k_means_on_its_shapes() -> None:
    points, labels = shapes2d(60, 72, random_state=99)
    model = L2C.from_pretrained("points2d")
    found = []
    for one, codes in zip(points, labels, strict=True):
        count_proba, assignments = model.predict_all(one)
        found.append(nmi(codes, assignments[count_proba.argmax()].argmax(axis=1), average="geometric"))
    assert np.mean(found) > 0.95  # k-means told the true k: 0.80


def test_order_place_and_scale_change_nothing(shipped: L2C) -> None:
    points, _ = shapes2d(1, 72, n_clusters=(3, 3), random_state=4)
    plain = shipped.predict_all(points[0])[0]
    order = np.random.default_rng(0).permutation(72)
    np.testing.assert_allclose(shipped.predict_all(points[0][order])[0], plain, atol=1e-3)
    np.testing.assert_allclose(shipped.predict_all(30 * points[0] + 5)[0], plain, atol=1e-3)


def test_another_order_of_the_points_changes_nmi_by_little(shipped: L2C) -> None:
    points, labels = shapes2d(10, 72, random_state=6)
    order = np.random.default_rng(1).permutation(72)
    for one, y in zip(points, labels, strict=True):
        plain, turned = nmi(y, shipped.predict(one)), nmi(y[order], shipped.predict(one[order]))
        assert abs(plain - turned) < 0.02


def test_sets_that_are_embedded_keep_their_scale() -> None:
    images = np.random.default_rng(0).integers(256, size=(30, 16, 16), dtype=np.uint8)
    y = np.repeat(np.arange(3), 10)
    assert not L2C(**QUICK).fit(images, y).network_.clusterer.rescale
    assert L2C(**QUICK, rescale=True).fit(images, y).network_.clusterer.rescale
    X, groups_of = groups()
    kept = L2C(**QUICK, rescale=False).fit(X, groups_of)
    assert not np.allclose(kept.predict_count_proba(X[:9]), kept.predict_count_proba(30 * X[:9]), atol=1e-3)


def test_the_set_network_can_be_smaller() -> None:
    X, groups_of = groups()
    assert len(L2C(**QUICK).fit(X, groups_of).network_.clusterer.layers) == 6
    assert len(L2C(**QUICK, size="small").fit(X, groups_of).network_.clusterer.layers) == 2


def test_large_sets_are_merged() -> None:
    points, labels = blobs(900)
    model = L2C.from_pretrained("points2d").set_params(max_set_size=400)
    count_proba, assignments = model.predict_all(points)
    assert count_proba.argmax() + 1 == 3
    assert nmi(labels, assignments[2].argmax(axis=1)) > 0.99


def test_two_items_are_at_most_two_clusters(shipped: L2C) -> None:
    count_proba = shipped.predict_count_proba([[0.0, 0.0], [1.0, 1.0]])
    assert count_proba[2:].sum() == 0
    assert count_proba.sum() == pytest.approx(1)


def test_equal_items_are_one_cluster_with_a_warning(shipped: L2C) -> None:
    with pytest.warns(UserWarning, match="all samples are equal"):
        assert set(shipped.predict(np.ones((10, 2)))) == {0}


def test_a_warning_where_there_may_be_more_clusters() -> None:
    points, _ = blobs(72, k=8)
    with pytest.warns(UserWarning, match="max_clusters: 5 clusters are the most probable number"):
        L2C.from_pretrained("points2d").predict(points)


@pytest.mark.parametrize("shipped", ["points2d", "points2d-10"], indirect=True)
def test_bad_sets(shipped: L2C) -> None:
    with pytest.raises(InputError, match="n_samples=1 must be >= 2"):
        shipped.predict([[0.0, 0.0]])
    with pytest.raises(InputError, match="X has 3 features, but L2C is expecting 2"):
        shipped.predict(np.zeros((4, 3)))
    with pytest.raises(InputError, match="NaN"):
        shipped.predict([[0.0, 0.0], [np.nan, 1.0]])
    with pytest.raises(InputError, match="X"):
        shipped.predict(np.empty((0, 2)))


def test_bad_fits() -> None:
    X, y = groups()
    with pytest.raises(InputError, match="requires y to be passed, but the target y is None"):
        L2C(**QUICK).fit(X)
    with pytest.raises(InputError, match="y must have one label per row of X, n_samples=60, got 59"):
        L2C(**QUICK).fit(X, y[:59])
    with pytest.raises(InputError, match="the number of samples in 1 groups of y"):
        L2C(**QUICK | {"max_clusters": 1, "set_size": 30}).fit(X, y)
    with pytest.raises(InputTypeError, match="max_clusters"):
        L2C(**QUICK | {"max_clusters": 2.5}).fit(X, y)
    for name, wrong in {
        "network": "gru",
        "weight": -1.0,
        "size": "huge",
        "rescale": "own",
        "precision": "half",
    }.items():
        with pytest.raises(InputError, match=f"^{name}"):
            L2C(**QUICK | {name: wrong}).fit(X, y)
    with pytest.raises(NotFittedError):
        L2C().predict(X)


def test_sets_of_small_groups_are_smaller_with_a_warning() -> None:
    X, y = groups()
    smaller: dict[str, Any] = {"max_steps": 2, "max_clusters": 3, "size": "small", "random_state": 0}
    with pytest.warns(UserWarning, match="set_size=None uses sets of 10 samples: .* hold fewer than 72"):
        warned = L2C(**smaller).fit(X, y)
    asked = L2C(**smaller, set_size=10).fit(X, y)
    assert warned.loss_ == asked.loss_
    with pytest.raises(InputError, match="set_size=72 must be <= the number of samples in 3 groups of y"):
        L2C(network="lstm", distance="euclidean", max_clusters=3, max_steps=2).fit(X, y)


def test_bad_given_sets() -> None:
    points = np.random.default_rng(0).normal(size=(6, 2))
    codes = np.array([0, 0, 1, 1, 2, 2])
    cases: list[tuple[Any, str]] = [
        ([], "at least one"),
        ([(points[:1], codes[:1])], r"sets\[0\] must hold at least 2 samples, got shape \(1, 2\)"),
        (
            [(points, codes), (points, codes[:5])],
            r"sets\[1\] must have one label per sample, got 5 for 6",
        ),
        ([(points, np.arange(6))], r"sets\[0\] must have at most max_clusters=3 groups, got 6"),
        (
            [(points, np.full((6, 6), 2))],
            r"sets\[0\]: the matrix must be symmetric, of 1, -1 and 0, got shape \(6, 6\)",
        ),
        ([(points, codes), (points[:, :1], codes)], "must hold samples of one shape"),
    ]
    for sets, message in cases:
        with pytest.raises(InputError, match=message):
            L2C(**QUICK).fit_sets(sets)
    with pytest.raises(InputError, match="at least two sets of each size"):
        L2C(**QUICK, network="lstm").fit_sets([(points, codes)])
    with pytest.raises(InputTypeError, match=r"sets\[0\] must be a tuple \(X, known\), got float"):
        L2C(**QUICK).fit_sets([1.0])  # type: ignore[list-item]
    with pytest.raises(InputError, match="NaN"):
        L2C(**QUICK).fit_sets([(np.where(points > 0, np.nan, points), codes)])


def test_names_of_shipped_models() -> None:
    with pytest.raises(InputError, match=r"name must be .* or 'tables', got 'points3d'"):
        L2C.from_pretrained("points3d")


def test_the_caller_s_random_numbers_are_left_alone(shipped: L2C) -> None:
    before = torch.get_rng_state()
    shipped.set_params(max_set_size=400).predict(blobs(500)[0])
    shipped.set_params(max_set_size=1500)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("n", [72, 500])
def test_neither_position_nor_scale_counts(shipped: L2C, n: int) -> None:
    model = copy.copy(shipped).set_params(max_set_size=400)  # of 500 points subsets are merged
    points = shapes2d(1, n, random_state=2)[0][0].astype(np.float64)
    expected, parts = model.predict_all(points)
    labels = parts[expected.argmax()].argmax(axis=1)
    np.testing.assert_array_equal(model.predict(points), labels)
    changes = [
        (1e40, [3e44, -2e45]),
        (1.0, [5e5, 5.2e6]),
        (1e-3, [0.0, 0.0]),
        (1e-3, [5.0, -700.0]),
        (1e-30, [0.0, 0.0]),
        (1e300, [0.0, 0.0]),
    ]
    for factor, offset in changes if n == 72 else changes[:2]:  # before it is parted, a set is at unit scale
        count_proba, parts = model.predict_all(points * factor + offset)
        np.testing.assert_allclose(count_proba, expected, atol=1e-3)
        np.testing.assert_array_equal(parts[expected.argmax()].argmax(axis=1), labels)


def test_what_differs_by_rounding_alone_is_one_point() -> None:
    values = np.full((20, 2), 5e6)
    values[::2] *= 1 + 1e-15
    assert not at_unit_scale(values).any()
    assert not at_unit_scale(np.zeros((5, 2))).any()


def test_a_learned_embedding_is_rescaled_too() -> None:
    X, y = groups()
    model = L2C(**QUICK, backbone="mlp", rescale=True).fit(X, y)
    assert np.isfinite(model.predict_proba(X)).all()


def test_values_beyond_float32_are_an_error() -> None:
    model = L2C.from_pretrained("points2d")
    with torch.no_grad():
        next(model.network_.clusterer.parameters()).fill_(3e38)
    with pytest.raises(InputError, match="X must be on the scale of the sets in fit"):
        model.predict(np.random.default_rng(0).normal(size=(30, 2)))
