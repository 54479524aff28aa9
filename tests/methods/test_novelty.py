"""New samples beside a clustering: what joins, what forms new clusters, and what stays as it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coterie.methods.novelty import Known, place

Array = npt.NDArray[Any]


def clouds(sizes: list[int], seed: int, first: int = 0) -> tuple[Array, Array]:
    """Normal clouds of these sizes whose centers are 30 apart, numbered from `first`."""
    y = np.repeat(np.arange(len(sizes)) + first, sizes)
    X = (
        np.random.default_rng(seed).normal(size=(len(y), 6))
        + 30 * np.eye(12, 6)[:, :6][y % 6] * (1 + y // 6)[:, None]
    )
    return X.astype(np.float32), y.astype(np.int64)


def known_clouds(seed: int = 0) -> Known:
    return Known(*clouds([60, 40, 50], seed))


def test_samples_of_known_kinds_join_their_clusters() -> None:
    X, y = clouds([20, 20, 20], seed=1)
    placed = place(known_clouds(), X, y, (3, 3))
    assert placed.n_clusters == 3
    assert np.array_equal(placed.clusters, y)
    assert (placed.strength == 1).all()


@pytest.mark.parametrize("seed", range(3))
def test_samples_of_new_kinds_form_new_clusters(seed: int) -> None:
    old, y = clouds([10, 10, 10], seed + 10)
    new, kinds = clouds([12, 15], seed + 20, first=3)
    placed = place(known_clouds(), np.concatenate([old, new]), np.append(y, kinds % 3), (3, 3))
    assert placed.n_clusters == 5
    assert np.array_equal(placed.clusters[:30], y)
    found = placed.clusters[30:]
    assert set(found) <= {0, 1, 2, 3, 4}
    in_new = found >= 3
    assert in_new.mean() > 0.9
    # each new cluster holds one kind
    assert all(len(set(kinds[in_new & (found == one)])) == 1 for one in (3, 4))
    assert ((placed.strength >= 0) & (placed.strength <= 1)).all()


def test_a_few_strange_samples_are_no_cluster() -> None:
    far, _ = clouds([4], seed=2, first=4)
    placed = place(known_clouds(), far, np.zeros(4, dtype=np.int64), (3, 3), min_size=5)
    assert placed.n_clusters == 3
    assert (placed.clusters == 0).all()
    assert place(known_clouds(), np.tile(far, (2, 1)), np.zeros(8, dtype=np.int64), (3, 3)).n_clusters == 4


def test_clusters_of_an_earlier_update_take_more_samples() -> None:
    new, _ = clouds([20], seed=3, first=4)
    first = place(known_clouds(), new, np.zeros(20, dtype=np.int64), (3, 3))
    assert first.n_clusters == 4
    more, _ = clouds([20], seed=4, first=4)
    known = known_clouds().joined(new, first.clusters, 1000)
    again = place(known, more, np.zeros(20, dtype=np.int64), (3, first.n_clusters))
    assert again.n_clusters == 4
    assert (again.clusters == 3).mean() > 0.9


def test_the_same_samples_once_more_change_nothing() -> None:
    new, _ = clouds([20, 20], seed=3, first=3)
    predicted = np.zeros(40, dtype=np.int64)
    first = place(known_clouds(), new, predicted, (3, 3))
    again = place(known_clouds().joined(new, first.clusters, 1000), new, predicted, (3, first.n_clusters))
    assert again.n_clusters == first.n_clusters
    assert np.array_equal(again.clusters, first.clusters)


def test_what_is_kept_is_bounded() -> None:
    new, y = clouds([300], seed=3)
    known = known_clouds().joined(new, y, 100)
    assert len(known.points) == len(known.clusters) == 100


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 30), st.integers(1, 12), st.integers(0, 1000), st.integers(2, 6))
def test_no_number_changes_its_meaning(n_known: int, n_new: int, seed: int, min_size: int) -> None:
    rng = np.random.default_rng(seed)
    known = Known(rng.normal(size=(n_known, 3)).astype(np.float32), rng.integers(0, 4, n_known))
    points, predicted = rng.normal(size=(n_new, 3)).astype(np.float32) * 5, rng.integers(0, 4, n_new)
    placed = place(known, points, predicted, (4, 4), min_size)
    old = placed.clusters < 4
    assert np.array_equal(placed.clusters[old], predicted[old])
    sizes = np.bincount(placed.clusters[~old] - 4, minlength=placed.n_clusters - 4)
    assert len(sizes) == placed.n_clusters - 4
    assert (sizes >= min_size).all()
