"""Floors under logarithms: one place, each with its reason."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor


def probability_floor(dtype: torch.dtype) -> float:
    """Smallest probability a logarithm sees: ``tiny ** 0.75`` (3.6e-29 in float32, 1.8e-231 in float64).

    Its inverse is a gradient; the power leaves a factor of about 1e10 below the largest number of the
    type, so that a sum over the rows of a batch stays finite. ``tiny`` itself would leave a factor of 4.
    """
    return float(torch.finfo(dtype).tiny ** 0.75)


def complement_floor(dtype: torch.dtype) -> float:
    """Smallest ``1 - p`` a logarithm sees: the machine epsilon (1.2e-7 in float32, 2.2e-16 in float64).

    ``1 - p`` near zero is known to one rounding of 1, so a smaller value (or a negative one) is noise.
    """
    return float(torch.finfo(dtype).eps)


class _Floored(torch.autograd.Function):
    """``max(x, floor)`` whose gradient is the identity; it saves nothing and works under vmap."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, floor: float | Tensor) -> Tensor:
        return x.clamp_min(floor)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, float | Tensor], output: Tensor) -> None:
        """Nothing is needed for the backward pass."""

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return grad, None


def floored(x: Tensor, floor: float | Tensor) -> Tensor:
    """``max(x, floor)`` with gradient 1 everywhere, any shape; ``floor`` may be a tensor that broadcasts.

    A plain clamp has gradient 0 below the floor, and a plateaued row would never learn again.
    """
    return cast(Tensor, _Floored.apply(x, floor))  # type: ignore[no-untyped-call]  # of torch


def log_floored(x: Tensor, floor: float) -> Tensor:
    """``log(max(x, floor))`` with gradient ``1 / max(x, floor)``, any shape.

    Examples
    --------
    >>> import torch
    >>> x = torch.tensor([0.0, 0.5], requires_grad=True)
    >>> y = log_floored(x, 0.01)
    >>> y.sum().backward()
    >>> x.grad
    tensor([100.,   2.])
    """
    return floored(x, floor).log()


def with_value_of(gradient_from: Tensor, value: Tensor) -> Tensor:
    """The number ``value`` with the gradient of ``gradient_from``, both of one shape.

    For a floor that is right as a number, so that a collapse is ranked last, but whose zero gradient would
    keep the collapse for ever.

    Examples
    --------
    >>> import torch
    >>> x = torch.tensor(0.5, requires_grad=True)
    >>> y = with_value_of(3 * x, torch.tensor(1.0))
    >>> y.backward()
    >>> float(y.detach()), float(x.grad)
    (1.0, 3.0)
    """
    return gradient_from + (value - gradient_from).detach()


def steady_rows(p: Tensor) -> Tensor:
    """Softmax rows (n, k), for a loss of which sure rows get gradients beyond all measure.

    Such a row gets about 1 / eps for its largest entry, of which the softmax's backward takes off almost as
    much: in float32 the rest is rounding. Rows sum to 1, so that a constant may be taken off the gradient of
    each row first; the largest entry's leaves small terms alone to be summed.

    Examples
    --------
    >>> logits = torch.tensor([[9.0, -9.0]], requires_grad=True)
    >>> p = steady_rows(logits.softmax(1))
    >>> (gradient,) = torch.autograd.grad(1e7 * p[0, 0], logits)
    >>> gradient
    tensor([[ 0.1523, -0.1523]])
    """
    if p.requires_grad:
        largest = p.detach().argmax(dim=1, keepdim=True)
        p.register_hook(  # type: ignore[no-untyped-call]  # of torch
            lambda gradient: gradient - gradient.gather(1, largest)
        )
    return p


def variance_floor(rows: Tensor) -> Tensor:
    """Smallest squared distance between rows (n, e) that is more than rounding, scalar.

    Coordinates are known to one machine epsilon of their size. Where all rows are zero, the inverse of
    `probability_floor` is still a factor that sums over a batch stay finite with.
    """
    epsilon = torch.finfo(rows.dtype).eps
    return (epsilon**2 * rows.square().sum(dim=1).mean()).clamp_min(probability_floor(rows.dtype))
