"""Batch norm over the global batch of all processes, with gradient, on every device and backend.

Losses on pairs couple the rows of the global batch, so its statistics must be those of the global batch too:
then two processes with half a batch each compute what one process computes with all of it.
``nn.SyncBatchNorm`` does that on GPUs only.

Convention: every process holds one shard and computes the same global loss L from gathered outputs. The
backward of a sum over processes is again a sum over processes, so what flows back is the gradient of the
sum of all W copies of L. An average of the weight gradients over the W processes, as in
DistributedDataParallel, gives the gradient of L.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

_Module = TypeVar("_Module", bound=nn.Module)

_REPLACED = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
_HALF = (torch.float16, torch.bfloat16)


class SyncBatchNorm(_BatchNorm):
    """Batch norm whose training statistics come from the global batch of all processes.

    Parameters and buffers are those of ``nn.BatchNorm1d`` under the same names, so state dicts go both
    ways. In eval mode, or with a single process, it computes what that class does. Shards may differ in
    size; the global batch needs 2 values per channel. Every process must call it equally often.

    Parameters
    ----------
    num_features, eps, momentum, affine, track_running_stats
        As in ``nn.BatchNorm1d``.

    Examples
    --------
    >>> tuple(SyncBatchNorm(3)(torch.randn(4, 3, 8, 8)).shape)
    (4, 3, 8, 8)
    """

    def forward(self, input: Tensor) -> Tensor:
        """Normalise input (b, c, ...) per channel c; the output has its shape and dtype."""
        if not (self.training and _is_distributed()):
            return super().forward(input)
        self._check_input_dim(input)
        # Sums over a global batch overflow or round away in half precision.
        x = input.float() if input.dtype in _HALF else input
        deviation, mean, variance, count = _global_moments(x)
        if self.track_running_stats:
            self._update_running(mean.detach(), variance.detach(), count)
        scale = torch.rsqrt(variance + self.eps)
        if self.affine:
            scale = scale * self.weight
        out = deviation * _per_channel(scale, x)
        if self.affine:
            out = out + _per_channel(self.bias, x)
        return out.to(input.dtype)

    def _update_running(self, mean: Tensor, variance: Tensor, count: Tensor) -> None:
        """Move the running statistics (c,) towards those of this global batch, variance unbiased."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        weight = 1.0 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        unbiased = variance * (count / (count - 1))
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), weight)
        self.running_var.lerp_(unbiased.to(self.running_var.dtype), weight)

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() < 2:
            raise ValueError(f"input must have 2 or more dimensions, got {input.dim()}")


def convert_batchnorm(module: _Module) -> _Module:
    """Turn every batch norm of a network into a `SyncBatchNorm`, in place.

    Each layer stays the same object with the same parameters, buffers and hooks, so shared layers stay
    shared, optimizers keep their parameters and the state dict keeps its names. Subclasses of the batch
    norms with behaviour of their own are left alone.

    Parameters
    ----------
    module : nn.Module

    Returns
    -------
    nn.Module
        The same object.

    Examples
    --------
    >>> network = convert_batchnorm(nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3)))
    >>> type(network[1]).__name__
    'SyncBatchNorm'
    """
    for part in module.modules():
        if type(part) in _REPLACED:
            part.__class__ = SyncBatchNorm
    return module


class _SumOverProcesses(torch.autograd.Function):
    """Sum of a tensor over all processes; its backward is the same sum of the gradients."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor) -> Tensor:
        total = x.contiguous().clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: FunctionCtx, grad: Tensor) -> Tensor:
        return _sum_over_processes(grad)


def _sum_over_processes(x: Tensor) -> Tensor:
    """Sum x over all processes, with gradient of every order."""
    total: Tensor = _SumOverProcesses.apply(x)  # type: ignore[no-untyped-call]
    return total


def global_rows(x: Tensor, counts: Sequence[int] | None = None) -> Tensor:
    """Rows x (b, ...) of all processes in their order, with gradient, on every process.

    Its backward follows the convention of this module: it sums the gradients of all copies of that loss.

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
    if not _is_distributed():
        return x
    known = _all_counts(len(x), x.device) if counts is None else counts
    before = sum(known[: dist.get_rank()])
    after = sum(known) - before - len(x)
    return _sum_over_processes(functional.pad(x, (*(0, 0) * (x.dim() - 1), before, after)))


def _all_counts(count: int, device: torch.device) -> list[int]:
    """A number of each process, on every process."""
    counts = torch.zeros(dist.get_world_size(), dtype=torch.int64, device=device)
    counts[dist.get_rank()] = count
    dist.all_reduce(counts)
    return counts.tolist()


def _is_distributed() -> bool:
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def _global_moments(x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Take the moments of the global batch of which x (b, c, ...) is the local shard.

    Returns x minus the mean, the mean (c,), the biased variance (c,) and the values per channel (scalar).
    Two sums, the second one of squared deviations: a difference of E[x^2] and E[x]^2 cancels when a mean
    is large relative to its deviation.
    """
    over = [0, *range(2, x.dim())]
    local = x.numel() // x.shape[1]
    totals = _sum_over_processes(torch.cat([x.sum(over), x.new_tensor([local])]))
    count = totals[-1].detach()
    # Only a process with one value must look at the global count, which waits for the device.
    if local < 2 and int(count) < 2:
        raise ValueError(
            f"the global batch must hold more than 1 value per channel, got shape {tuple(x.shape)}"
        )
    mean = totals[:-1] / count
    deviation = x - _per_channel(mean, x)
    variance = _sum_over_processes(deviation.square().sum(over)) / count
    return deviation, mean, variance, count


def _per_channel(values: Tensor, x: Tensor) -> Tensor:
    """View values (c,) so that they broadcast over x (b, c, ...)."""
    return values.view(1, -1, *[1] * (x.dim() - 2))
