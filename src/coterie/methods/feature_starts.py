"""Clusterings of fixed features to begin with: around centers, along the neighbor graph, and by diffusion."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from sklearn import config_context
from sklearn.cluster import KMeans, SpectralClustering
from sklearn.covariance import shrunk_covariance
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.exceptions import ConvergenceWarning
from sklearn.neighbors import NearestNeighbors

from coterie.methods.neighbor_graphs import (
    Ints,
    Points,
    diffusion_map,
    neighbor_graph,
    self_tuned_graph,
    shared_graph,
)

HEADS = ("diffusion", "graph", "centers")

# Principal components in which distances are taken.
COMPONENTS = 100
# Rows that each part looks at; the others join afterwards. Spectral clustering of more takes minutes.
CENTER_ROWS, GRAPH_ROWS = 20_000, 5_000
GRAPH_NEIGHBORS = 10
CENTER_RUNS, MAP_RUNS = 8, 4
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
        neighbor graphs, which see clusters within those that the graph separates best.
    """
    if n_clusters == 1:
        return dict.fromkeys(HEADS, np.zeros(len(points), dtype=np.int64))
    found = {
        "diffusion": _diffused(points, n_clusters, seed),
        "graph": _graph(points, n_clusters, seed),
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
        graph = neighbor_graph(chosen, GRAPH_NEIGHBORS)
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
        graphs = (shared_graph(chosen, 15), neighbor_graph(chosen, 15), self_tuned_graph(chosen, 20))
        maps = [diffusion_map(graph, 2 * n_clusters, seed) for graph in graphs]
        return [_centers(one, n_clusters, seed + run) for one in maps for run in range(MAP_RUNS)]

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


def refine(labels: Ints, points: Points, named: Ints | None = None) -> Ints:
    """Let a linear discriminant learn the labels and relabel the points, again and again.

    Points that are named, by other numbers than -1, keep their names.
    It ends early where no label changes. Distances are then measured by how much clusters differ in each
    direction, and no longer alike in all.
    """
    if named is not None:
        labels = np.where(named >= 0, named, labels)
    for _ in range(ROUNDS):
        clusters = np.unique(labels)
        if len(clusters) < 2 or len(labels) <= 2 * len(clusters):
            return labels
        even = np.full(len(clusters), 1 / len(clusters))
        model = LinearDiscriminantAnalysis("lsqr", priors=even, covariance_estimator=_ShrunkCovariance())
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
    member = np.concatenate([np.eye(one.max() + 1, dtype=np.float32)[one] for one in labelings], axis=1)
    member = member[:, member.any(axis=0)]
    left, _, _ = np.linalg.svd(member / np.sqrt(member.sum(axis=0)), full_matrices=False)
    vectors = left[:, :n_clusters]
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = KMeans(n_clusters, n_init=5, random_state=seed)
        labels: Ints = model.fit_predict(vectors / np.maximum(lengths, 1e-12)).astype(np.int64)
    return labels


def some_rows(n: int, most: int, seed: int) -> Ints:
    """All rows, or so many of them at random, in their order."""
    if n <= most:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).choice(n, most, replace=False))
