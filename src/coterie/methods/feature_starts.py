"""Clusterings of fixed features to begin with: around centers, by merging, and along neighbor graphs."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import scipy.sparse as sparse
from scipy.linalg import eigh
from sklearn import config_context
from sklearn.cluster import AgglomerativeClustering, KMeans, SpectralClustering
from sklearn.covariance import shrunk_covariance
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.exceptions import ConvergenceWarning
from sklearn.neighbors import NearestNeighbors

from coterie.methods.neighbor_graphs import (
    Graph,
    Ints,
    Points,
    diffusion_map,
    neighbor_graph,
    self_tuned_graph,
    shared_graph,
)

HEADS = ("diffusion", "graph", "ward", "centers")

# Principal components in which distances are taken.
COMPONENTS = 100
# Rows that each part looks at; the others join afterwards. Spectral clustering of more takes minutes.
CENTER_ROWS, GRAPH_ROWS = 20_000, 5_000
GRAPH_NEIGHBORS, LEAST_NEIGHBORS = 10, 2
CENTER_RUNS, MAP_RUNS = 8, 4
_TINY = 1e-10
# Rounds in which a linear discriminant learns a clustering and relabels the points.
ROUNDS, SHRINKAGE = 8, 0.1


def reduce_features(features: Points, seed: int) -> Points:
    """The first principal components (n, at most 100) of features (n, d)."""
    n_components = min(COMPONENTS, *features.shape)
    with np.errstate(invalid="ignore"):  # equal rows have no variance to take shares of
        reduced: Points = PCA(n_components, random_state=seed).fit_transform(features)
    return reduced


def nearest_neighbors(points: Points, n_neighbors: int) -> Ints:
    """Rows of the nearest neighbors of each point (n, d), itself left out: int64 (n, n_neighbors)."""
    if not n_neighbors:
        return np.empty((len(points), 0), dtype=np.int64)
    found: Ints = NearestNeighbors(n_neighbors=n_neighbors).fit(points).kneighbors(return_distance=False)
    return found


def usual_neighbors(n_samples: int, n_clusters: int) -> int:
    """Neighbors of a sample in a graph: half of the samples of a mean cluster, 2 to 10.

    Ten neighbors of a sample of a cluster of five join it to others: of 250 pictures of 50 objects, spectral
    clustering put .96 right by graphs of two neighbors, .63 by those of ten.
    """
    half = n_samples // (2 * n_clusters)
    return min(max(LEAST_NEIGHBORS, min(GRAPH_NEIGHBORS, half)), n_samples - 1)


def starting_clusters(points: Points, n_clusters: int, seed: int) -> Mapping[str, Ints]:
    """Clusterings of points (n, d) from different ideas of what a cluster is.

    Parameters
    ----------
    points : float array of shape (n, d)
    n_clusters : int
    seed : int

    Returns
    -------
    dict of str to int64 array of shape (n,)
        "centers": what runs of k-means agree on. "graph": the same of spectral clusterings of the neighbor
        graph, which follow clusters of any form. "diffusion": the same of k-means on diffusion maps of three
        neighbor graphs, which see clusters within those that the graph separates best. "ward": samples that
        neighbor each other are merged, by Ward's criterion; it keeps small clusters.
    """
    if n_clusters == 1:
        return dict.fromkeys(HEADS, np.zeros(len(points), dtype=np.int64))
    found = {
        "diffusion": _diffused(points, n_clusters, seed),
        "graph": _graph(points, n_clusters, seed),
        "ward": _merged(points, n_clusters, seed),
        "centers": [_centers(points, n_clusters, seed + run) for run in range(CENTER_RUNS)],
    }
    return {
        name: agreed([refine(one, points) for one in labels], n_clusters, seed)
        for name, labels in found.items()
    }


class _ShrunkCovariance:
    """scikit-learn's, without its warning of one sample: filters of warnings are shared by all threads."""

    covariance_: Points

    def fit(self, points: Points) -> None:
        covariance = np.atleast_2d(np.cov(points.T, bias=True))
        self.covariance_ = shrunk_covariance(covariance, SHRINKAGE)


def _centers(points: Points, n_clusters: int, seed: int) -> Ints:
    """One run of k-means."""
    rows = some_rows(len(points), CENTER_ROWS, seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer distinct points than clusters
        model = KMeans(n_clusters, n_init=1, random_state=seed).fit(points[rows])
    labels: Ints = model.predict(points).astype(np.int64)
    return labels


def _graph(points: Points, n_clusters: int, seed: int) -> list[Ints]:
    """Spectral clusterings of the neighbor graph, by both ways to read its eigenvectors."""

    def cluster(chosen: Points) -> list[Ints]:
        graph = neighbor_graph(chosen, usual_neighbors(len(chosen), n_clusters))
        found = []
        for way in ("kmeans", "cluster_qr"):
            model = SpectralClustering(
                n_clusters,
                affinity="precomputed",
                assign_labels=way,
                random_state=seed,
                eigen_solver="arpack",
            )
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "Graph is not fully connected", UserWarning)
                warnings.simplefilter("ignore", ConvergenceWarning)
                found.append(model.fit_predict(graph).astype(np.int64))
        return found

    return _of_some_rows(cluster, points, n_clusters, seed)


def _diffused(points: Points, n_clusters: int, seed: int) -> list[Ints]:
    """Runs of k-means on the diffusion maps of three graphs."""

    def cluster(chosen: Points) -> list[Ints]:
        usual = usual_neighbors(len(chosen), n_clusters)
        more, most = 3 * usual // 2, 2 * usual
        graphs = (shared_graph(chosen, more), neighbor_graph(chosen, more), self_tuned_graph(chosen, most))
        maps = [diffusion_map(graph, 2 * n_clusters, seed) for graph in graphs]
        return [_centers(one, n_clusters, seed + run) for one in maps for run in range(MAP_RUNS)]

    return _of_some_rows(cluster, points, n_clusters, seed)


def _merged(points: Points, n_clusters: int, seed: int) -> list[Ints]:
    """Ward's clusters, made of neighbors alone."""

    def cluster(chosen: Points) -> list[Ints]:
        graph = neighbor_graph(chosen, usual_neighbors(len(chosen), n_clusters))
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "the number of connected components", UserWarning)
            return [AgglomerativeClustering(n_clusters, connectivity=graph).fit_predict(chosen)]

    return _of_some_rows(cluster, points, n_clusters, seed)


def _of_some_rows(
    cluster: Callable[[Points], list[Ints]], points: Points, n_clusters: int, seed: int
) -> list[Ints]:
    """Clusterings of at most `GRAPH_ROWS` points, which the others join by their nearest neighbor."""
    rows = some_rows(len(points), max(GRAPH_ROWS, 2 * n_clusters), seed)
    if len(rows) <= n_clusters + 2:  # too few for as many eigenvectors
        return [_centers(points, n_clusters, seed)]
    found = cluster(points[rows])
    if len(rows) == len(points):
        return found
    nearest = NearestNeighbors(n_neighbors=1).fit(points[rows])
    place = nearest.kneighbors(points, return_distance=False)[:, 0]
    return [labels[place] for labels in found]


def refine(labels: Ints, points: Points, named: Ints | None = None, *, is_sized: bool = False) -> Ints:
    """Let a linear discriminant learn the labels and relabel the points, again and again.

    Points that are named, by other numbers than -1, keep their names. If it `is_sized`, a cluster is as
    likely as it is large, otherwise all are alike likely. It ends early where no label changes. Distances are
    then measured by how much clusters differ in each direction, and no longer alike in all.
    """
    if named is not None:
        labels = np.where(named >= 0, named, labels)
    for _ in range(ROUNDS):
        clusters, sizes = np.unique(labels, return_counts=True)
        if len(clusters) < 2 or len(labels) <= 2 * len(clusters):
            return labels
        likely = sizes / len(labels) if is_sized else np.full(len(clusters), 1 / len(clusters))
        model = LinearDiscriminantAnalysis("lsqr", priors=likely, covariance_estimator=_ShrunkCovariance())
        # the points have been checked; checks of each cluster took more time than the algebra
        with config_context(assume_finite=True, skip_parameter_validation=True):
            relabelled: Ints = model.fit(points, labels).predict(points)
        if named is not None:
            relabelled = np.where(named >= 0, named, relabelled)
        if np.array_equal(relabelled, labels):
            break
        labels = relabelled
    return labels


def agreed(labelings: Sequence[Ints], n_clusters: int, seed: int) -> Ints:
    """What several clusterings (n,) agree on: spectral clustering of the graph of samples and clusters.

    Each sample is joined to its cluster in every clustering; the left singular vectors of the normalised
    incidence matrix are clustered by k-means.
    """
    if len(labelings) == 1:
        return labelings[0]
    vectors = _left_vectors(_incidence(labelings), n_clusters)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = KMeans(n_clusters, n_init=5, random_state=seed)
        labels: Ints = model.fit_predict(vectors / np.maximum(lengths, 1e-12)).astype(np.int64)
    return labels


def _incidence(labelings: Sequence[Ints]) -> Graph:
    """Which cluster of each clustering each sample is in, columns of length 1: sparse (n, m)."""
    rows = np.arange(len(labelings[0]))
    parts = []
    for labels in labelings:
        used, codes, sizes = np.unique(labels, return_inverse=True, return_counts=True)
        values = 1 / np.sqrt(sizes[codes])
        parts.append(sparse.csr_matrix((values, (rows, codes)), shape=(len(rows), len(used))))
    return sparse.hstack(parts).tocsr()


def _left_vectors(matrix: Graph, n_vectors: int) -> Points:
    """The first left singular vectors of a sparse matrix (n, m), from its Gram matrix (m, m)."""
    m = matrix.shape[1]
    first = max(0, m - n_vectors)
    squares, right = eigh((matrix.T @ matrix).toarray(), subset_by_index=[first, m - 1])
    used = squares > _TINY * m
    vectors: Points = (matrix @ (right[:, used] / np.sqrt(squares[used]))).astype(np.float32)
    return vectors


def some_rows(n: int, most: int, seed: int) -> Ints:
    """All rows, or so many of them at random, in their order."""
    if n <= most:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).choice(n, most, replace=False))
