"""Batch norm over the global batch of all processes, with gradient, on every device and backend.

Losses on pairs couple the rows of the global batch, so its statistics must be those of the global batch too:
then two processes with half a batch each compute what one process computes with all of it.
``nn.SyncBatchNorm`` does that on GPUs only.

What flows back follows the convention of `global_tensors`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.modules.batchnorm import _BatchNorm

from coterie.nn.global_tensors import gathered, is_distributed, summed

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
        if not (self.training and is_distributed()):
            return super().forward(input)
        self._check_input_dim(input)
        # Sums over a global batch overflow or round away in half precision.
        x = input.float() if input.dtype in _HALF else input
        mean, variance, count = _global_moments(x.detach())
        if self.track_running_stats:
            self._update_running(mean, variance, count)
        weight = self.weight if self.affine else torch.ones_like(mean)
        bias = self.bias if self.affine else torch.zeros_like(mean)
        moments = _Moments(mean, variance, count, self.eps)
        out: Tensor = _Normalized.apply(x, weight, bias, moments)  # type: ignore[no-untyped-call]  # of torch
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


@dataclass(frozen=True)
class _Moments:
    """Mean (c,), biased variance (c,) and number of values per channel (scalar) of a global batch."""

    mean: Tensor
    variance: Tensor
    count: Tensor
    eps: float

    def normalized(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """Values of x (b, c, ...) less the mean, over the deviation, times weight (c,), plus bias (c,)."""
        if not x.numel():
            return torch.empty_like(x)
        found = torch.native_batch_norm(x, weight, bias, self.mean, self.variance, False, 0.0, self.eps)
        return found[0]


class _Normalized(torch.autograd.Function):
    """Batch norm by the moments of a global batch, which follow from the inputs of all processes.

    Torch's own kernels, with the moments as running ones: one pass over x in the forward direction, two in
    the other one.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, moments: _Moments) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.moments = moments
        return moments.normalized(x, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        """With u the normalized x: the gradient less its mean, and less u times the mean of gradient * u."""
        (x, weight), moments = ctx.saved_tensors, ctx.moments
        through, of_weight, of_bias = _with_fixed_moments(grad, x, weight, moments)
        sums = summed(torch.stack([of_weight, of_bias]))
        scale = weight * torch.rsqrt(moments.variance + moments.eps) / moments.count
        through -= moments.normalized(x, *(scale * sums))
        return through, of_weight, of_bias, None


def _with_fixed_moments(
    grad: Tensor, x: Tensor, weight: Tensor, moments: _Moments
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of x, weight and bias as if the moments did not depend on x."""
    if not x.numel():
        return torch.zeros_like(x), torch.zeros_like(weight), torch.zeros_like(weight)
    mean, variance, eps = moments.mean, moments.variance, moments.eps
    found: tuple[Tensor, Tensor, Tensor] = torch.ops.aten.native_batch_norm_backward(
        grad, x, weight, mean, variance, None, None, False, eps, [True, True, True]
    )
    return found


def _global_moments(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Take the moments of the global batch of which x (b, c, ...) is the local shard.

    Returns the mean (c,), the biased variance (c,) and the values per channel (scalar). Each process sends
    its own mean and variance, which are put together as Chan, Golub and LeVeque do: a difference of E[x^2]
    and E[x]^2 cancels when a mean is large relative to its deviation.
    """
    local = x.numel() // x.shape[1]
    own_mean = own_variance = x.new_zeros(x.shape[1])
    if local:
        own_mean, own_variance = torch.batch_norm_update_stats(x, None, None, 0.0)
    own = torch.stack([own_mean, own_variance, torch.full_like(own_mean, local)])
    means, variances, counts = gathered(own).unbind(1)
    count = counts.sum(0)[0]
    # Only a process with one value must look at the global count, which waits for the device.
    if local < 2 and int(count) < 2:
        raise ValueError(
            f"the global batch must hold more than 1 value per channel, got shape {tuple(x.shape)}"
        )
    mean = (counts * means).sum(0) / count
    variance = (counts * (variances + (means - mean).square())).sum(0) / count
    return mean, variance, count
