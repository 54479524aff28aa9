"""What every pair loss shares: options, input checks, pair weights, the reduction, the walk over blocks."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from coterie._checks import Range, check_choice, check_flag, check_number
from coterie._errors import InputError, InputTypeError
from coterie.losses.inputs import check_dense

# Above this many rows the n x n intermediates cost more memory than the walk costs time.
DENSE_LIMIT = 2048
# A block's intermediates have to stay in the processor's cache.
BLOCK = 512
# Below this many rows the message that puts parts together costs more than the rows of others.
SHARED_ROWS = 512

Ordered = Callable[[Tensor, Tensor, Tensor], Tensor]
Costs = Callable[[slice, Tensor], Tensor]
SameAt = Callable[[slice, slice], Tensor]


@dataclass(frozen=True)
class PairOptions:
    """How pair terms are summed up; checked once, when it is made.

    Attributes
    ----------
    reduction : {"mean", "sum"}
    include_self : bool
        Sum over ordered pairs with i = i, as the released code does.
    eps : float >= 0
        Added inside the logarithms.
    kind_weights : (w_similar, w_dissimilar), both >= 0, or None
    """

    reduction: str = "mean"
    include_self: bool = False
    eps: float = 0.0
    kind_weights: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        check_choice("reduction", self.reduction, ("mean", "sum"))
        check_flag("include_self", self.include_self)
        check_number("eps", self.eps, Range(0))
        if self.kind_weights is not None:
            _check_kind_weights(self.kind_weights)


def _check_kind_weights(weights: object) -> None:
    if not isinstance(weights, tuple | list):
        raise InputTypeError(f"kind_weights must be (w_similar, w_dissimilar), got {type(weights).__name__}.")
    if len(weights) != 2:
        raise InputError(f"kind_weights must hold 2 numbers (w_similar, w_dissimilar), got {len(weights)}.")
    for weight in weights:
        check_number("kind_weights", weight, Range(0))


DEFAULT_OPTIONS = PairOptions()


@dataclass(frozen=True)
class Share:
    """A part of the pairs, where others compute the rest.

    Attributes
    ----------
    number, count : int
        Which part this is, and of how many.
    total : callable
        The sum over all parts, with gradient.
    """

    number: int
    count: int
    total: Callable[[Tensor], Tensor]

    def rows(self, n: int) -> slice:
        """Rows of this part, contiguous."""
        return slice(self.number * n // self.count, (self.number + 1) * n // self.count)


_SHARE: ContextVar[Share | None] = ContextVar("share of pairs", default=None)


@contextlib.contextmanager
def sharing(share: Share | None) -> Iterator[None]:
    """Inside, sums over pairs of many rows are computed in parts; None: as a whole."""
    token = _SHARE.set(share)
    try:
        yield
    finally:
        _SHARE.reset(token)


def share_of(n: int) -> Share | None:
    """The part of the pairs of n rows that is computed here; None: all of them."""
    return _SHARE.get() if n >= SHARED_ROWS else None


def matrix_total(p: Tensor, same: Tensor, include_self: bool, ordered: Costs) -> tuple[Tensor, Tensor]:
    """Sum of costs over all ordered pairs of rows of ``p`` (n, k), and the number of known ones.

    Parameters
    ----------
    p : tensor of shape (n, k)
    same : int8 tensor of shape (n, n), or int64 labels (n,) that stand for one
    include_self : bool
    ordered : callable
        ``ordered(rows, same)``: of some rows against all, with what is known of their pairs.
    """
    share = share_of(len(p))
    if share is None:
        everything = slice(0, len(p))
        counted = counted_pairs(as_matrix(same), include_self)
        return ordered(everything, counted), (counted != 0).sum()
    rows = share.rows(len(p))
    counted = _counted_rows(same, rows, include_self)
    own = ordered(rows, counted)
    # float64 holds the number of pairs exactly
    total, known = share.total(torch.stack([own.double(), (counted != 0).sum().double()])).unbind()
    return total.to(own.dtype), known.long()


def _counted_rows(same: Tensor, rows: slice, include_self: bool) -> Tensor:
    """Some rows of `counted_pairs`."""
    if same.ndim == 2:
        block = same[rows].clone()
    else:
        known = same >= 0
        block = _equal(same[rows], same).mul_(known).mul_(known[rows, None])
    if not include_self:
        block.diagonal(rows.start).zero_()
    return block


def check_prob(p: object) -> Tensor:
    """Softmax rows (n, k), checked; half precision comes back as float32."""
    if not isinstance(p, Tensor):
        raise InputTypeError(f"p must be a torch tensor, got {type(p).__name__}.")
    if not p.is_floating_point():
        raise InputTypeError(f"p must have a float dtype, got {p.dtype}.")
    check_dense("p", p)
    if p.ndim != 2 or p.numel() == 0:
        raise InputError(f"p must have shape (n, k) with n, k >= 1, got {tuple(p.shape)}.")
    half = torch.finfo(p.dtype).bits < 32
    p = p.float() if half else p
    rows = p.detach()
    if not bool(rows.isfinite().all()):
        raise InputError("p must be finite, got NaN or inf: look for a diverged network or NaN inputs.")
    tolerance = 2e-2 if half else 1e-3
    off = float((rows.sum(1) - 1).abs().max())
    if off > tolerance or float(rows.min()) < -tolerance:
        raise InputError(
            f"p must hold softmax rows (values in [0, 1], each row summing to 1), got rows off by {off:.3g}"
            f" and a smallest value of {float(rows.min()):.3g}."
        )
    return p


def check_same(same: object, p: Tensor) -> Tensor:
    """Labels (n,) as int64, or a symmetric matrix (n, n) as int8, checked against the rows of ``p``."""
    if not isinstance(same, Tensor):
        raise InputTypeError(f"same must be a torch tensor, got {type(same).__name__}.")
    if same.dtype == torch.bool or same.is_complex():
        raise InputTypeError(f"same must have an integer or float dtype, got {same.dtype}.")
    if same.device != p.device:
        raise InputError(f"same must be on the device of p ({p.device}), got {same.device}.")
    check_dense("same", same)
    n = len(p)
    if tuple(same.shape) not in ((n,), (n, n)):
        raise InputError(
            f"same must have shape ({n}, {n}) or ({n},) to match the rows of p, got {tuple(same.shape)}."
        )
    return _check_labels(same) if same.ndim == 1 else _check_matrix(same)


def _check_labels(labels: Tensor) -> Tensor:
    if labels.is_floating_point():
        raise InputTypeError(f"same as labels (n,) must have an integer dtype, got {labels.dtype}.")
    labels = labels.long()
    if int(labels.min()) < -1:
        raise InputError(f"same as labels (n,) must be >= -1 (-1: unknown), got {int(labels.min())}.")
    return labels


def _check_matrix(same: Tensor) -> Tensor:
    valid = (same == 1) | (same == -1) | (same == 0)
    if not bool(valid.all()):
        raise InputError(
            f"same must hold 1 (similar), -1 (dissimilar) or 0 (unknown), got {same[~valid][0].item()}."
        )
    matrix = same.to(torch.int8)
    clash = (matrix != matrix.T).nonzero()
    if len(clash):
        i, j = (int(index) for index in clash[0])
        raise InputError(
            f"same must be symmetric, got same[{i}, {j}] = {int(matrix[i, j])} and"
            f" same[{j}, {i}] = {int(matrix[j, i])}: average both directions first."
        )
    return matrix


def _equal(rows: Tensor, cols: Tensor) -> Tensor:
    """Known labels (a,) and (b,) -> int8 (a, b): 1 where equal, -1 where not."""
    return (rows[:, None] == cols).to(torch.int8).mul_(2).sub_(1)


def counted_pairs(same: Tensor, include_self: bool) -> Tensor:
    """``same`` (n, n) with a zero diagonal unless self pairs count; never changes its argument."""
    return same if include_self else same - same.diagonal(dim1=-2, dim2=-1).diag_embed()


def same_blocks(same: Tensor, include_self: bool) -> SameAt:
    """Known labels (n,) or matrix (n, n) -> a function that gives any block of the counted pairs."""

    def at(rows: slice, cols: slice) -> Tensor:
        block = same[rows, cols] if same.ndim == 2 else _equal(same[rows], same[cols])
        return counted_pairs(block, include_self) if rows == cols else block

    return at


def kinds(same: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Int8 ``same`` -> indicators of similar and of dissimilar pairs, 0. or 1., of its shape.

    Products with float indicators run several times faster than comparisons and selections.
    """
    sign = same.to(dtype)
    return sign.relu(), sign.neg().relu_()


def columns(rows: Tensor) -> Tensor:
    """Rows (a, k) -> contiguous (k, a): with small k the gradient of a product then runs 3-5 times faster."""
    return rows.T.contiguous()


def reduce_pairs(total: Tensor, known: Tensor, options: PairOptions) -> Tensor:
    """The total itself, or over the number of pairs: ordered with self pairs, or unordered i < j.

    ``known`` is the number of known ordered pairs that count. No known pair gives total / 1, which is zero.
    """
    if options.reduction == "sum":
        return total
    return total / (known if options.include_self else known // 2).clamp_min(1)


def known_pairs(same: Tensor, include_self: bool) -> Tensor:
    """Number of known ordered pairs of a matrix (n, n) or of labels (n,)."""
    known = (same >= 0).sum() if same.ndim == 1 else (same != 0).sum()
    if same.ndim == 1:
        return known * known - (0 if include_self else known)
    return known if include_self else known - (same.diagonal() != 0).sum()


def full_precision(p: Tensor) -> torch.autocast:
    """A context without autocast: a half-precision product has no digits left for 1 - p.p'."""
    return torch.autocast(p.device.type, enabled=False)


def as_matrix(same: Tensor) -> Tensor:
    """Labels (n,) or matrix (n, n) -> int8 matrix (n, n)."""
    if same.ndim == 2:
        return same
    known = same >= 0
    return _equal(same, same).mul_(known).mul_(known[:, None])


def drop_unknown(p: Tensor, same: Tensor) -> tuple[Tensor, Tensor]:
    """Without the rows whose label is -1, which are in no pair; a matrix passes through."""
    if same.ndim == 2:
        return p, same
    known = same >= 0
    return p[known], same[known]


def blockwise_total(p: Tensor, same_at: SameAt, ordered: Ordered, *, symmetric: bool) -> Tensor:
    """Sum of ``ordered`` over all blocks of row pairs of ``p`` (n, k), in O(block^2 + n k) memory.

    The gradient is summed block by block in the forward pass, so no block outlives its turn; it can be
    taken once. ``symmetric``: block (b, a) equals block (a, b), and only the upper triangle is walked.
    """
    want_grad = p.requires_grad and torch.is_grad_enabled()
    share = share_of(len(p))
    every = slice(None) if share is None else slice(share.number, None, share.count)
    walk = _Walk(same_at, ordered, symmetric, want_grad, every)
    total = cast(Tensor, _Blockwise.apply(p, walk))  # type: ignore[no-untyped-call]  # of torch
    return total if share is None else share.total(total)


@dataclass(frozen=True)
class _Walk:
    same_at: SameAt
    ordered: Ordered
    symmetric: bool
    want_grad: bool
    every: slice

    def __call__(self, p: Tensor) -> tuple[Tensor, Tensor]:
        """Rows (n, k), detached -> the total and its gradient (n, k)."""
        slices = [slice(start, min(start + BLOCK, len(p))) for start in range(0, len(p), BLOCK)]
        # Made before the walk: small tensors kept between freed blocks would split the heap.
        grad, totals = torch.zeros_like(p), p.new_zeros(len(slices))
        for a, rows in [*enumerate(slices)][self.every]:
            for cols in slices[a if self.symmetric else 0 :]:
                totals[a] += self._block(p, grad, rows, cols)
        return totals.sum(), grad

    def _block(self, p: Tensor, grad: Tensor, rows: slice, cols: slice) -> Tensor:
        times = 2 if self.symmetric and rows != cols else 1
        with torch.set_grad_enabled(self.want_grad):
            left = p[rows].requires_grad_(self.want_grad)
            right = p[cols].requires_grad_(self.want_grad)
            total = times * self.ordered(left, right, self.same_at(rows, cols))
        if self.want_grad:
            of_left, of_right = torch.autograd.grad(total, (left, right), materialize_grads=True)
            grad[rows] += of_left
            grad[cols] += of_right
        return total.detach()


class _Blockwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, p: Tensor, walk: _Walk) -> Tensor:
        total, grad = walk(p.detach())
        ctx.save_for_backward(grad)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor, None]:
        (grad,) = ctx.saved_tensors
        return grad_output * grad, None
