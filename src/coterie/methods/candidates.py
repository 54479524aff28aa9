"""Rows that stand for the data, for questions about pairs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from sklearn.cluster import KMeans

from coterie.corrections.questions import Candidates

# rows from which representatives are taken, and representatives: several for each cluster
_MOST_ROWS = 20_000
_PER_CLUSTER = 10
_FEWEST = 60

Floats = npt.NDArray[Any]
Ints = npt.NDArray[np.int64]


class Points(Protocol):
    """An array of points (n, e), or what gives some of its rows."""

    def __getitem__(self, rows: Ints, /) -> Floats: ...


def representatives(probabilities: Floats, points: Points, asked: Sequence[int] = ()) -> Candidates:
    """Rows near the centres of a fine k-means clustering of the points.

    Parameters
    ----------
    probabilities : array of shape (n, k)
    points : Points
        Where neighbor_space means likeness, for each of the n rows.
    asked : sequence of int
        Rows of earlier answers: they stand for nothing themselves, but others are compared with them.
    """
    n, k = probabilities.shape
    drawn = np.random.default_rng(0).choice(n, min(n, _MOST_ROWS), replace=False)
    earlier = np.array(sorted(set(asked)), dtype=np.int64)
    pool = np.concatenate([earlier, np.setdiff1d(drawn, earlier)])
    scaled = _scaled(points[pool])
    m = min(len(pool), max(_FEWEST, _PER_CLUSTER * k))
    cells = KMeans(m, n_init=1, random_state=0).fit(scaled)
    distance = np.linalg.norm(scaled - cells.cluster_centers_[cells.labels_], axis=1)
    order = np.lexsort((distance, cells.labels_))
    _, first = np.unique(cells.labels_[order], return_index=True)
    nearest = order[first]
    weight = np.bincount(cells.labels_)[cells.labels_[nearest]] / len(pool)
    known = np.setdiff1d(np.arange(len(earlier)), nearest)
    chosen = np.concatenate([nearest, known])
    weight = np.concatenate([weight, np.zeros(len(known))])
    return Candidates(pool[chosen], weight, probabilities[pool[chosen]], scaled[chosen])


def _scaled(points: Floats) -> Floats:
    centred = np.asarray(points, dtype=np.float64).reshape(len(points), -1)
    centred = centred - centred.mean(axis=0)
    return np.asarray(centred / max(float(centred.std()), 1e-12))
