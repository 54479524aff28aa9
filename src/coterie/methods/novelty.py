"""New samples beside a clustering: those that fit nowhere form new clusters, and no cluster is renumbered."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.stats import binom
from sklearn.neighbors import NearestNeighbors

# nearest samples that say whether a sample is among new ones, and how many of these tie a new cluster
AROUND, TIED = 15, 5
# share of new ones among them from which a sample is strange, where chance would bring as many this rarely
_CROWDED, _CHANCE = 0.9, 1e-3
# how often samples join the new cluster that most of their nearest samples are in
_ROUNDS = 3
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
        For samples of clusters that this update makes, the share of their nearest samples that are in it; 1
        for others.
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

    A sample is strange if 14 of its 15 nearest samples, known and new, are new, where chance would hardly
    bring as many; or if its third nearest known sample is farther away than it is for 95% of the samples of
    that cluster, and than its third nearest new one. Strange samples that are each other's near neighbors
    form a new cluster, and samples with most of their nearest ones in it join it. All others keep the cluster
    that is predicted, or join the cluster of an earlier update that is nearest.

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
    # new samples are numbered from 0, known ones are below it
    around = _around(known.points, points) - len(known.points)
    strange = _is_crowded(around, len(known.points))
    if len(points) > NEIGHBORS:
        far = reach > known.limits(n_clusters)[owners]
        strange |= far & (_reach(points) < reach)
    labels = _groups(around, strange, min_size)
    new = labels >= 0
    in_the_same = (_labels_around(labels, around) == labels[:, None]).mean(axis=1)
    strength = np.where(new, in_the_same, 1.0)
    clusters[new] = n_clusters + labels[new]
    return Placed(clusters, strength, n_clusters + int(labels.max(initial=-1)) + 1)


def _around(known: Floats, points: Floats) -> Ints:
    """The nearest samples (m, 15) of each new one: known ones from 0, then the new ones."""
    both = np.concatenate([known, points])
    found = NearestNeighbors(algorithm="brute").fit(both)
    rows = found.kneighbors(points, min(AROUND + 1, len(both)), return_distance=False)
    itself = rows == len(known) + np.arange(len(points))[:, None]
    # of equal samples, another one may come first
    itself[~itself.any(axis=1), -1] = True
    others: Ints = rows[~itself].reshape(len(points), -1).astype(np.int64)
    return others


def _is_crowded(around: Ints, n_known: int) -> npt.NDArray[np.bool_]:
    """Whether far more of the nearest samples are new than would be by chance."""
    n_new, n_around = (around >= 0).sum(axis=1), around.shape[1]
    by_chance = binom.sf(n_new - 1, n_around, len(around) / (n_known + len(around)))
    return np.asarray((n_new >= _CROWDED * n_around) & (by_chance < _CHANCE))


def _groups(around: Ints, strange: npt.NDArray[np.bool_], min_size: int) -> Ints:
    """New clusters (m,) from 0, -1 for samples of none; of `around`, new samples are numbered from 0."""
    edges = [(row, other) for row in np.flatnonzero(strange) for other in _strange_ones(around[row], strange)]
    labels = np.full(len(around), -1, dtype=np.int64)
    if not edges:
        return labels
    ones, others = np.array(edges).T
    graph = coo_array((np.ones(len(ones)), (ones, others)), shape=(len(around),) * 2).tocsr()
    _, parts = connected_components(graph.minimum(graph.T), directed=False)
    large = np.flatnonzero(np.bincount(parts, weights=strange) >= min_size)
    for number, part in enumerate(large):
        labels[(parts == part) & strange] = number
    for _ in range(_ROUNDS if len(large) else 0):
        votes = (_labels_around(labels, around)[:, :, None] == np.arange(len(large))).sum(axis=1)
        joins = (labels < 0) & (votes.max(axis=1) > around.shape[1] / 2)
        labels[joins] = votes.argmax(axis=1)[joins]
    return labels


def _strange_ones(rows: Ints, strange: npt.NDArray[np.bool_]) -> Ints:
    """The first few of these rows that are new and strange."""
    new = rows[rows >= 0]
    return new[strange[new]][:TIED]


def _labels_around(labels: Ints, around: Ints) -> Ints:
    """Labels (m, 15) of the nearest samples; -1 for known ones."""
    found: Ints = np.where(around >= 0, labels[np.maximum(around, 0)], -1)
    return found


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
