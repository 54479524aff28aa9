"""Noise: rows that lie far more sparsely than the cluster they were given to."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn.neighbors import NearestNeighbors

NEIGHBOR = 8  # the distance to this nearest row, the row itself included, says how densely rows lie
LEAST_RATIO = 2.5  # both numbers were chosen on the synthetic prior and the 37 development sets
LEAST_DEVIATIONS = 3.5
_NORMAL = 1.4826  # standard deviation of a normal law over its median absolute deviation

Numbers = npt.NDArray[np.floating]


def find_noise(
    points: Numbers, labels: npt.NDArray[np.int64], max_reference: int, seed: int = 0
) -> npt.NDArray[np.bool_]:
    """Mark the rows whose neighbourhood is far sparser than is usual in their cluster.

    A row's reach is the distance to its 8th nearest row, itself included. It is noise if its reach is more
    than 2.5 times the median reach of its cluster, and if the logarithm of this ratio is more than 3.5 robust
    standard deviations (1.4826 times the median absolute deviation of the logarithms). Rows with eight or
    more equal ones are never noise and do not count in either median, so a cluster of equal rows does not
    make all others noise.

    Parameters
    ----------
    points : float array of shape (n, d)
    labels : int64 array of shape (n,)
        Clusters of the rows, from 0.
    max_reference : int
        In larger tables, near rows are looked for among so many random rows.
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
    reference = np.random.default_rng(seed).permutation(len(points))[:max_reference]
    reach = row_reach(points, points[reference])
    return reach > reach_limits(reach, labels, int(labels.max()) + 1)[labels]


def row_reach(points: Numbers, reference: Numbers) -> npt.NDArray[np.float64]:
    """Distance (n,) of each row to its 8th nearest row of the reference; to the farthest of fewer."""
    found = NearestNeighbors(algorithm="brute").fit(reference)
    return np.asarray(found.kneighbors(points, min(NEIGHBOR, len(reference)))[0][:, -1], dtype=np.float64)


def reach_limits(
    reach: npt.NDArray[np.float64], labels: npt.NDArray[np.int64], n_clusters: int
) -> npt.NDArray[np.float64]:
    """Reach (n_clusters,) above which a row of each cluster is noise; infinite where no reach is above 0."""
    limits = np.full(n_clusters, np.inf)
    for cluster in range(n_clusters):
        logs = np.log(reach[(labels == cluster) & (reach > 0)])
        if len(logs):
            deviation = _NORMAL * np.median(np.abs(logs - np.median(logs)))
            limits[cluster] = np.exp(np.median(logs) + max(np.log(LEAST_RATIO), LEAST_DEVIATIONS * deviation))
    return limits
