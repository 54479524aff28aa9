"""COP-k-means keeps all pairs or says that it cannot; PCK-means weighs them."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.constrained import NoClusteringError, cop_means, pck_means
from benchmarks.mpck_means import EXACT_ROWS, furthest_two
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist
from sklearn.cluster import KMeans

from coterie import Pairs, metrics


def broken(labels: np.ndarray[tuple[int], np.dtype[np.int64]], pairs: Pairs) -> int:
    return int(((labels[pairs.i] == labels[pairs.j]) != (pairs.same == 1)).sum())


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), n_pairs=st.integers(1, 60))
def test_cop_means_breaks_no_pair_or_finds_nothing(seed: int, n_pairs: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, 20)
    points, pairs = rng.normal(size=(20, 2)), Pairs.from_labels(truth, n_pairs, random_state=seed)
    try:
        found = cop_means(points, pairs, 3, seed)
    except NoClusteringError:
        return
    assert broken(found, pairs) == 0
    assert found.max() < 3


def test_cop_means_follows_chains_and_stops_where_nothing_fits() -> None:
    points = np.arange(6.0)[:, None]
    found = cop_means(points, Pairs([0, 1, 0], [3, 3, 4], [1, 1, -1]), 2, seed=0)
    assert found[0] == found[1] == found[3] != found[4]
    with pytest.raises(NoClusteringError, match="out of all 2 clusters"):
        cop_means(points, Pairs([0, 1, 0], [1, 2, 2], [-1, -1, -1]), 2, seed=0)


def test_cop_means_without_pairs_is_kmeans() -> None:
    truth = np.repeat([0, 1, 2], 15)
    points = np.random.default_rng(0).normal(size=(45, 2)) + 20 * truth[:, None]
    found = cop_means(points, Pairs([0], [1], [1]), 3, seed=0)
    assert metrics.clustering_accuracy(truth, found) == 1


def test_pck_means_pays_what_its_weight_says() -> None:
    """A point at 1, with clusters at 0 and 10, goes to the further one if its pair costs more."""
    points = np.array([[0.0], [0.0], [0.0], [1.0], [10.0], [10.0], [10.0]])
    pairs = Pairs([3], [4], [1])
    near = pck_means(points, pairs, 2, weight=0.01, seed=0)
    far = pck_means(points, pairs, 2, weight=100.0, seed=0)
    assert near[3] == near[0] != near[4]
    assert broken(far, pairs) == 0


def test_pck_means_with_pairs_beats_kmeans() -> None:
    rng = np.random.default_rng(0)
    truth = np.repeat(np.arange(6), 20)
    points = rng.normal(size=(6, 8))[truth] + rng.normal(size=(120, 8)) * np.linspace(0.1, 2, 8)
    pairs = Pairs.from_labels(truth, 2_000, random_state=0)
    alone = KMeans(6, n_init=10, random_state=0).fit_predict(points)
    found = pck_means(points, pairs, 6, weight=1.0, seed=0)
    assert metrics.clustering_accuracy(truth, found) > metrics.clustering_accuracy(truth, alone) + 0.1
    np.testing.assert_array_equal(found, pck_means(points, pairs, 6, weight=1.0, seed=0))


@pytest.mark.parametrize("seed", range(5))
def test_two_far_points_of_many(seed: int) -> None:
    points = np.random.default_rng(seed).normal(size=(EXACT_ROWS + 50, 3))
    i, j = furthest_two(points)
    diameter = pdist(points).max()
    assert 0.5 * diameter <= np.linalg.norm(points[i] - points[j]) <= diameter + 1e-9
    few = points[:100]
    i, j = furthest_two(few)
    assert np.linalg.norm(few[i] - few[j]) == pytest.approx(pdist(few).max())
