"""Graphs of nearest neighbors of points, and what a random walk on them sees."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sparse
from scipy.linalg import eigh
from scipy.sparse.linalg import eigsh
from sklearn.neighbors import NearestNeighbors

Points = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
# a sparse symmetric matrix of weights (n, n)
Graph = Any

# Weight of an edge whose ends share no neighbor: it keeps samples from falling out of the graph.
LEAST_SHARED = 1e-3
# The neighbor whose distance is a sample's own scale.
SCALE_NEIGHBOR = 7
# Steps of the walk: the shares of later eigenvectors shrink with it.
STEPS = 4
# From a share 1 / DENSE of all eigenvectors on, dense algebra is faster: 200 of 3,000 take 3 s, not 23 s.
DENSE = 20
# Away from 0, which is an eigenvalue, so that the system can be solved.
SHIFT = -1e-3
_TINY = 1e-12


def neighbor_graph(points: Points, n_neighbors: int) -> Graph:
    """Weight 1 between points (n, d) of which one is among the nearest of the other."""
    directed = _directed(points, n_neighbors, "connectivity")
    return directed.maximum(directed.T).tocsr()


def shared_graph(points: Points, n_neighbors: int) -> Graph:
    """Edges of `neighbor_graph`, weighted by how many nearest neighbors both ends share."""
    directed = _directed(points, n_neighbors, "connectivity")
    edges = directed.maximum(directed.T)
    return ((directed @ directed.T).multiply(edges) + LEAST_SHARED * edges).tocsr()


def self_tuned_graph(points: Points, n_neighbors: int) -> Graph:
    """Edges weighted by a Gaussian of their length, on the scales of both ends.

    Zelnik-Manor and Perona, "Self-tuning spectral clustering", NIPS 2004, equation 2.
    """
    lengths = _directed(points, n_neighbors, "distance").tocoo()
    each = lengths.data.reshape(len(points), -1)
    scales = np.sort(each, axis=1)[:, :SCALE_NEIGHBOR].max(axis=1) + _TINY
    weights = np.exp(-(lengths.data**2) / (scales[lengths.row] * scales[lengths.col]))
    directed = sparse.csr_matrix((weights, (lengths.row, lengths.col)), shape=lengths.shape)
    return directed.maximum(directed.T).tocsr()


def _directed(points: Points, n_neighbors: int, mode: str) -> Graph:
    """A row for each point, with its nearest neighbors."""
    n_neighbors = min(n_neighbors, len(points) - 1)
    return NearestNeighbors(n_neighbors=n_neighbors).fit(points).kneighbors_graph(mode=mode)


def diffusion_map(graph: Graph, n_vectors: int, seed: int) -> Points:
    """Where a walk on the graph is after `STEPS` steps, as rows of length 1.

    Coifman and Lafon, "Diffusion maps", 2006: eigenvectors of the normalised graph, each times a power of its
    eigenvalue; rows are scaled to length 1 as in spectral clustering.

    Parameters
    ----------
    graph : sparse array of shape (n, n)
    n_vectors : int
        At most n are taken.
    seed : int

    Returns
    -------
    float32 array of shape (n, min(n_vectors, n))

    Examples
    --------
    >>> points = np.array([[0.0], [1], [2], [10], [11], [12]], dtype=np.float32)
    >>> found = diffusion_map(neighbor_graph(points, 2), 2, 0)
    >>> np.abs(found @ found.T).round().astype(int).tolist()[0]
    [1, 1, 1, 0, 0, 0]
    """
    n = graph.shape[0]
    n_vectors = min(n_vectors, n)
    scale = sparse.diags(1 / np.sqrt(np.maximum(np.asarray(graph.sum(axis=1)).ravel(), _TINY)))
    laplacian = (sparse.identity(n) - scale @ graph @ scale).tocsc()
    if DENSE * n_vectors >= n:
        dense = laplacian.toarray().astype(np.float32)
        gaps, vectors = eigh(dense, subset_by_index=[0, n_vectors - 1], overwrite_a=True)
    else:
        begin = np.random.default_rng(seed).uniform(-1, 1, n)
        gaps, vectors = eigsh(laplacian, k=n_vectors, sigma=SHIFT, which="LM", v0=begin)
    coordinates = vectors * np.clip(1 - gaps, 0, 1) ** STEPS
    lengths = np.linalg.norm(coordinates, axis=1, keepdims=True)
    found: Points = (coordinates / np.maximum(lengths, _TINY)).astype(np.float32)
    return found
