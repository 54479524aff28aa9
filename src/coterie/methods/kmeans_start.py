"""Where clusters begin: k-means on embeddings, and an output layer that agrees with it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from sklearn.cluster import AgglomerativeClustering, KMeans
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor

# Rows from which k-means finds the first centroids: more change them little and cost minutes.
KMEANS_ROWS = 20_000
KMEANS_STARTS = 10
# Where clusters may be unequal: parts that k-means finds at most, rows of one at least on average, and runs.
PARTS = 200
ROWS_A_PART = 25
PART_STARTS = 2
# Sure enough that a pair loss corrects k-means and does not start over.
MARGIN = 5.0


@dataclass(frozen=True)
class KMeansCentres:
    """What k-means finds among some rows.

    Attributes
    ----------
    centres : tensor of shape (k, e)
    points : array of shape (m, e)
        The rows that it looked at, at most `KMEANS_ROWS`.
    assigned : int array of shape (m,)
    """

    centres: Tensor
    points: npt.NDArray[Any]
    assigned: npt.NDArray[Any]


def find_centres(
    embeddings: Tensor,
    n_clusters: int,
    seed: int,
    draws: np.random.Generator,
    n_starts: int = KMEANS_STARTS,
) -> KMeansCentres:
    """The best of some runs of k-means on the rows of embeddings (n, e), of many rows on some of them."""
    points = embeddings.cpu().numpy()
    if len(points) > KMEANS_ROWS:
        points = points[draws.choice(len(points), KMEANS_ROWS, replace=False)]
    kmeans = KMeans(n_clusters, n_init=n_starts, random_state=seed)
    with warnings.catch_warnings():
        # fewer distinct points than clusters: clusters that stay empty are warned of after the training
        warnings.simplefilter("ignore", ConvergenceWarning)
        assigned = kmeans.fit_predict(points)
    return KMeansCentres(torch.from_numpy(kmeans.cluster_centers_).to(embeddings), points, assigned)


def nearest_centre_layer(centres: Tensor, gap: Tensor, margin: float) -> dict[str, Tensor]:
    """A head with the logits ``scale * (2 c.z - c.c)``: largest for the nearest centre.

    Parameters
    ----------
    centres : tensor of shape (k, e)
    gap : scalar tensor
        Difference of two squared distances that is to become a difference of `margin` between two logits.
    margin : float

    Returns
    -------
    dict
        "head.weight" (k, e) and "head.bias" (k,).
    """
    squares = centres.square().sum(dim=1)
    # centres that coincide give no direction, and must not give weights without bound
    floor = 1e-3 * squares.mean() + torch.finfo(centres.dtype).tiny ** 0.5
    scale = margin / torch.maximum(gap, floor)
    return {"head.weight": 2 * scale * centres, "head.bias": -scale * squares}


@dataclass(frozen=True)
class KMeansHead:
    """An output layer that assigns each embedding to its nearest k-means centre.

    Half of the samples begin with at least e^MARGIN times the probability of the second nearest cluster.

    Attributes
    ----------
    n_clusters : int
    """

    n_clusters: int

    def __call__(self, embed: Callable[[], Tensor], seed: int) -> Mapping[str, Tensor]:
        """New values of the network's last layer, by name."""
        embeddings = embed()
        found = find_centres(embeddings, self.n_clusters, seed, np.random.default_rng(seed))
        return _sure_layer(embeddings, found.centres)


@dataclass(frozen=True)
class UnequalHead:
    """An output layer that begins with clusters in which the number of samples plays no part.

    k-means divides clusters of many samples and puts those of few together. Here it finds many small parts,
    which are then merged by average linkage of their centres, each of which counts once.

    Attributes
    ----------
    n_clusters : int
    """

    n_clusters: int

    def __call__(self, embed: Callable[[], Tensor], seed: int) -> Mapping[str, Tensor]:
        """New values of the network's last layer, by name."""
        embeddings = embed()
        n_parts = max(2, self.n_clusters, min(PARTS, len(embeddings) // ROWS_A_PART))
        parts = find_centres(embeddings, n_parts, seed, np.random.default_rng(seed), PART_STARTS)
        average = AgglomerativeClustering(self.n_clusters, metric="precomputed", linkage="average")
        merged = average.fit_predict(torch.cdist(parts.centres, parts.centres).cpu().numpy())
        points = torch.from_numpy(parts.points).to(embeddings)
        return _sure_layer(embeddings, _means(points, merged[parts.assigned], self.n_clusters))


@dataclass(frozen=True)
class GivenHead:
    """An output layer that assigns each embedding to the nearest mean of the clusters given for some rows.

    Attributes
    ----------
    rows, labels : int64 arrays of shape (m,)
    n_clusters : int
        A cluster without a row begins in the middle of all.
    """

    rows: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]
    n_clusters: int

    def __call__(self, embed: Callable[[], Tensor], seed: int) -> Mapping[str, Tensor]:
        """New values of the network's last layer, by name."""
        embeddings = embed()[torch.from_numpy(self.rows)]
        return _sure_layer(embeddings, _means(embeddings, self.labels, self.n_clusters))


def _means(points: Tensor, labels: npt.NDArray[Any], n_clusters: int) -> Tensor:
    """Mean of the points (m, e) of each cluster; without one, the mean of all."""
    centres = points.mean(0).repeat(n_clusters, 1)
    for label in np.unique(labels):
        centres[label] = points[torch.from_numpy(labels == label)].mean(0)
    return centres


def _sure_layer(embeddings: Tensor, centres: Tensor) -> dict[str, Tensor]:
    """The nearest centre's layer, for half of the embeddings with `MARGIN` between it and the second."""
    if len(centres) == 1:
        return nearest_centre_layer(centres, embeddings.new_ones(()), MARGIN)
    nearest = torch.cdist(embeddings, centres).square().topk(2, largest=False).values
    return nearest_centre_layer(centres, (nearest[:, 1] - nearest[:, 0]).median(), MARGIN)


@dataclass(frozen=True)
class CentroidStart:
    """Centroids from k-means on the embeddings, and a head that agrees with them.

    Attributes
    ----------
    n_clusters, per_cluster : int
    starts_head : bool
        Whether the head is set too, so that it assigns each embedding to its nearest centre; else it keeps
        its weights and learns the centroids from the classification loss, as in the paper.
    """

    n_clusters: int
    per_cluster: int = 1
    starts_head: bool = True

    # A centre's logit exceeds those of the others by about this much: right from the start, but unsure, so
    # that the classification loss goes on turning the head to where the centroids move.
    MARGIN: ClassVar[float] = 1.0

    def __call__(self, embed: Callable[[], Tensor], seed: int) -> Mapping[str, Tensor]:
        """New values of the network's parameters, by name."""
        embeddings = embed()
        draws = np.random.default_rng(seed)
        found = find_centres(embeddings, self.n_clusters, seed, draws)
        values = {"centroids": self._spread(found.centres, found.points, found.assigned, draws)}
        return values | self._head(found.centres) if self.starts_head else values

    def _spread(
        self,
        centres: Tensor,
        points: npt.NDArray[Any],
        assigned: npt.NDArray[Any],
        draws: np.random.Generator,
    ) -> Tensor:
        """Every centre `per_cluster` times, each copy a tenth of the way to a member of its cluster."""
        if self.per_cluster == 1:
            return centres
        copies = []
        for number, centre in enumerate(centres):
            members = points[assigned == number]
            chosen = members[draws.integers(len(members), size=self.per_cluster)] if len(members) else centre
            copies.append(centre + 0.1 * (torch.as_tensor(chosen).to(centre) - centre))
        return torch.cat([copy.expand(self.per_cluster, -1) for copy in copies])

    def _head(self, centres: Tensor) -> dict[str, Tensor]:
        """A head for which the mean squared distance of two centres makes `MARGIN` between two logits."""
        distances = torch.cdist(centres, centres).square().sum() / max(1, len(centres) * (len(centres) - 1))
        return nearest_centre_layer(centres, distances, self.MARGIN)
