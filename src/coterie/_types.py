"""Frozen dataclasses that every floor shares: what goes into an objective and what a network gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
from torch import Tensor

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class BatchPlan:
    """One step's global batch, the same on every process: which rows, and what is known about them.

    Attributes
    ----------
    rows : int64 array of shape (b,) or (b, n)
        Row numbers of the data set, each at most once; or b sets of n rows each.
    same : int8 array of shape (b, b) or None
        Symmetric: 1 same cluster, -1 different, 0 unknown.
    labels : int64 array of the shape of rows, or None
        Class codes, -1 unknown.
    n_drawn : int or None
        The first so many rows are a fair sample of the data, the others are there for what is known about
        them; None: all are.
    neighbors : int64 array of shape (n_drawn,) or None
        Place in the batch of a neighbor of each drawn row.
    """

    rows: Rows
    same: npt.NDArray[np.int8] | None = None
    labels: npt.NDArray[np.int64] | None = None
    n_drawn: int | None = None
    neighbors: npt.NDArray[np.int64] | None = None


@dataclass(frozen=True)
class Batch:
    """A plan's knowledge as tensors on the training device, over the global batch of all processes.

    Attributes
    ----------
    rows : int64 tensor of shape (b,) or (b, n)
    same : int8 tensor of shape (b, b) or None
    labels : int64 tensor of the shape of rows, or None
    pair_weight : float tensor of shape (b, b) or None
        How much each pair counts.
    n_drawn : int or None
        As in `BatchPlan`.
    neighbors : int64 tensor of shape (n_drawn,) or None
        As in `BatchPlan`.
    targets : mapping of str to tensor
        What else `Objective.targets` found for the batch.
    """

    rows: Tensor
    same: Tensor | None = None
    labels: Tensor | None = None
    pair_weight: Tensor | None = None
    n_drawn: int | None = None
    neighbors: Tensor | None = None
    targets: Mapping[str, Tensor] = field(default_factory=dict)

    def of_head(self, head: str) -> Batch:
        """The same with the targets of one head, named ``NAME/head``, under their bare names."""
        return replace(self, targets=_of_head(self.targets, head))


@dataclass(frozen=True)
class Output:
    """What the network gives for the global batch, gathered with gradient from all processes.

    Attributes
    ----------
    tensors : mapping of str to tensor
        Named as in the network's `outputs`, with the batch on axis 0 but for its `shared_outputs`.
    views : tuple of Output
        Of random views of the same rows, in the same order, where the objective asks for them.
    shared : frozenset of str
        Names of the tensors without the batch on axis 0.
    """

    tensors: Mapping[str, Tensor]
    views: tuple[Output, ...] = ()
    shared: frozenset[str] = frozenset()

    def __getitem__(self, name: str) -> Tensor:
        return self.tensors[name]

    def first(self, n: int | None) -> Output:
        """The same for the first n rows of the batch alone; None: for all."""
        if n is None:
            return self
        tensors = {name: value if name in self.shared else value[:n] for name, value in self.tensors.items()}
        return Output(tensors, tuple(view.first(n) for view in self.views), self.shared)

    def of_head(self, head: str) -> Output:
        """The same with the tensors of one head, named ``NAME/head``, under their bare names."""
        views = tuple(view.of_head(head) for view in self.views)
        return Output(_of_head(self.tensors, head), views, self.shared)

    @property
    def embedding(self) -> Tensor:
        """Last hidden layer, shape (b, e)."""
        return self.tensors["embedding"]

    @property
    def logits(self) -> Tensor:
        """Before the softmax, shape (b, k)."""
        return self.tensors["logits"]

    @property
    def prob(self) -> Tensor:
        """Softmax rows, shape (b, k), in [0, 1], each summing to 1."""
        return self.logits.softmax(dim=1)


def _of_head(tensors: Mapping[str, Tensor], head: str) -> dict[str, Tensor]:
    """What all heads share, and under bare names what is named ``NAME/head``."""
    shared = {name: value for name, value in tensors.items() if "/" not in name}
    own = {name: value for name, value in tensors.items() if name.endswith(f"/{head}")}
    return shared | {name.removesuffix(f"/{head}"): value for name, value in own.items()}
