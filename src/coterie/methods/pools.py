"""The samples that can be asked about: all of them, or as many as can be looked at after each answer."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.neighbors import NearestNeighbors

MOST_ROWS = 20_000

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
        drawn = np.random.default_rng(0).permutation(self.n)[:MOST_ROWS]
        self.rows = np.sort(drawn).astype(np.int64)
        self._all_points = points.reshape(self.n, -1)
        self.probabilities, self.points = probabilities[self.rows], self._all_points[self.rows]

    def nearest(self) -> npt.NDArray[np.int64]:
        """For each of the n rows, the nearest of the pool; its own place where it is of the pool."""
        found = NearestNeighbors(n_neighbors=1).fit(self.points)
        near: npt.NDArray[np.int64] = found.kneighbors(self._all_points, return_distance=False)[:, 0]
        near[self.rows] = np.arange(len(self.rows))
        return near
