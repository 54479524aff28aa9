"""The head of a similarity network on fixed features: near embeddings are likely of one class."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor, nn

from coterie.nn.global_tensors import global_rows

_Module = TypeVar("_Module", bound=nn.Module)

# Pairs of listed rows that are looked at together.
_CHUNK_PAIRS = 1024


class DistanceHead(nn.Module):
    """Log odds of "same" that fall with the squared distance of two embeddings: two numbers to learn.

    Parameters
    ----------
    in_features : int
        Width e of an embedding.

    Attributes
    ----------
    log_slope : scalar parameter
        Logarithm of what the log odds lose with each unit of squared distance.
    bias : scalar parameter
        Log odds of equal embeddings.
    is_joint : bool
        Whether the rows of all processes are compared: see `join_rows`.

    Examples
    --------
    >>> head = DistanceHead(2)
    >>> head(torch.tensor([[0.0, 0.0], [0.0, 2.0]])).tolist()
    [[0.0, -4.0], [-4.0, 0.0]]
    """

    def __init__(self, in_features: int) -> None:
        super().__init__()
        self.in_features = in_features
        self.log_slope = nn.Parameter(torch.zeros(()))
        self.bias = nn.Parameter(torch.zeros(()))
        self.is_joint = False

    def forward(self, embedding: Tensor) -> Tensor:
        """Log odds (n, m) of the rows of this process, embedding (n, e), against all m rows."""
        others = global_rows(embedding) if self.is_joint else embedding
        squares = embedding.square().sum(dim=1)[:, None] + others.square().sum(dim=1)
        return self._odds((squares - 2 * embedding @ others.T).clamp_min(0))

    def listed(self, embedding: Tensor, i: Tensor, j: Tensor) -> Tensor:
        """Log odds of listed pairs: (n, e), rows i and j (m,) -> (m,)."""
        parts = zip(torch.split(i, _CHUNK_PAIRS), torch.split(j, _CHUNK_PAIRS), strict=True)
        distances = [(embedding[a] - embedding[b]).square().sum(dim=1) for a, b in parts]
        return self._odds(torch.cat(distances))

    def _odds(self, distances: Tensor) -> Tensor:
        return self.bias - self.log_slope.exp() * distances


def join_rows(network: _Module) -> _Module:
    """Let each `DistanceHead` of a network compare the rows of all processes, in place."""
    for part in network.modules():
        if isinstance(part, DistanceHead):
            part.is_joint = True
    return network
