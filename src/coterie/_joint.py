"""A batch whose rows several processes share: random numbers are drawn for all rows, each keeps its own."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class JointBatch:
    """This process's rows of a batch.

    Attributes
    ----------
    start, size, total : int
        The first row here, how many are here, and how many all processes have.
    copies : int
        How often a tensor holds the rows one after another: plain rows and their views.
    largest : callable
        The elementwise maximum of a tensor over all processes.
    """

    start: int
    size: int
    total: int
    copies: int
    largest: Callable[[Tensor], Tensor]

    def divides(self, length: int) -> bool:
        """Whether an axis of so many entries here holds the rows, with equally many entries for each."""
        return length % max(1, self.copies * self.size) == 0

    def length(self, own: int) -> int:
        """Entries over all processes of an axis that has so many here."""
        return own // self.size * self.total if self.size else 0

    def own(self, values: Tensor, axis: int = 0) -> Tensor:
        """The entries of this process's rows along an axis, of those of all processes."""
        before, length, after = values.shape[:axis], values.shape[axis], values.shape[axis + 1 :]
        each = length // (self.copies * self.total)
        parts = values.reshape(*before, self.copies, self.total, each, *after)
        return parts.narrow(axis + 1, self.start, self.size).flatten(axis, axis + 2)


_JOINT: ContextVar[JointBatch | None] = ContextVar("global batch", default=None)


@contextlib.contextmanager
def sharing_rows(joint: JointBatch | None) -> Iterator[None]:
    """Inside, tensors hold this process's rows of a global batch; None: all rows are here."""
    token = _JOINT.set(joint)
    try:
        yield
    finally:
        _JOINT.reset(token)


def drawn(shape: Sequence[int], axis: int, draw: Callable[[Sequence[int]], Tensor]) -> Tensor:
    """Random numbers, those of this process's rows from the numbers that one process would draw.

    Parameters
    ----------
    shape : sequence of int
    axis : int, at least 0
        Counts the rows.
    draw : callable
        ``draw(shape)``.

    Examples
    --------
    >>> tuple(drawn((2, 3), 0, torch.rand).shape)
    (2, 3)
    """
    joint = _JOINT.get()
    if joint is None or not joint.divides(shape[axis]):
        return draw(shape)
    whole = [joint.length(length) if number == axis else length for number, length in enumerate(shape)]
    return joint.own(draw(whole), axis)


def value_range(x: Tensor) -> tuple[Tensor, Tensor]:
    """Smallest and largest value of a batch, over the rows of all processes: two scalars.

    Examples
    --------
    >>> value_range(torch.tensor([[1.0, 5.0], [2.0, 3.0]]))
    (tensor(1.), tensor(5.))
    """
    joint = _JOINT.get()
    if joint is None:
        low, high = torch.aminmax(x)
        return low, high
    own = [-x.amin(), x.amax()] if x.numel() else [x.new_tensor(-torch.inf)] * 2
    below, high = joint.largest(torch.stack(own)).unbind()
    return -below, high
