"""A similarity network on fixed features: a metric in which samples of one class are near each other."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from coterie.nn.distance_head import DistanceHead
from coterie.nn.features import Features
from coterie.nn.network import PairNetwork


class Metric(Features):
    """`Features` mapped linearly and, if there are 32 or more of them, scaled to length 1 again.

    Parameters
    ----------
    sample_shape : sequence of int
        Samples are flattened.

    Attributes
    ----------
    weight : parameter of shape (d, d)
        The map, at first the identity; it is computed and not trained.

    Examples
    --------
    >>> metric = Metric((2,))
    >>> metric.weight.data = torch.diag(torch.tensor([1.0, 0.5]))
    >>> metric(torch.tensor([[1.0, 2.0]]))
    tensor([[1., 1.]])
    """

    def __init__(self, sample_shape: Sequence[int]) -> None:
        super().__init__(sample_shape)
        self.weight = nn.Parameter(torch.eye(self.out_features), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map x ``(b, *sample_shape)`` to the embedding (b, d)."""
        embedding = super().forward(x) @ self.weight
        return functional.normalize(embedding) if self.is_wide else embedding


def build_metric_network(sample_shape: Sequence[int]) -> PairNetwork:
    """Build a similarity network for fixed features; nothing in it is random.

    Parameters
    ----------
    sample_shape : sequence of int

    Returns
    -------
    PairNetwork

    Examples
    --------
    >>> embedding, log_odds = build_metric_network((64,))(torch.randn(4, 64))
    >>> tuple(embedding.shape), tuple(log_odds.shape)
    ((4, 64), (4, 4))
    """
    metric = Metric(sample_shape)
    return PairNetwork(metric, DistanceHead(metric.out_features))
