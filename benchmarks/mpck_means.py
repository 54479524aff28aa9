"""MPCK-means: k-means that pays for broken pairs and learns a diagonal metric for each cluster.

Bilenko, Basu and Mooney, "Integrating constraints and metric learning in semi-supervised clustering" (ICML
2004). No library that is kept up has it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans

from coterie import Pairs

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
KMEANS_STARTS = 10
MAX_ROUNDS, MAX_SWEEPS = 20, 5
# Of the scatter's mean over features, added to each feature's: a cluster may be flat in one.
RIDGE = 0.1
# Above so many points the two that are furthest apart are looked for by sweeps, not among all pairs.
EXACT_ROWS, SWEEPS = 1_000, 4


@dataclass
class Clustering:
    """Clusters on their way.

    Attributes
    ----------
    labels : int64 array of shape (n,)
    centres : float64 array of shape (k, d)
    metrics : float64 array of shape (k, d)
        Diagonals of the matrices A_h.
    """

    labels: Codes
    centres: Floats
    metrics: Floats


def mpck_means(points: Floats, pairs: Pairs, n_clusters: int, weight: float, seed: int) -> Codes:
    """Cluster points of which some pairs are said to be similar and others not.

    It starts from k-means and not from the groups that similar pairs connect: wrong pairs connect all.

    Parameters
    ----------
    points : float64 array of shape (n, d)
    pairs : Pairs
    n_clusters : int
    weight : float
        Of a broken pair, beside the distance of a point from its centre.
    seed : int

    Returns
    -------
    int64 array of shape (n,)

    Examples
    --------
    >>> points = np.array([[0.0, 0], [4, 0], [0, 1], [4, 1]])
    >>> mpck_means(points, Pairs([0, 2, 0], [1, 3, 2], [1, 1, -1]), 2, weight=1.0, seed=0).tolist()
    [0, 0, 1, 1]
    """
    start = KMeans(n_clusters, n_init=KMEANS_STARTS, random_state=seed).fit(points)
    found = Clustering(
        start.labels_.astype(np.int64), start.cluster_centers_, np.ones((n_clusters, points.shape[1]))
    )
    rng = np.random.default_rng(seed)
    for _ in range(MAX_ROUNDS):
        if not _assign_all(found, points, pairs, weight, rng):
            break
        _move_centres(found, points)
        _learn_metrics(found, points, pairs, weight)
    return found.labels


def objective(found: Clustering, points: Floats, pairs: Pairs, weight: float) -> float:
    """Equation 5: distances in the clusters' metrics, their log determinants, and the broken pairs."""
    labels, rows = found.labels, np.arange(len(points))
    total = _from_centres(found, points)[rows, labels].sum()
    first, second = labels[pairs.i], labels[pairs.j]
    gaps = (points[pairs.i] - points[pairs.j]) ** 2
    of_first, of_second = (gaps * found.metrics[first]).sum(1), (gaps * found.metrics[second]).sum(1)
    split = (pairs.same == 1) & (first != second)
    joined = (pairs.same == -1) & (first == second)
    furthest = _diameters(found, points)[0]
    return float(
        total
        + weight * (of_first[split] + of_second[split]).sum() / 2
        + weight * (furthest[first] - of_first)[joined].sum()
    )


def _from_centres(found: Clustering, points: Floats) -> Floats:
    """Squared distance of each point from each centre, less the log determinant of the metric: (n, k)."""
    metrics, centres = found.metrics, found.centres
    squares = points**2 @ metrics.T - 2 * points @ (metrics * centres).T + (metrics * centres**2).sum(1)
    offsets: Floats = squares - np.log(metrics).sum(1)
    return offsets


def _diameters(found: Clustering, points: Floats) -> tuple[Floats, Floats]:
    """Largest squared distance of two points in each metric (k,), and its parts by feature (k, d)."""
    parts = np.empty_like(found.metrics)
    for cluster, metric in enumerate(found.metrics):
        i, j = furthest_two(points * np.sqrt(metric))
        parts[cluster] = (points[i] - points[j]) ** 2
    return (parts * found.metrics).sum(1), parts


def furthest_two(points: Floats) -> tuple[int, int]:
    """Two points that are furthest apart; of many points, two that are at least half as far apart.

    Of many, it goes from the point furthest from the mean to the one furthest from that, and so on.
    """
    if len(points) <= EXACT_ROWS:
        apart = cdist(points, points, "sqeuclidean")
        i, j = np.unravel_index(apart.argmax(), apart.shape)
        return int(i), int(j)
    squares = (points**2).sum(1)
    pair = 0, int((squares - 2 * points @ points.mean(0)).argmax())
    for _ in range(SWEEPS):
        pair = pair[1], int((squares - 2 * points @ points[pair[1]]).argmax())
    return pair


def _assign_all(
    found: Clustering, points: Floats, pairs: Pairs, weight: float, rng: np.random.Generator
) -> bool:
    """Put each point, in random order and until none moves, where it costs least; whether one moved."""
    own, furthest = _from_centres(found, points), _diameters(found, points)[0]
    partners = partners_of(pairs, len(points))
    alone = np.array([len(similar) + len(different) == 0 for similar, different in partners])
    moved_at_all = bool((own[alone].argmin(1) != found.labels[alone]).any())
    found.labels[alone] = own[alone].argmin(1)
    for _ in range(MAX_SWEEPS):
        moved = False
        for row in rng.permutation(np.flatnonzero(~alone)):
            cost = own[row] + weight * _broken(found, points, furthest, row, *partners[row])
            best = int(cost.argmin())
            moved |= best != found.labels[row]
            found.labels[row] = best
        moved_at_all |= moved
        if not moved:
            break
    return moved_at_all


def partners_of(pairs: Pairs, n_points: int) -> list[tuple[Codes, Codes]]:
    """Of each point, the points it is said to be similar and not similar to."""
    ends, others = np.concatenate([pairs.i, pairs.j]), np.concatenate([pairs.j, pairs.i])
    order = np.argsort(ends, kind="stable")
    cuts = np.searchsorted(ends[order], np.arange(1, n_points))
    of_point = np.split(others[order], cuts), np.split(np.tile(pairs.same, 2)[order] == 1, cuts)
    return [(other[same], other[~same]) for other, same in zip(*of_point, strict=True)]


def _broken(
    found: Clustering, points: Floats, furthest: Floats, row: int, similar: Codes, different: Codes
) -> Floats:
    """What its pairs would cost the point in each cluster, (k,)."""
    labels, metrics = found.labels, found.metrics
    apart = (points[similar] - points[row]) ** 2 @ metrics.T
    there = apart[np.arange(len(similar)), labels[similar]]
    split = (apart + there[:, None]) / 2
    split[np.arange(len(similar)), labels[similar]] = 0
    cost: Floats = split.sum(0)
    clusters = labels[different]
    near = ((points[different] - points[row]) ** 2 * metrics[clusters]).sum(1)
    np.add.at(cost, clusters, furthest[clusters] - near)
    return cost


def _move_centres(found: Clustering, points: Floats) -> None:
    """Each centre to the mean of its points; that of an empty cluster stays."""
    counts = np.bincount(found.labels, minlength=len(found.centres))
    sums = np.zeros_like(found.centres)
    np.add.at(sums, found.labels, points)
    found.centres = np.where(counts[:, None] > 0, sums / np.maximum(counts, 1)[:, None], found.centres)


def _learn_metrics(found: Clustering, points: Floats, pairs: Pairs, weight: float) -> None:
    """Equation 6 on the diagonal: the number of points by the scatter of points and broken pairs."""
    labels, scatter = found.labels, np.zeros_like(found.metrics)
    np.add.at(scatter, labels, (points - found.centres[labels]) ** 2)
    first, second = labels[pairs.i], labels[pairs.j]
    split = np.flatnonzero((pairs.same == 1) & (first != second))
    joined = np.flatnonzero((pairs.same == -1) & (first == second))
    gaps = (points[pairs.i[split]] - points[pairs.j[split]]) ** 2
    np.add.at(scatter, first[split], weight * gaps / 2)
    np.add.at(scatter, second[split], weight * gaps / 2)
    parts = _diameters(found, points)[1]
    gaps = (points[pairs.i[joined]] - points[pairs.j[joined]]) ** 2
    np.add.at(scatter, first[joined], weight * (parts[first[joined]] - gaps))
    counts = np.bincount(labels, minlength=len(scatter))[:, None]
    # the part of a dissimilar pair may be negative in a feature
    scatter = np.maximum(scatter, 0)
    scatter += RIDGE * np.maximum(scatter.mean(1, keepdims=True), 1e-12)
    found.metrics = np.where(counts > 0, counts / scatter, found.metrics)
