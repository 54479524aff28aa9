"""The generator of 2-D sets: what it promises of every set, and that it is as hard as the paper's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.cluster import DBSCAN, KMeans
from sklearn.preprocessing import StandardScaler

from coterie import InputError, InputTypeError
from coterie.data.shapes2d import shapes2d
from coterie.metrics import nmi


def test_every_set_has_its_clusters() -> None:
    points, labels = shapes2d(200, 72, random_state=0)
    counts = [np.bincount(codes) for codes in labels]
    assert points.shape == (200, 72, 2)
    assert points.dtype == np.float32
    assert all(count.min() >= 2 for count in counts)
    shares = np.bincount([len(count) for count in counts], minlength=6)[1:]
    assert shares.sum() == 200
    assert shares.min() >= 20


def test_points_are_finite_and_lie_about_the_unit_square() -> None:
    points, _ = shapes2d(100, 40, random_state=1)
    assert np.isfinite(points).all()
    assert points.min() > -0.5
    assert points.max() < 1.5


def test_the_order_of_points_tells_nothing() -> None:
    _, labels = shapes2d(300, 72, n_clusters=(2, 2), random_state=2)
    first_half = np.sort(labels[:, :36], axis=1).mean()
    assert first_half == pytest.approx(labels.mean(), abs=0.02)


def test_the_same_seed_gives_the_same_sets() -> None:
    points, labels = shapes2d(3, random_state=5)
    again, same = shapes2d(3, random_state=5)
    assert np.array_equal(again, points)
    assert np.array_equal(same, labels)
    assert not np.array_equal(shapes2d(3, random_state=6)[0], points)


def test_small_sets_of_many_clusters() -> None:
    _, labels = shapes2d(50, 20, n_clusters=(10, 10), random_state=3)
    assert all(np.bincount(codes, minlength=10).min() == 2 for codes in labels)


def test_as_hard_as_the_paper_s() -> None:
    """Bars of the published baselines, on standardised sets as in the released code's script."""
    points, labels = shapes2d(120, 72, random_state=12345)
    by_kmeans, by_dbscan = [], []
    for one, codes in zip(points, labels, strict=True):
        scaled = StandardScaler().fit_transform(one.astype(np.float64))
        found = KMeans(int(codes.max()) + 1, n_init=10, random_state=0).fit_predict(scaled)
        by_kmeans.append(nmi(codes, found, average="geometric"))
        found = DBSCAN(eps=0.3, min_samples=10).fit(scaled).labels_
        by_dbscan.append(nmi(codes, found, average="geometric"))
    assert np.mean(by_kmeans) == pytest.approx(0.80, abs=0.03)
    assert np.mean(by_dbscan) == pytest.approx(0.68, abs=0.05)


def test_bad_input() -> None:
    with pytest.raises(InputError, match="n_sets"):
        shapes2d(0)
    with pytest.raises(InputError, match="n_samples must be an int >= 10, got 9"):
        shapes2d(1, 9)
    with pytest.raises(InputError, match=r"n_clusters\[1\]"):
        shapes2d(1, n_clusters=(3, 2))
    with pytest.raises(InputError, match="n_clusters must be a smallest and a largest number"):
        shapes2d(1, n_clusters=5)  # type: ignore[arg-type]
    with pytest.raises(InputTypeError, match="n_samples"):
        shapes2d(1, 72.0)  # type: ignore[arg-type]
