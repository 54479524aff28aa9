"""Tensors of all processes, with gradient: gathered rows, sums of parts, and what is sent for them.

Convention: every process holds one shard and computes the same global loss L from gathered outputs. The
backward of a sum over processes is again a sum over processes, so what flows back is the gradient of the
sum of all W copies of L. An average of the weight gradients over the W processes, as in
DistributedDataParallel, gives the gradient of L.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.distributed as dist
from torch import Tensor
from torch.autograd.function import FunctionCtx
from torch.nn import functional


def is_distributed() -> bool:
    """Whether there are other processes."""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def gathered(x: Tensor) -> Tensor:
    """A tensor of every process, alike in shape (...) -> (processes, ...), without gradient."""
    world = dist.get_world_size()
    if _is_gloo():
        return _exchanged(x.expand(world, *x.shape))
    found = x.new_empty(world, *x.shape)
    dist.all_gather([*found.unbind()], x.contiguous())
    return found


def summed(x: Tensor) -> Tensor:
    """The sum of a small tensor over all processes, without gradient.

    Each adds up what it gathers: one message in place of the two rounds of an all-reduce.
    """
    return gathered(x).sum(dim=0)


def sum_of_parts(x: Tensor) -> Tensor:
    """The sum over all processes of each one's part of the global loss, from which all compute the same.

    Its backward follows the convention of this module: the gradient of the sum of all copies of that loss.

    Examples
    --------
    >>> sum_of_parts(torch.tensor(2.0))
    tensor(2.)
    """
    if not is_distributed():
        return x
    total: Tensor = _SumOfParts.apply(x)  # type: ignore[no-untyped-call]  # of torch
    return total


def global_rows(x: Tensor, counts: Sequence[int] | None = None) -> Tensor:
    """Rows x (b, ...) of all processes in their order, with gradient, on every process.

    Its backward follows the convention of this module: it sums the gradients of all copies of that loss, and
    each process gets those of its own rows alone.

    Parameters
    ----------
    x : tensor of shape (b, ...)
    counts : sequence of int, optional
        Rows of each process; by default the processes exchange them.

    Examples
    --------
    >>> tuple(global_rows(torch.zeros(4, 3)).shape)
    (4, 3)
    """
    if not is_distributed():
        return x
    known = gathered(torch.tensor(len(x), device=x.device)).tolist() if counts is None else counts
    most = max(known)
    found = _gathered_rows(functional.pad(x, (*(0, 0) * (x.dim() - 1), 0, most - len(x))))
    if min(known) == most:
        return found
    return torch.cat([part[:count] for part, count in zip(torch.split(found, most), known, strict=True)])


def _is_gloo() -> bool:
    """Gloo exchanges parts several times faster than it gathers or reduces; NCCL has kernels for each."""
    return dist.get_backend() == dist.Backend.GLOO


def _exchanged(parts: Tensor) -> Tensor:
    """What all processes sent here, (processes, ...), where part number r of `parts` goes to process r."""
    found = parts.new_empty(parts.shape)
    dist.all_to_all_single(found, parts.contiguous())
    return found


class _GatheredRows(torch.autograd.Function):
    """Rows (m, ...) of every process, as many of each, one after another; backward: `_ScatteredRows`."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor) -> Tensor:
        return gathered(x).flatten(0, 1)

    @staticmethod
    def backward(ctx: FunctionCtx, grad: Tensor) -> Tensor:
        return _scattered_rows(grad)


class _ScatteredRows(torch.autograd.Function):
    """This process's rows of the sum over all processes; backward: `_GatheredRows`."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor) -> Tensor:
        parts = x.reshape(dist.get_world_size(), -1, *x.shape[1:]).contiguous()
        if _is_gloo():
            return _exchanged(parts).sum(dim=0)
        own = torch.empty_like(parts[0])
        dist.reduce_scatter(own, [*parts.unbind()])
        return own

    @staticmethod
    def backward(ctx: FunctionCtx, grad: Tensor) -> Tensor:
        return _gathered_rows(grad)


def _gathered_rows(x: Tensor) -> Tensor:
    found: Tensor = _GatheredRows.apply(x)  # type: ignore[no-untyped-call]  # of torch
    return found


def _scattered_rows(x: Tensor) -> Tensor:
    found: Tensor = _ScatteredRows.apply(x)  # type: ignore[no-untyped-call]  # of torch
    return found


class _SumOfParts(torch.autograd.Function):
    """Sum of a tensor over all processes, for what follows alike on each: no gradient has to be sent."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor) -> Tensor:
        return summed(x)

    @staticmethod
    def backward(ctx: FunctionCtx, grad: Tensor) -> Tensor:
        return dist.get_world_size() * grad
