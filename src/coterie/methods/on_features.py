"""Clusters with which a network on features of an encoder begins, so that none is trained from nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from coterie._errors import InputError
from coterie.data import Pairs
from coterie.data.arrays import SampleArray, count_distinct
from coterie.methods.base import AUTO, NeuralEstimator
from coterie.methods.clusterer import NeuralClusterer
from coterie.methods.community_count import count_communities
from coterie.methods.feature_points import feature_points
from coterie.methods.feature_starts import (
    nearest_neighbors,
    reduce_features,
    starting_clusters,
    usual_neighbors,
)
from coterie.methods.head_choice import best_of, pairs_kept
from coterie.methods.known_groups import are_labels, named_groups
from coterie.methods.neighbor_graphs import Ints, Points
from coterie.methods.spread import is_learnt_better, label_graph, learn_groups, spread_groups
from coterie.methods.starting_layer import StartingLayer
from coterie.nn import Features

SPREAD = "spread over the graph of nearest neighbors"
IN_METRIC = "in the metric of the similarity network"
# Labelled share of a found cluster, of that in clusters of named classes, from which on it is a part of one.
PART = 0.25
# Standard deviations by which pairs have to speak for another one.
SURE_LEAD = 2.0


@dataclass(frozen=True)
class Found:
    """Clusters of points.

    Attributes
    ----------
    labels : int64 array of shape (n,)
    words : str
        Where they are from, for people.
    named : int64 array of shape (n,) or None
        As in `Beginning`.
    is_sized : bool
        Whether their sizes are known to differ.
    """

    labels: Ints
    words: str
    named: Ints | None = None
    is_sized: bool = False


@dataclass(frozen=True)
class Beginning:
    """Clusters to begin with.

    Attributes
    ----------
    labels : int64 array of shape (n,)
    layer : StartingLayer
        Continues them.
    words : str
        Where they are from, for people.
    named : int64 array of shape (n,) or None
        What the pairs say, where it amounts to labels: the cluster of each sample in them, -1 for others.
    """

    labels: Ints
    layer: StartingLayer
    words: str
    named: Ints | None = None


def begin_on_features(
    estimator: NeuralClusterer,
    samples: SampleArray,
    codes: Ints | None = None,
    pairs: Pairs | None = None,
    metric: NeuralEstimator | None = None,
) -> Beginning:
    """Clusters of checked samples for an estimator; with "auto" they are counted first.

    Sets `n_outputs_` and `n_clusters_estimate_`.

    Parameters
    ----------
    estimator : NeuralClusterer
    samples : array or data set
    codes : int64 array of shape (n,), optional
        Classes that are known, -1 for the others.
    pairs : Pairs, optional
    metric : SimilarityNetwork, optional
        Fitted on such features: distances are those of its embedding. With over-clustering, `n_outputs_` is
        then an upper bound, and the clusters are counted.

    Raises
    ------
    InputError
        There are fewer distinct samples than clusters.
    """
    seed = int(estimator.random_state) if isinstance(estimator.random_state, int | np.integer) else 0
    estimator.n_outputs_ = 1 if estimator.n_clusters == AUTO else int(estimator.n_clusters)
    check_distinct(samples, estimator.n_outputs_)
    if metric is None:
        points = feature_points(estimator, samples, seed)
    else:
        points = reduce_features(metric._embed(samples), seed)
    estimator.n_clusters_estimate_ = count_if_asked(estimator.n_clusters, points, seed)
    if estimator.n_clusters_estimate_ is not None:
        estimator.n_outputs_ = estimator.n_clusters_estimate_["n_clusters"]
    k = estimator.n_outputs_
    if metric is not None and estimator.over_clustering and estimator.n_clusters_estimate_ is None:
        # outputs that begin without samples stay empty
        k = min(k, count_communities(points, k, seed)["n_clusters"])
    if codes is not None and codes.max() < k:
        found = by_labels(points, codes, k, seed)
    elif pairs is not None:
        found = by_pairs(points, pairs, k, seed)
    else:
        found = _unaided(points, k, seed, "of the samples" if metric is None else IN_METRIC)
    network = estimator._make_network(0)
    # a hidden layer would see other features than those that begin with it
    centers = isinstance(network.backbone, Features) and not list(network.hidden.parameters())
    layer = StartingLayer([found.labels], estimator.n_outputs_, centers, is_sized=found.is_sized)
    return Beginning(found.labels, layer, found.words, found.named)


def check_distinct(samples: SampleArray, n_clusters: int) -> None:
    """Raise where there are fewer distinct samples than clusters."""
    distinct = count_distinct(samples, n_clusters)
    if distinct < n_clusters:
        raise InputError(f"n_clusters={n_clusters} must be <= {distinct}, the number of distinct samples")


def count_if_asked(n_clusters: Any, points: Points, seed: int) -> dict[str, Any] | None:
    """With "auto", the number of clusters of points (n, d): see `count_communities`."""
    if n_clusters != AUTO:
        return None
    most = min(len(points) // 2, len(np.unique(points, axis=0)))
    return count_communities(points, max(1, most), seed)


def by_labels(points: Points, codes: Ints, n_clusters: int, seed: int) -> Found:
    """Clusters of points (n, d) by the class codes of some, -1 for the others.

    Clusters that no label names begin with those found without labels that hold few labelled samples.
    """
    named, n_named, words = codes, int(codes.max()) + 1, f"{int((codes >= 0).sum())} labels"
    if n_named < n_clusters:
        found, name = _starts(points, n_clusters, seed)
        named = with_unnamed(codes, found[name], n_clusters)
    n_unnamed = len(np.unique(named[named >= n_named]))
    if not n_unnamed:
        return _by_named(points, codes, seed, words, held=codes)
    words += f", {SPREAD}, and {n_unnamed} clusters of the samples that no label names"
    return Found(spread_groups(points, named, n_clusters, held=codes), words)


def by_pairs(points: Points, pairs: Pairs, n_clusters: int, seed: int) -> Found:
    """Clusters of points (n, d) by known pairs."""
    named = named_groups(pairs, len(points), n_clusters)
    if named is not None:
        found = _by_named(points, named, seed, f"{n_clusters} groups that the pairs name")
        return dataclasses.replace(found, named=named if are_labels(named, pairs) else None)
    begun, usual = _starts(points, n_clusters, seed)
    name = chosen_by(begun, usual, pairs)
    return Found(begun[name], f"clusters of the samples ({name}) that the pairs speak for")


def _by_named(points: Points, named: Ints, seed: int, words: str, held: Ints | None = None) -> Found:
    """Clusters of points (n, d) of which samples of each are named, in the way that predicts these better."""
    graph = label_graph(points)
    if is_learnt_better(points, graph, named, seed):
        return Found(learn_groups(points, named), f"{words}, which logistic regression learns", is_sized=True)
    labels = spread_groups(points, named, int(named.max()) + 1, held, graph)
    return Found(labels, f"{words}, {SPREAD}")


def _unaided(points: Points, n_clusters: int, seed: int, where: str) -> Found:
    found, name = _starts(points, n_clusters, seed)
    return Found(found[name], f"clusters {where} ({name})")


def _starts(points: Points, n_clusters: int, seed: int) -> tuple[Mapping[str, Ints], str]:
    """Clusterings of points (n, d), and the name of the one to take where nothing is known."""
    found = starting_clusters(points, n_clusters, seed)
    near = nearest_neighbors(points, usual_neighbors(len(points), n_clusters))
    return found, best_of(found, points, near)


def chosen_by(found: Mapping[str, Ints], usual: str, pairs: Pairs) -> str:
    """The clustering that pairs speak for: the usual one unless another keeps clearly more of them.

    Of the pairs that one of the two keeps and the other breaks, the difference has to exceed two standard
    deviations of what chance would give: a hundred random pairs say little.
    """
    kept = {name: pairs_kept(labels, pairs) for name, labels in found.items()}

    def lead(name: str) -> float:
        gained, lost = (kept[name] & ~kept[usual]).sum(), (kept[usual] & ~kept[name]).sum()
        return float((gained - lost) / max(1.0, (gained + lost) ** 0.5))

    best = max(found, key=lead)
    return best if lead(best) > SURE_LEAD else usual


def with_unnamed(codes: Ints, found: Ints, n_clusters: int) -> Ints:
    """Codes of labelled samples, and numbers from there on for found clusters that no code stands for.

    A found cluster of which a quarter as large a share is labelled as of the others is none of them: of
    classes of unequal size the large ones are found in parts.

    Examples
    --------
    >>> with_unnamed(np.array([0, -1, -1, -1]), np.array([1, 1, 0, 0]), 2).tolist()
    [0, -1, 1, 1]
    """
    known = codes >= 0
    n_named = int(codes.max()) + 1
    shared = np.zeros((n_clusters, n_named))
    np.add.at(shared, (found[known], codes[known]), 1)
    taken, _ = linear_sum_assignment(-shared)
    numbers = np.full(n_clusters, -1, dtype=np.int64)
    left = np.setdiff1d(np.arange(n_clusters), taken)
    labelled, sizes = shared.sum(axis=1), np.bincount(found, minlength=n_clusters)
    usual = labelled[taken].sum() / sizes[taken].sum()
    left = left[labelled[left] < PART * usual * sizes[left]]
    numbers[left] = np.arange(n_named, n_named + len(left))
    named: Ints = np.where(known, codes, numbers[found])
    return named
