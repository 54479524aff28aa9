"""Clusters that pairs have named."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sparse
from scipy.sparse.csgraph import connected_components

from coterie.data import Pairs
from coterie.methods.neighbor_graphs import Ints

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
