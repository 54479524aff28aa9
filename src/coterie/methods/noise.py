"""Noise: rows that lie far more sparsely than the cluster they were given to."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn.neighbors import NearestNeighbors

NEIGHBOR = 8  # the distance to this neighbour says how densely rows lie around a row
LEAST_RATIO = 2.5  # both numbers were chosen on the synthetic prior and the 37 development sets
LEAST_DEVIATIONS = 3.5
_NORMAL = 1.4826  # standard deviation of a normal law over its median absolute deviation

Numbers = npt.NDArray[np.floating]


def find_noise(
    points: Numbers, labels: npt.NDArray[np.int64], max_reference: int, seed: int = 0
) -> npt.NDArray[np.bool_]:
    """Mark the rows whose neighbourhood is far sparser than is usual in their cluster.

    A row is noise if the distance to its 8th neighbour is more than 2.5 times the median of these distances
    in its cluster, and if the logarithm of this ratio is more than 3.5 robust standard deviations (1.4826
    times the median absolute deviation of the logarithms). Rows with eight or more equals are never noise and
    do not count in either median, so neither does a cluster of equal rows make all others noise.

    Parameters
    ----------
    points : float array of shape (n, d)
    labels : int64 array of shape (n,)
        Clusters of the rows.
    max_reference : int
        In larger tables, neighbours are looked for among so many random rows.
    seed : int
        Of these rows.

    Returns
    -------
    bool array of shape (n,)

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> points = np.concatenate([rng.uniform(size=(50, 2)), [[9.0, 9.0]]])
    >>> np.flatnonzero(find_noise(points, np.zeros(51, dtype=np.int64), 1000)).tolist()
    [50]
    """
    reach = _reach(points, max_reference, seed)
    noise = np.zeros(len(points), dtype=bool)
    for cluster in np.unique(labels):
        rows = np.flatnonzero((labels == cluster) & (reach > 0))
        if len(rows):
            logs = np.log(reach[rows])
            above = logs - np.median(logs)
            deviation = _NORMAL * np.median(np.abs(above))
            noise[rows] = (above > np.log(LEAST_RATIO)) & (above > LEAST_DEVIATIONS * deviation)
    return noise


def _reach(points: Numbers, max_reference: int, seed: int) -> npt.NDArray[np.float64]:
    """Distance (n,) of each row to its 8th neighbour other than itself; to the farthest of fewer."""
    n = len(points)
    reference = np.random.default_rng(seed).permutation(n)[:max_reference]
    found = NearestNeighbors(algorithm="brute").fit(points[reference])
    distances, _ = found.kneighbors(points, min(NEIGHBOR + 1, len(reference)))
    # a row of the reference is its own nearest neighbour
    last = np.full(n, min(NEIGHBOR, len(reference)) - 1)
    last[reference] = distances.shape[1] - 1
    return np.asarray(distances[np.arange(n), last], dtype=np.float64)
