"""A random walk over samples that are near each other and that a model puts into one cluster."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sparse

Floats = npt.NDArray[np.float32]
# a sparse symmetric matrix of weights (n, n)
Graph = Any

# of an edge between two clusters, beside one within a cluster
ACROSS = 0.3
# how likely the walk takes another step, at most
GO_ON = 0.9
# steps and neighbours, of the samples of a usual cluster: longer walks leave small clusters
WITHIN = 0.5
# of the nearest, at least
_FEWEST = 2
# steps of conjugate gradients, and the share of the residual at which they end
_MOST_STEPS, _ENOUGH = 60, 1e-5
_TINY = 1e-12


class Walk:
    """Where a walk from each sample ends.

    It goes on after each step, on average for half as many steps as a usual cluster has samples, 9 at most,
    and to half as many of the nearest samples.

    Zhou, Bousquet, Lal, Weston and Schoelkopf, "Learning with local and global consistency", NIPS 2003: with
    weights W of the edges and degrees D, the walk ends as (1 - a) (I - a D^-1 W)^-1 says.

    Parameters
    ----------
    graph : sparse array of shape (n, n)
        Weights between near samples, as `pools.near_samples` finds them.
    probabilities : array of shape (n, k)
        Rows sum to 1: edges between clusters count less.

    Examples
    --------
    >>> near = sparse.block_diag([np.ones((3, 3)) - np.eye(3)] * 2)
    >>> walk = Walk(near, np.repeat(np.eye(2), 3, axis=0))
    >>> bool(walk.ends(np.ones(6)).round(2).min() == 1)
    True
    >>> (walk.reach(0) > 0).tolist()
    [True, True, True, False, False, False]
    """

    def __init__(self, graph: Graph, probabilities: npt.NDArray[Any]) -> None:
        half = WITHIN * len(probabilities) / max(1, len(np.unique(probabilities.argmax(axis=1))))
        self._go_on = min(GO_ON, half / (1 + half))
        edges = _strongest(graph, max(_FEWEST, int(half))).tocoo()
        same = np.einsum("ij,ij->i", probabilities[edges.row], probabilities[edges.col])
        weights = edges.data * (ACROSS + (1 - ACROSS) * same)
        weighted = sparse.csr_matrix((weights, (edges.row, edges.col)), shape=edges.shape)
        degrees = np.maximum(np.asarray(weighted.sum(axis=1)).ravel(), _TINY)
        self._root = np.sqrt(degrees).astype(np.float32)
        scale = sparse.diags(1 / np.sqrt(degrees))
        self._graph = (scale @ weighted @ scale).tocsr().astype(np.float32)

    def ends(self, values: npt.NDArray[Any]) -> Floats:
        """What a walk from each sample finds at its end, of values (n,) or (n, m)."""
        root = self._root if values.ndim == 1 else self._root[:, None]
        found: Floats = np.maximum(self._solve(values.astype(np.float32) * root) / root, 0)
        return found

    def reach(self, row: int) -> Floats:
        """How likely a walk from each sample ends at a row."""
        one = np.zeros(len(self._root), dtype=np.float32)
        one[row] = 1
        return self.ends(one)

    def visits(self, weights: npt.NDArray[Any]) -> Floats:
        """How much weight ends at each row, of walks from all samples with weights (n,)."""
        found: Floats = np.maximum(self._solve(weights.astype(np.float32) / self._root) * self._root, 0)
        return found

    def _solve(self, right: Floats) -> Floats:
        """(1 - a) (I - a S)^-1 times `right`, by conjugate gradients on all columns at once."""
        found, rest, way = np.zeros_like(right), right.copy(), right.copy()
        size = (rest * rest).sum(axis=0)
        enough = _ENOUGH * size
        for _ in range(_MOST_STEPS):
            if (size <= enough).all():
                break
            moved = way - self._go_on * (self._graph @ way)
            step = size / np.maximum((way * moved).sum(axis=0), _TINY)
            found += step * way
            rest -= step * moved
            before, size = size, (rest * rest).sum(axis=0)
            way = rest + size / np.maximum(before, _TINY) * way
        return np.asarray((1 - self._go_on) * found, dtype=np.float32)


def _strongest(graph: Graph, n: int) -> Graph:
    """The edges that are among the n strongest of either end."""
    rows = sparse.csr_matrix(graph)
    owner = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))
    order = np.lexsort((-rows.data, owner))
    place = np.arange(rows.nnz) - rows.indptr[owner]
    kept = order[place < n]
    strong = sparse.csr_matrix((rows.data[kept], (owner[kept], rows.indices[kept])), shape=rows.shape)
    return strong.maximum(strong.T).tocsr()
