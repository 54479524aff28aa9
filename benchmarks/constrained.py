"""COP-k-means and PCK-means: k-means that keeps pairs, and k-means that pays for those it breaks.

Wagstaff, Cardie, Rogers and Schroedl, "Constrained k-means clustering with background knowledge" (ICML 2001);
Basu, Banerjee and Mooney, "Active semi-supervision for pairwise constrained clustering" (SDM 2004). Both are
written from their papers: active-semi-supervised-clustering 0.0.1, of 2018, loops over samples in Python.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.cluster import KMeans, kmeans_plusplus

from benchmarks.mpck_means import partners_of
from coterie import Pairs

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
STARTS, MAX_ROUNDS, MAX_SWEEPS = 10, 100, 5


class NoClusteringError(ValueError):
    """COP-k-means met a sample that every cluster refuses, in each of its starts."""


def cop_means(points: Floats, pairs: Pairs, n_clusters: int, seed: int) -> Codes:
    """Cluster points so that no pair is broken.

    Points that similar pairs connect move as one. Each start takes the groups in another random order; the
    start of lowest inertia is kept among those that find a clustering.

    Parameters
    ----------
    points : float64 array of shape (n, d)
    pairs : Pairs
        Without contradictions.
    n_clusters : int
    seed : int

    Returns
    -------
    int64 array of shape (n,)

    Raises
    ------
    NoClusteringError
        None of the starts found a clustering. That does not say that there is none.

    Examples
    --------
    >>> points = np.array([[0.0, 0], [4, 0], [0, 1], [4, 1]])
    >>> labels = cop_means(points, Pairs([0, 0], [1, 2], [1, -1]), 2, seed=0)
    >>> bool(labels[0] == labels[1]), bool(labels[0] != labels[2])
    (True, True)
    """
    groups = connected(pairs, len(points))
    counts = np.bincount(groups)
    means = _means(points, groups, len(counts))
    apart = _groups_apart(groups, pairs)
    rng = np.random.default_rng(seed)
    found = [_cop_start(means, counts, apart, n_clusters, rng) for _ in range(STARTS)]
    kept = [one for one in found if one is not None]
    if not kept:
        raise NoClusteringError(
            f"COP-k-means: each of {STARTS} starts met a sample that its pairs keep out of all {n_clusters} "
            f"clusters"
        )
    best: Codes = min(kept, key=lambda one: one[1])[0][groups]
    return best


def connected(pairs: Pairs, n_points: int) -> Codes:
    """The group of each point: those that chains of similar pairs connect."""
    similar = pairs.same == 1
    ones = np.ones(int(similar.sum()))
    graph = coo_array((ones, (pairs.i[similar], pairs.j[similar])), shape=(n_points, n_points))
    groups: Codes = connected_components(graph, directed=False)[1].astype(np.int64)
    return groups


def _groups_apart(groups: Codes, pairs: Pairs) -> list[Codes]:
    """Of each group, the groups from which a dissimilar pair keeps it."""
    different = pairs.same == -1
    first, second = groups[pairs.i[different]], groups[pairs.j[different]]
    ends, others = np.concatenate([first, second]), np.concatenate([second, first])
    order = np.argsort(ends, kind="stable")
    return np.split(others[order], np.searchsorted(ends[order], np.arange(1, groups.max() + 1)))


def _cop_start(
    means: Floats, counts: Codes, apart: list[Codes], n_clusters: int, rng: np.random.Generator
) -> tuple[Codes, float] | None:
    """Clusters of the groups from one start and their inertia, or None where a group fits nowhere."""
    seed = int(rng.integers(2**31))
    centres = kmeans_plusplus(means, n_clusters, sample_weight=counts.astype(float), random_state=seed)[0]
    order = rng.permutation(len(means))
    for _ in range(MAX_ROUNDS):
        distances = _distances(means, centres)
        found = _cop_assign(distances, apart, order)
        if found is None:
            return None
        labels = found
        moved = _centres(means, counts, labels, centres)
        if np.allclose(moved, centres):
            break
        centres = moved
    return labels, float((counts * distances[np.arange(len(means)), labels]).sum())


def _cop_assign(distances: Floats, apart: list[Codes], order: Codes) -> Codes | None:
    """Each group, in order, to the nearest cluster that holds no group from which it is kept."""
    labels = np.full(len(distances), -1, dtype=np.int64)
    for group in order:
        cost = distances[group].copy()
        taken = labels[apart[group]]
        cost[taken[taken >= 0]] = np.inf
        labels[group] = cost.argmin()
        if np.isinf(cost[labels[group]]):
            return None
    return labels


def pck_means(points: Floats, pairs: Pairs, n_clusters: int, weight: float, seed: int) -> Codes:
    """Cluster points and pay a fixed price for each broken pair.

    It starts from k-means, the best of ten starts, as `mpck_means` does.

    Parameters
    ----------
    points : float64 array of shape (n, d)
    pairs : Pairs
    n_clusters : int
    weight : float
        Price of a broken pair, beside half the squared distance of a point from its centre; in units of the
        mean squared distance of the points from their mean.
    seed : int

    Returns
    -------
    int64 array of shape (n,)

    Examples
    --------
    >>> points = np.array([[0.0, 0], [4, 0], [0, 1], [4, 1]])
    >>> pck_means(points, Pairs([0, 2, 0], [1, 3, 2], [1, 1, -1]), 2, weight=9.0, seed=0).tolist()
    [0, 0, 1, 1]
    """
    start = KMeans(n_clusters, n_init=STARTS, random_state=seed).fit(points)
    labels: Codes = start.labels_.astype(np.int64)
    centres = start.cluster_centers_
    price = weight * ((points - points.mean(0)) ** 2).sum(1).mean()
    partners, rng = partners_of(pairs, len(points)), np.random.default_rng(seed)
    for _ in range(MAX_ROUNDS):
        before = labels.copy()
        _pck_assign(_distances(points, centres) / 2, labels, partners, price, rng)
        centres = _centres(points, np.ones(len(points), dtype=np.int64), labels, centres)
        if np.array_equal(before, labels):
            break
    return labels


def _pck_assign(
    own: Floats,
    labels: Codes,
    partners: list[tuple[Codes, Codes]],
    price: float,
    rng: np.random.Generator,
) -> None:
    """Put each point, in random order and until none moves, where it costs least; changes `labels`."""
    paired = np.array([len(similar) + len(other) > 0 for similar, other in partners])
    labels[~paired] = own[~paired].argmin(1)
    for _ in range(MAX_SWEEPS):
        moved = False
        for row in rng.permutation(np.flatnonzero(paired)):
            similar, different = partners[row]
            broken = np.full(own.shape[1], float(len(similar)))
            np.subtract.at(broken, labels[similar], 1)
            np.add.at(broken, labels[different], 1)
            best = int((own[row] + price * broken).argmin())
            moved |= best != labels[row]
            labels[row] = best
        if not moved:
            break


def _distances(points: Floats, centres: Floats) -> Floats:
    """Squared distance of each point from each centre, (n, k)."""
    squares = (points**2).sum(1)[:, None] - 2 * points @ centres.T + (centres**2).sum(1)
    found: Floats = np.maximum(squares, 0)
    return found


def _centres(points: Floats, counts: Codes, labels: Codes, before: Floats) -> Floats:
    """Weighted mean of each cluster; the centre of an empty one stays."""
    sums, sizes = np.zeros_like(before), np.zeros(len(before))
    np.add.at(sums, labels, counts[:, None] * points)
    np.add.at(sizes, labels, counts)
    return np.where(sizes[:, None] > 0, sums / np.maximum(sizes, 1)[:, None], before)


def _means(points: Floats, groups: Codes, n_groups: int) -> Floats:
    ones = np.ones(len(points), dtype=np.int64)
    return _centres(points, ones, groups, np.zeros((n_groups, points.shape[1])))
