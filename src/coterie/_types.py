"""Frozen dataclasses that every floor shares: what goes into an objective and what a network gives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch import Tensor

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Plan:
    """One step's joint batch, the same on every process: which rows, and what is known about them.

    Attributes
    ----------
    rows : int64 array of shape (b,)
        Row numbers of the data set, each at most once.
    same : int8 array of shape (b, b) or None
        Symmetric: 1 same cluster, -1 different, 0 unknown.
    labels : int64 array of shape (b,) or None
        Class codes, -1 unknown.
    """

    rows: Rows
    same: npt.NDArray[np.int8] | None = None
    labels: npt.NDArray[np.int64] | None = None


@dataclass(frozen=True)
class Batch:
    """A plan's knowledge as tensors on the training device, over the joint batch of all processes.

    Attributes
    ----------
    rows : int64 tensor of shape (b,)
    same : int8 tensor of shape (b, b) or None
    labels : int64 tensor of shape (b,) or None
    """

    rows: Tensor
    same: Tensor | None = None
    labels: Tensor | None = None


@dataclass(frozen=True)
class Output:
    """What the network gives for the joint batch, gathered with gradient from all processes.

    Attributes
    ----------
    embedding : tensor of shape (b, e)
        Last hidden layer.
    logits : tensor of shape (b, k)
        Before the softmax.
    """

    embedding: Tensor
    logits: Tensor

    @property
    def prob(self) -> Tensor:
        """Softmax rows, shape (b, k), in [0, 1], each summing to 1."""
        return self.logits.softmax(dim=1)
