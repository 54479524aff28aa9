"""New samples beside a clustering: those that fit nowhere form new clusters, and no cluster is renumbered."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.cluster import HDBSCAN
from sklearn.neighbors import NearestNeighbors

# the distance to so many nearest samples says how near a sample is to others
NEIGHBORS = 3
# share of a cluster's own samples that count as near to it
_NEAR = 0.95
# clusters of fewer samples share one bound
_FEW = 20
_SEED = 0

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Known:
    """Samples whose clusters are known, as points.

    Attributes
    ----------
    points : float32 array of shape (n, e)
    clusters : int64 array of shape (n,)
        From 0; every sample has one.
    """

    points: Floats
    clusters: Ints

    def limits(self, n_clusters: int) -> npt.NDArray[np.float64]:
        """Distance (n_clusters,) to the third nearest sample above which a sample is strange to a cluster.

        95% of a cluster's own samples are nearer; clusters of fewer than 20 samples share one bound.
        """
        own = _reach(self.points)
        limits = np.full(n_clusters, np.quantile(own, _NEAR))
        for cluster in range(n_clusters):
            rows = self.clusters == cluster
            if rows.sum() >= _FEW:
                limits[cluster] = np.quantile(own[rows], _NEAR)
        return limits

    def joined(self, points: Floats, clusters: Ints, most: int) -> Known:
        """These samples and others; at most so many, drawn at random."""
        all_points, all_clusters = np.concatenate([self.points, points]), np.append(self.clusters, clusters)
        kept = np.sort(np.random.default_rng(_SEED).permutation(len(all_clusters))[:most])
        return Known(all_points[kept], all_clusters[kept])


@dataclass(frozen=True)
class Placed:
    """Where new samples belong.

    Attributes
    ----------
    clusters : int64 array of shape (n,)
    strength : float64 array of shape (n,)
        In [0, 1] for samples of clusters that this update makes: how firmly each belongs to its own; 1 for
        others.
    n_clusters : int
        Clusters there are now: the new ones have the highest numbers.
    """

    clusters: Ints
    strength: npt.NDArray[np.float64]
    n_clusters: int


def place(
    known: Known, points: Floats, predicted: Ints, counts: tuple[int, int], min_size: int = 5
) -> Placed:
    """Give new samples their clusters, and make new clusters of samples that fit nowhere.

    A sample is strange if its third nearest known sample is farther away than it is for 95% of the samples
    of that cluster. Strange samples that are nearer to one another than to the known ones are clustered by
    HDBSCAN; those that it leaves over join the nearest new cluster. All others keep the cluster that is
    predicted, or join the cluster of an earlier update that is nearest.

    Parameters
    ----------
    known : Known
    points : float32 array of shape (m, e)
        The new samples.
    predicted : int64 array of shape (m,)
        Clusters that the model predicts for them.
    counts : (int, int)
        Clusters that the model predicts, and all that there are: the rest is of earlier updates.
    min_size : int, default=5
        The fewest samples of a new cluster, at least 2.

    Returns
    -------
    Placed

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> old = rng.normal(size=(100, 2)).astype("float32")
    >>> far = rng.normal(size=(10, 2)).astype("float32") + 50
    >>> known = Known(old, np.zeros(100, dtype=np.int64))
    >>> placed = place(known, np.concatenate([old[:3], far]), np.zeros(13, dtype=np.int64), (1, 1))
    >>> placed.clusters.tolist(), placed.n_clusters
    ([0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1], 2)
    """
    n_predicted, n_clusters = counts
    nearest, reach = _nearest(points, known.points)
    owners = known.clusters[nearest]
    # the model does not know the clusters of earlier updates
    clusters = np.where(owners >= n_predicted, owners, predicted)
    strength = np.ones(len(points))
    strange = np.flatnonzero(reach > known.limits(n_clusters)[owners])
    if len(strange) <= NEIGHBORS:
        return Placed(clusters, strength, n_clusters)
    strange = strange[_reach(points[strange]) < reach[strange]]
    if len(strange) < min_size:
        return Placed(clusters, strength, n_clusters)
    labels, firm = _grouped(points[strange], reach[strange], min_size)
    members = strange[labels >= 0]
    clusters[members], strength[members] = n_clusters + labels[labels >= 0], firm[labels >= 0]
    return Placed(clusters, strength, n_clusters + int(labels.max(initial=-1)) + 1)


def _grouped(
    points: Floats, reach: npt.NDArray[np.float64], min_size: int
) -> tuple[Ints, npt.NDArray[np.float64]]:
    """Groups of strange samples and how firmly each belongs; those left over join the nearest near group."""
    found = HDBSCAN(min_cluster_size=min_size, allow_single_cluster=True, copy=True).fit(points)
    labels, left = found.labels_.astype(np.int64), np.flatnonzero(found.labels_ < 0)
    if len(left) < len(points):
        members = np.flatnonzero(labels >= 0)
        nearest, distance = _nearest(points[left], points[members]) if len(left) else (left, left)
        near = distance < reach[left]
        labels[left[near]] = labels[members[nearest[near]]]
    return labels, found.probabilities_


def _nearest(points: Floats, others: Floats) -> tuple[Ints, npt.NDArray[np.float64]]:
    """The nearest of the others, and the distance to the third nearest."""
    found = NearestNeighbors(algorithm="brute").fit(others)
    distances, rows = found.kneighbors(points, min(NEIGHBORS, len(others)))
    return rows[:, 0], distances[:, -1].astype(np.float64)


def _reach(points: Floats) -> npt.NDArray[np.float64]:
    """Distance of each point to its third nearest other one."""
    found = NearestNeighbors(algorithm="brute").fit(points)
    distances, _ = found.kneighbors(points, min(NEIGHBORS + 1, len(points)))
    return np.asarray(distances[:, -1], dtype=np.float64)
