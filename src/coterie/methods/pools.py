"""The samples that can be asked about: all of them, or as many as can be looked at after each answer."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sparse
from sklearn.neighbors import NearestNeighbors

from coterie.methods.feature_starts import reduce_features
from coterie.methods.neighbor_graphs import self_tuned_graph
from coterie.methods.walks import Graph

MOST_ROWS = 20_000
NEIGHBORS = 7

Floats = npt.NDArray[Any]


class Pool:
    """Rows drawn from the data.

    Parameters
    ----------
    probabilities : array of shape (n, k)
    points : array of shape (n, ...)

    Attributes
    ----------
    n : int
    rows : int64 array of shape (m,)
        At most 20,000 of the n rows, in order.
    probabilities, points : arrays of shape (m, ...)
        Of these rows.
    """

    def __init__(self, probabilities: Floats, points: Floats) -> None:
        self.n = len(probabilities)
        self.rows = drawn_rows(self.n)
        self._all_points = points.reshape(self.n, -1)
        self.probabilities, self.points = probabilities[self.rows], self._all_points[self.rows]

    def nearest(self) -> npt.NDArray[np.int64]:
        """For each of the n rows, the nearest of the pool; its own place where it is of the pool."""
        found = NearestNeighbors(n_neighbors=1).fit(self.points)
        near: npt.NDArray[np.int64] = found.kneighbors(self._all_points, return_distance=False)[:, 0]
        near[self.rows] = np.arange(len(self.rows))
        return near


def drawn_rows(n: int, wanted: npt.NDArray[np.int64] | None = None) -> npt.NDArray[np.int64]:
    """At most 20,000 of n rows, in order; those wanted before all others.

    Examples
    --------
    >>> drawn_rows(3).tolist()
    [0, 1, 2]
    """
    drawn = np.random.default_rng(0).permutation(n)
    if wanted is not None:
        drawn = np.concatenate([np.unique(wanted), drawn[~np.isin(drawn, wanted)]])
    return np.sort(drawn[:MOST_ROWS]).astype(np.int64)


def near_samples(points: Floats) -> Graph:
    """Weights (n, n) between points (n, ...) and their nearest ones, as `Walk` takes them."""
    if len(points) < 2:
        return sparse.csr_matrix((len(points), len(points)), dtype=np.float32)
    flat = np.asarray(points, dtype=np.float32).reshape(len(points), -1)
    return self_tuned_graph(reduce_features(flat, 0), NEIGHBORS)
