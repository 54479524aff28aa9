"""The head of a similarity network: from two embeddings to the log odds that they are of one class.

Hsu, Lv and Kira, "Learning to cluster in order to transfer across domains and tasks" (2018), and Hsu, Lv,
Schlosser, Odom and Kira, arXiv:1806.11078.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from coterie.nn.global_tensors import global_rows
from coterie.nn.sync_batchnorm import SyncBatchNorm

# Numbers of a block of hidden units over all pairs: 2.5 MB of float32, which stays in the processor's cache.
_BLOCK_NUMBERS = 640_000
# A graphics card wants few large kernels instead.
_BLOCK_NUMBERS_ACCELERATOR = 64_000_000
_CHUNK_PAIRS = 1024


class PairHead(nn.Module):
    """Linear(2e, h), batch norm, ReLU, Linear(h, 2) on the concatenated embeddings of every pair of rows.

    Nothing is concatenated: the first layer on a pair is the sum of two projections, so each row is projected
    once as the first and once as the second of a pair, and the batch statistics over all n^2 ordered pairs
    follow from those of the projections. What is left for each pair is a sum, a maximum and a product for
    each hidden unit. The value is the second output minus the first: its sigmoid is the softmax probability
    of the second class, "same".

    Parameters
    ----------
    in_features : int
        Width e of an embedding.
    hidden_features : int
        Width h of the hidden layer.
    symmetric : bool, default=True
        Average the log odds of both orders of a pair.

    Attributes
    ----------
    hidden : nn.Linear
        Its weight (2h, e) holds the projection as the first of a pair above that as the second: side by side
        the two halves are the weight (h, 2e) of the layer on concatenated rows. It has no bias, which the
        batch norm would take off again.
    norm : nn.BatchNorm1d
    out : nn.Linear
        Two outputs: different, same.

    Examples
    --------
    >>> head = PairHead(8, 32)
    >>> tuple(head(torch.randn(5, 8)).shape)
    (5, 5)
    """

    def __init__(self, in_features: int, hidden_features: int, *, symmetric: bool = True) -> None:
        super().__init__()
        self.in_features = in_features
        self.symmetric = symmetric
        self.hidden = nn.Linear(in_features, 2 * hidden_features, bias=False)
        # as wide as a layer of 2e inputs would start
        nn.init.uniform_(self.hidden.weight, -((2 * in_features) ** -0.5), (2 * in_features) ** -0.5)
        self.norm = nn.BatchNorm1d(hidden_features)
        self.out = nn.Linear(hidden_features, 2)

    def forward(self, embedding: Tensor) -> Tensor:
        """Log odds of "same": embedding (n, e) -> (n, m), rows of this process against all m global rows.

        With one process, or before `convert_batchnorm`, m = n. In training mode the batch statistics are
        those of all m^2 ordered pairs, pairs of a row with itself among them.
        """
        first, second = self.project(embedding)
        joint = isinstance(self.norm, SyncBatchNorm)
        all_first, all_second = (global_rows(part) if joint else part for part in (first, second))
        shift, scale = self._normalisation(all_first, all_second)
        weight, bias = self._difference()
        first, second = first * scale + shift, second * scale
        if len(all_second) == len(second):
            odds = pair_sums(first, second, weight) + bias
            return (odds + odds.T) / 2 if self.symmetric else odds
        odds = pair_sums(first, all_second * scale, weight) + bias
        if not self.symmetric:
            return odds
        return (odds + (pair_sums(all_first * scale + shift, second, weight) + bias).T) / 2

    def project(self, embedding: Tensor) -> tuple[Tensor, Tensor]:
        """The first layer's share of a row as the first and as the second of a pair: (n, e) -> two (n, h)."""
        first, second = self.hidden(embedding).chunk(2, dim=1)
        return first, second

    def listed(self, embedding: Tensor, i: Tensor, j: Tensor) -> Tensor:
        """Log odds of listed pairs with the stored statistics: (n, e), rows i and j (m,) -> (m,)."""
        first, second = self.project(embedding)
        shift, scale = _affine(self.norm, *_stored(self.norm))
        first, second = first * scale + shift, second * scale
        odds = self._listed(first, second, i, j)
        return (odds + self._listed(first, second, j, i)) / 2 if self.symmetric else odds

    def _listed(self, first: Tensor, second: Tensor, i: Tensor, j: Tensor) -> Tensor:
        weight, bias = self._difference()
        parts = zip(torch.split(i, _CHUNK_PAIRS), torch.split(j, _CHUNK_PAIRS), strict=True)
        return torch.cat([(first[a] + second[b]).relu() @ weight + bias for a, b in parts])

    def _difference(self) -> tuple[Tensor, Tensor]:
        """The last layer's row of "same" minus that of "different"."""
        return self.out.weight[1] - self.out.weight[0], self.out.bias[1] - self.out.bias[0]

    def _normalisation(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """Shift and scale of the batch norm, from this batch in training mode, else as stored."""
        if not self.training:
            return _affine(self.norm, *_stored(self.norm))
        # first and second vary independently over the grid of all ordered pairs, so that variances add up
        mean = first.mean(0) + second.mean(0)
        variance = first.var(0, correction=0) + second.var(0, correction=0)
        self._update_running(mean.detach(), variance.detach(), len(first) ** 2)
        return _affine(self.norm, mean, variance)

    def _update_running(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """Move the stored statistics as `nn.BatchNorm1d` does, the variance without its bias."""
        stored_mean, stored_variance = _stored(self.norm)
        assert self.norm.num_batches_tracked is not None
        assert self.norm.momentum is not None
        self.norm.num_batches_tracked.add_(1)
        stored_mean.lerp_(mean, self.norm.momentum)
        stored_variance.lerp_(variance * (count / max(1, count - 1)), self.norm.momentum)


def _stored(norm: nn.BatchNorm1d) -> tuple[Tensor, Tensor]:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    return norm.running_mean, norm.running_var


def _affine(norm: nn.BatchNorm1d, mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
    """Batch norm as x * scale + shift."""
    scale = norm.weight * torch.rsqrt(variance + norm.eps)
    return norm.bias - mean * scale, scale


def pair_sums(first: Tensor, second: Tensor, weight: Tensor) -> Tensor:
    """Sum over units k of weight_k * relu(first_ik + second_jk) for all i, j.

    Its memory is O(n m + h (n + m)): the values of a block of units over all pairs are made, used and
    overwritten, and computed again in the backward pass.

    Parameters
    ----------
    first : tensor of shape (n, h)
    second : tensor of shape (m, h)
    weight : tensor of shape (h,)

    Returns
    -------
    tensor of shape (n, m)
        Differentiable once.

    Examples
    --------
    >>> pair_sums(torch.tensor([[1.0], [-1.0]]), torch.tensor([[0.5]]), torch.tensor([2.0]))
    tensor([[3.],
            [0.]])
    """
    return cast(Tensor, _PairSums.apply(first, second, weight))  # type: ignore[no-untyped-call]


class _PairSums(torch.autograd.Function):
    """Block by block over the hidden units."""

    @staticmethod
    def forward(ctx: Any, first: Tensor, second: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(first, second, weight)
        n, m = len(first), len(second)
        # units lead, so that a block is one matrix (units, pairs); relu(a + b) = max(a, -b) + b saves a pass
        left, right = first.T.contiguous(), second.neg().T.contiguous()
        total = first.new_zeros(1, n * m)
        for units, (larger,) in _blocks(_memory(left, n * m), len(left)):
            torch.maximum(left[units, :, None], right[units, None, :], out=larger.view(-1, n, m))
            total.addmm_(weight[None, units], larger)
        return total.view(n, m) + second @ weight

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        first, second, weight = ctx.saved_tensors
        n, m = grad.shape
        left, right = first.T.contiguous(), second.T.contiguous()
        of_left, of_right = torch.empty_like(left), torch.empty_like(right)
        grad, ones = grad.contiguous(), grad.new_ones(m)
        for units, (active, passed) in _blocks(_memory(left, n * m, 2), len(left)):
            sums, kept = active.view(-1, n, m), passed.view(-1, n, m)
            torch.add(left[units, :, None], right[units, None, :], out=sums)
            torch.ops.aten.threshold_backward(grad.expand_as(sums), sums, 0, grad_input=kept)
            torch.sum(kept, 1, out=of_right[units])
            # a product with ones sums short rows faster than a sum does
            torch.mv(passed.view(-1, m), ones, out=of_left[units].view(-1))
        of_weight = (left * of_left).sum(1) + (right * of_right).sum(1)
        return of_left.T * weight, of_right.T * weight, of_weight


def _memory(like: Tensor, n_pairs: int, copies: int = 1) -> Tensor:
    """Room for a block of hidden units over all pairs, made once: fresh memory costs more than the sums."""
    numbers = _BLOCK_NUMBERS if like.device.type == "cpu" else _BLOCK_NUMBERS_ACCELERATOR
    return like.new_empty(copies, max(1, numbers // max(1, n_pairs)), n_pairs)


def _blocks(memory: Tensor, n_units: int) -> Iterator[tuple[slice, Tensor]]:
    """Slices of units, and for each the part of the memory (copies, units, pairs) that it fills."""
    size = memory.shape[1]
    for start in range(0, n_units, size):
        stop = min(start + size, n_units)
        yield slice(start, stop), memory[:, : stop - start]
