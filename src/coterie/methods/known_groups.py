"""Clusters of fixed features that pairs have named: labels spread over the neighbor graph."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.sparse as sparse
import torch
from scipy.sparse.csgraph import connected_components
from torch.nn import functional

from coterie.data import Pairs
from coterie.methods.feature_starts import refine
from coterie.methods.neighbor_graphs import Ints, Points, shared_graph
from coterie.methods.scatter import Scatter, deviations
from coterie.nn.features import WIDE

# Zhou et al., "Learning with local and global consistency", NIPS 2003: what neighbors say, and rounds.
ALPHA, ROUNDS = 0.99, 60
NEIGHBORS = 15
# Share of the variance within clusters that is taken to be alike in all directions. ACC of the others on
# CIFAR-10's tuning images, four draws, from 100 and 300 labels, and on objects 1-50 of COIL-100 from 300:
# .836, .838, .977 in one round; with .1, .3 and .6 .841, .845, .979; .841, .847, .979; .839, .843, .978.
SHRINKAGE = 0.3
# samples of a group that stands for a cluster though it is not known to differ from all others
LEAST_SIZE = 3
# share of the pairs within named clusters from which on the rest is left
MOSTLY = 0.9


def named_groups(pairs: Pairs, n_samples: int, n_clusters: int) -> Ints | None:
    """The cluster of each sample that pairs name, -1 for the others; None if not every cluster is named.

    A group is a set of samples that similar pairs join. The largest ones that are known to be mutually
    different, one for each cluster, name the clusters; else the largest ones, if the next one is less than
    half as large as the smallest of them: nobody asks whether two are alike that clearly differ.

    Examples
    --------
    >>> named_groups(Pairs([0, 1, 2], [1, 2, 3], [1, -1, 1]), 5, 2).tolist()
    [0, 0, 1, 1, -1]
    """
    similar = pairs.same > 0
    joined = sparse.coo_matrix(
        (np.ones(similar.sum()), (pairs.i[similar], pairs.j[similar])), shape=(n_samples, n_samples)
    )
    _, group = connected_components(joined, directed=False)
    one, other = group[pairs.i[~similar]], group[pairs.j[~similar]]
    different = set(zip(one.tolist(), other.tolist(), strict=True))
    different |= {(b, a) for a, b in different}
    sizes = np.bincount(group)
    chosen: list[int] = []
    for candidate in np.argsort(-sizes, kind="stable").tolist():
        if all((candidate, taken) in different for taken in chosen):
            chosen.append(candidate)
        if len(chosen) == n_clusters:
            break
    if len(chosen) < n_clusters:
        chosen = _outstanding(sizes, n_clusters)
    if n_clusters < 2 or not chosen:
        return None
    cluster = np.full(group.max() + 1, -1, dtype=np.int64)
    cluster[chosen] = np.arange(n_clusters)
    named: Ints = cluster[group]
    return named


def _outstanding(sizes: Ints, n_clusters: int) -> list[int]:
    """The largest groups, one for each cluster, if they stand out from all others; else none."""
    order = np.argsort(-sizes, kind="stable")
    largest, rest = order[:n_clusters], order[n_clusters:]
    smallest = sizes[largest].min()
    stands_out = (
        len(largest) == n_clusters and smallest >= LEAST_SIZE and smallest > 2 * sizes[rest].max(initial=0)
    )
    return largest.tolist() if stands_out else []


def are_labels(named: Ints, pairs: Pairs) -> bool:
    """Whether pairs say hardly more than which samples belong to the clusters that they name."""
    inside = (named[pairs.i] >= 0) & (named[pairs.j] >= 0)
    return bool(inside.mean() >= MOSTLY)


def spread_groups(points: Points, named: Ints, n_clusters: int, held: Ints | None = None) -> Ints:
    """Clusters of points (n, d) from those of a few, -1 for the others: int64 (n,).

    Labels spread over the graph of shared neighbors, all clusters with the same mass; then a discriminant
    learns them again and again, while those `held` stay: by default all that are named. With many columns,
    they spread once more over the graph of directions in which these clusters vary alike.
    """
    labels = _spread(points, named, n_clusters, held)
    if points.shape[1] < WIDE:
        return labels
    rows = torch.from_numpy(points)
    alike = Scatter.of(deviations(rows, labels)).whitening(SHRINKAGE).to(rows.dtype)
    return _spread(functional.normalize(rows @ alike).numpy(), named, n_clusters, held)


def _spread(points: Points, named: Ints, n_clusters: int, held: Ints | None) -> Ints:
    """The same over the graph of the points as they are."""
    known = np.flatnonzero(named >= 0)
    begin = np.zeros((len(points), n_clusters))
    begin[known, named[known]] = 1
    begin /= np.maximum(begin.sum(axis=0), 1)
    graph = shared_graph(points, NEIGHBORS)
    scale = sparse.diags(1 / np.sqrt(np.maximum(np.asarray(graph.sum(axis=1)).ravel(), 1e-12)))
    walk = scale @ graph @ scale
    mass: npt.NDArray[np.float64] = begin
    for _ in range(ROUNDS):
        mass = ALPHA * (walk @ mass) + (1 - ALPHA) * begin
    labels: Ints = (mass / np.maximum(mass.sum(axis=0), 1e-12)).argmax(axis=1)
    labels[known] = named[known]
    return refine(labels, points, named if held is None else held)
