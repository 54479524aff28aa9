"""MPCK-means does what its equations say."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from benchmarks.mpck_means import Clustering, Floats
from sklearn.cluster import KMeans

from benchmarks import mpck_means
from coterie import Pairs, metrics

State = tuple[Clustering, Floats, Pairs]


@pytest.fixture
def state() -> State:
    """Clusters at random, and pairs of both kinds of which many are broken."""
    rng = np.random.default_rng(0)
    points = rng.normal(size=(24, 3))
    pairs = Pairs.from_labels(rng.integers(0, 4, 24), 80, random_state=0)
    found = Clustering(rng.integers(0, 4, 24), rng.normal(size=(4, 3)), rng.uniform(0.5, 2, (4, 3)))
    return found, points, pairs


def test_a_point_costs_what_it_adds_to_the_objective(state: State) -> None:
    found, points, pairs = state
    furthest = mpck_means._diameters(found, points)[0]
    own = mpck_means._from_centres(found, points)
    for row, partners in enumerate(mpck_means.partners_of(pairs, len(points))):
        cost = own[row] + 0.7 * mpck_means._broken(found, points, furthest, row, *partners)
        totals = []
        for cluster in range(4):
            labels = found.labels.copy()
            labels[row] = cluster
            moved = dataclasses.replace(found, labels=labels)
            totals.append(mpck_means.objective(moved, points, pairs, 0.7))
        np.testing.assert_allclose(cost - cost[0], np.array(totals) - totals[0], atol=1e-10)


def test_learnt_metrics_are_those_of_least_objective(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    found, points, pairs = state
    similar = pairs.same == 1
    pairs = Pairs(pairs.i[similar], pairs.j[similar], pairs.same[similar])
    monkeypatch.setattr(mpck_means, "RIDGE", 0.0)
    mpck_means._learn_metrics(found, points, pairs, 0.7)
    least = mpck_means.objective(found, points, pairs, 0.7)
    for cluster in range(4):
        for feature in range(3):
            for factor in (0.99, 1.01):
                changed = found.metrics.copy()
                changed[cluster, feature] *= factor
                other = dataclasses.replace(found, metrics=changed)
                assert mpck_means.objective(other, points, pairs, 0.7) > least


def test_pairs_and_metric_find_what_kmeans_does_not() -> None:
    rng = np.random.default_rng(0)
    truth = np.repeat(np.arange(6), 20)
    points = rng.normal(size=(6, 8))[truth] + rng.normal(size=(120, 8)) * np.linspace(0.1, 2, 8)
    pairs = Pairs.from_labels(truth, 2_000, random_state=0).with_noise(0.02, random_state=0)
    alone = KMeans(6, n_init=10, random_state=0).fit_predict(points)
    found = mpck_means.mpck_means(points, pairs, 6, weight=0.1, seed=0)
    assert metrics.clustering_accuracy(truth, alone) < 0.7
    assert metrics.clustering_accuracy(truth, found) > 0.95
    np.testing.assert_array_equal(found, mpck_means.mpck_means(points, pairs, 6, weight=0.1, seed=0))
