"""The metric of ITML: what it is asked for holds, and no more is changed than that takes."""

from __future__ import annotations

from typing import Any

import numpy as np
from benchmarks.itml import _bounds, itml
from numpy.random import default_rng
from scipy.spatial.distance import pdist
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from coterie import Pairs


def noisy() -> tuple[Any, Any]:
    """Three classes in two of ten columns, of which the other eight vary more."""
    draws = default_rng(0)
    y = draws.integers(0, 3, 150)
    points = draws.normal(size=(150, 10)) * np.r_[0.3, 0.3, np.full(8, 2.0)]
    points[:, :2] += np.array([[0, 0], [2, 0], [0, 2]])[y]
    return points, y


def test_pairs_bring_out_the_columns_that_count() -> None:
    points, y = noisy()
    found = itml(points, Pairs.from_labels(y, 600, random_state=0), seed=0)
    before, after = (KMeans(3, n_init=10, random_state=0).fit_predict(each) for each in (points, found))
    assert adjusted_rand_score(y, before) < 0.3
    assert adjusted_rand_score(y, after) > 0.9


def test_a_pair_within_its_bound_changes_nothing() -> None:
    points, _ = noisy()
    near, far = _bounds(points, 0)
    squared = np.square(points[:, None] - points).sum(axis=2)
    i, j = np.argwhere((squared > 0) & (squared < near))[0]
    k, m = np.argwhere(squared > far)[0]
    found = itml(points, Pairs([i, k], [j, m], [1, -1]), seed=0)
    np.testing.assert_allclose(pdist(found), pdist(points), rtol=1e-6)


def test_with_a_large_weight_broken_bounds_are_met() -> None:
    points, _ = noisy()
    squared = np.square(points[:, None] - points).sum(axis=2)
    near, _ = _bounds(points, 0)
    i, j = np.argwhere(squared > 4 * near)[0]
    found = itml(points, Pairs([i], [j], [1]), seed=0, slack=1e6)
    np.testing.assert_allclose(np.square(found[i] - found[j]).sum(), near, rtol=1e-3)
