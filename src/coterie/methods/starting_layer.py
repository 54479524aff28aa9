"""Output layers that continue clusterings of fixed features."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from coterie.methods.neighbor_graphs import Ints

COMPONENTS, SHRINKAGE = 256, 0.1
# Median difference between a sample's two largest logits. Mean ACC of three heads with 1, 2 and 8: CIFAR-10
# tuning images .74, .73, .71; 250 characters of Omniglot, six samples each, .32, .33, .34.
MARGIN = 2.0
_TINY = 1e-12
# Of regression: its penalty, a share of the variance of the components, and the size of its logits.
RIDGE, SCALE = 0.01, 10.0


@dataclass(frozen=True)
class StartingLayer:
    """An output layer that continues given clusterings, several side by side.

    Attributes
    ----------
    labels : sequence of int64 arrays of shape (n,)
        One a clustering.
    n_clusters : int
    centers : bool
        Whether the backbone is `Features`, which is then moved and scaled to the training samples.
    name : str
        Of the layer in the network.
    are_given : bool
        Whether the clusters are given, with samples that may lie far from the others of their cluster: these
        would widen a discriminant's clusters, and upset a regression little.
    is_sized : bool
        Whether a cluster is as likely as it is large; otherwise all are alike likely.
    """

    labels: Sequence[Ints]
    n_clusters: int
    centers: bool
    name: str = "head"
    are_given: bool = False
    is_sized: bool = False

    def __call__(self, embed: Callable[[], Tensor], seed: int) -> Mapping[str, Tensor]:
        """New values of the network's parameters, by name."""
        values, features = self.moved(embed())
        return values | self.layer(features)

    def moved(self, features: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """Values of the backbone's parameters, and the features (n, d) as it then gives them."""
        if not self.centers:
            return {}, features
        center = features.mean(dim=0)
        # the floor: equal samples have no deviation
        factor = 1 / (features - center).square().mean().sqrt().clamp_min(1e-6)
        return {"backbone.center": center, "backbone.factor": factor}, (features - center) * factor

    def layer(self, features: Tensor) -> dict[str, Tensor]:
        """Values of the layer for features (n, d) of mean 0."""
        labels = [torch.from_numpy(one).to(features.device) for one in self.labels]
        if self.are_given:
            layers = [regression_layer(features, one, self.n_clusters) for one in labels]
        else:
            layers = [class_layer(features, one, self.n_clusters, self.is_sized) for one in labels]
        return {
            f"{self.name}.weight": torch.cat([weight for weight, _ in layers]),
            f"{self.name}.bias": torch.cat([bias for _, bias in layers]),
        }


@dataclass(frozen=True)
class StartingCentroids:
    """The same for a network with centroids, which begin in the middle of their clusters.

    Attributes
    ----------
    start : StartingLayer
        Of one clustering.
    per_cluster : int
        Centroids of a cluster; those behind the first are drawn among its samples.
    """

    start: StartingLayer
    per_cluster: int

    def __call__(self, embed: Callable[[], Tensor], seed: int) -> Mapping[str, Tensor]:
        """New values of the network's parameters, by name."""
        values, features = self.start.moved(embed())
        (labels,) = self.start.labels
        draws = np.random.default_rng(seed)
        centroids = [self._centroids(features, labels == one, draws) for one in range(self.start.n_clusters)]
        return values | self.start.layer(features) | {"centroids": torch.cat(centroids)}

    def _centroids(
        self, features: Tensor, members: npt.NDArray[np.bool_], draws: np.random.Generator
    ) -> Tensor:
        """Centroids (per_cluster, d) of one cluster; one that is empty begins in the middle of all."""
        own = features[torch.from_numpy(members)] if members.any() else features
        others = own[torch.from_numpy(draws.integers(len(own), size=self.per_cluster - 1))]
        return torch.cat([own.mean(dim=0, keepdim=True), others])


def class_layer(
    features: Tensor, labels: Tensor, n_clusters: int, is_sized: bool = False
) -> tuple[Tensor, Tensor]:
    """A linear layer that gives centred features (n, d) the labels (n,): weight (k, d) and bias (k,).

    A linear discriminant in the first principal components, all clusters alike likely or each as likely as it
    is large. Regression on the labels lost a fifth of 250 clusters between others.
    """
    inside, axes = _components(features)
    wanted = functional.one_hot(labels, n_clusters).to(features)
    sizes = wanted.sum(dim=0).clamp_min(1)
    means = (wanted.T @ inside) / sizes[:, None]
    weight = torch.linalg.solve(_within(inside - means[labels]), means.T).T
    bias = -(weight * means).sum(dim=1) / 2
    if is_sized:
        bias = bias + (sizes / len(labels)).log()
    logits = inside @ weight.T + bias
    best = logits.topk(min(2, n_clusters), dim=1).values
    scale = MARGIN / (best[:, 0] - best[:, -1]).median().clamp_min(_TINY)
    return scale * (axes @ weight.T).T, scale * _last(bias, wanted.any(dim=0), logits)


def regression_layer(features: Tensor, labels: Tensor, n_clusters: int) -> tuple[Tensor, Tensor]:
    """The same by ridge regression on the labels, in the first principal components."""
    inside, axes = _components(features)
    wanted = functional.one_hot(labels, n_clusters).to(features)
    shares = wanted.mean(dim=0)
    # the floor: constant features have no variance
    penalty = (RIDGE * inside.square().sum() / inside.shape[1]).clamp_min(1e-6)
    gram = inside.T @ inside + penalty * torch.eye(inside.shape[1], device=features.device)
    solved = torch.linalg.solve(gram, inside.T @ (wanted - shares))
    return SCALE * (axes @ solved).T, SCALE * shares


def _components(features: Tensor) -> tuple[Tensor, Tensor]:
    """The first principal components (n, q) of centred features (n, d), and their axes (d, q)."""
    _, _, axes = torch.pca_lowrank(features, min(COMPONENTS, *features.shape), center=False, niter=2)
    return features @ axes, axes


def _within(deviations: Tensor) -> Tensor:
    """Covariance (q, q) of deviations (n, q) from the means of their clusters, shrunk."""
    covariance = deviations.T @ deviations / len(deviations)
    # the floor: clusters of equal samples have no variance
    even = covariance.diagonal().mean().clamp_min(_TINY) * torch.eye(len(covariance)).to(covariance)
    return (1 - SHRINKAGE) * covariance + SHRINKAGE * even


def _last(bias: Tensor, used: Tensor, logits: Tensor) -> Tensor:
    """Biases (k,), those of clusters without samples below all logits."""
    return torch.where(used, bias, logits.min() - 1)
