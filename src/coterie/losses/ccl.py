"""CCL: constrained clustering likelihood.

Hsu, Lv, Schlosser, Odom and Kira, "A probabilistic constrained clustering for transfer learning and image
category discovery", CVPR workshop 2018 (arXiv 1806.11078); "released code" is GT-RIPL/L2C.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from coterie.losses import pairs
from coterie.losses.numerics import complement_floor, floored, probability_floor
from coterie.losses.pairs import (
    DEFAULT_OPTIONS,
    PairOptions,
    blockwise_total,
    check_prob,
    check_same,
    columns,
    drop_unknown,
    full_precision,
    known_pairs,
    matrix_total,
    reduce_pairs,
    same_blocks,
)


def ccl(
    p: Tensor,
    same: Tensor,
    *,
    reduction: str = "mean",
    include_self: bool = False,
    eps: float = 0.0,
    kind_weights: tuple[float, float] | None = None,
) -> Tensor:
    """Negative log-likelihood of pairs of softmax rows (equations 1-3 of Hsu et al. 2018).

    Two rows share a cluster with probability ``p_i . p_j``: a similar pair costs ``-log(p_i . p_j)``, a
    dissimilar one ``-log(1 - p_i . p_j)``.

    Parameters
    ----------
    p : float tensor of shape (n, k)
        Softmax rows, in [0, 1], each summing to 1. Half precision is computed in float32, but the
        gradient of plateaued float16 rows overflows: take that softmax in float32.
    same : tensor of shape (n, n) or (n,)
        Symmetric matrix of 1 (similar), -1 (dissimilar) and 0 (unknown, ignored); or integer labels,
        -1 unknown: two rows are similar where their labels are equal. Labels of many rows are never
        expanded to (n, n): memory stays O(n k), and the gradient can be taken once.
    reduction : {"mean", "sum"}
        Mean or sum over the known unordered pairs i < j.
    include_self : bool
        As the released code counts: over the known ordered pairs, i = i among them, so that each i < j
        counts twice. With ``eps=1e-7`` and all pairs known this equals the released code's value.
    eps : float >= 0
        Added inside both logarithms (1e-7 in the released code).
    kind_weights : (w_similar, w_dissimilar) or None
        Factors of the cost for each kind of pair, >= 0. The mean still divides by the number of known
        pairs.

    Returns
    -------
    tensor, scalar
        In [0, inf) where eps is 0; zero, with a gradient of zero, where no pair is known.

    Raises
    ------
    InputError, InputTypeError
        An argument has the wrong shape, value or type; `same` is not symmetric; `p` is not finite.

    Examples
    --------
    >>> import torch
    >>> p = torch.tensor([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9]])
    >>> ccl(p, torch.tensor([0, 0, 1]))
    tensor(0.2669)
    """
    options = PairOptions(reduction, include_self, eps, kind_weights)
    p = check_prob(p)
    same = check_same(same, p)
    with full_precision(p):
        return unchecked_ccl(p, same, options)


def unchecked_ccl(
    p: Tensor, same: Tensor, options: PairOptions = DEFAULT_OPTIONS, weight: Tensor | None = None
) -> Tensor:
    """`ccl` over a valid int8 matrix (n, n) or int64 labels (n,), for every step; not for autocast."""
    if weight is not None or len(p) <= pairs.DENSE_LIMIT:
        return ccl_matrix(p, same, options, weight)
    return ccl_blockwise(p, same, options)


def ccl_matrix(
    p: Tensor, same: Tensor, options: PairOptions = DEFAULT_OPTIONS, weight: Tensor | None = None
) -> Tensor:
    """`unchecked_ccl` with a matrix (n, n) of costs, in O(n^2) memory.

    ``same`` may be labels (n,); weight (n, n): how much each pair counts.
    """

    def costs(rows: slice, counted: Tensor) -> Tensor:
        return _ordered(p[rows], p, counted, options, None if weight is None else weight[rows])

    return _reduce(*matrix_total(p, same, options.include_self, costs), options)


def ccl_blockwise(p: Tensor, same: Tensor, options: PairOptions = DEFAULT_OPTIONS) -> Tensor:
    """`unchecked_ccl` block by block: no n x n intermediates."""
    p, same = drop_unknown(p, same)
    ordered = partial(_ordered, options=options)
    total = blockwise_total(p, same_blocks(same, options.include_self), ordered, symmetric=True)
    return _reduce(total, known_pairs(same, options.include_self), options)


def _reduce(ordered_total: Tensor, known: Tensor, options: PairOptions) -> Tensor:
    return reduce_pairs(ordered_total if options.include_self else ordered_total / 2, known, options)


def _ordered(
    rows: Tensor, cols: Tensor, same: Tensor, options: PairOptions, weight: Tensor | None = None
) -> Tensor:
    """Sum of the costs over i, j: rows (a, k), (b, k), int8 (a, b) -> scalar (equation 3)."""
    sign = same.to(rows.dtype)
    log_likelihood = _likelihood(rows, cols, sign, options.eps).log()
    if options.kind_weights is not None:
        similar, dissimilar = options.kind_weights
        log_likelihood = log_likelihood * (similar * sign.relu() + dissimilar * sign.neg().relu_())
    return -(log_likelihood if weight is None else weight * log_likelihood).sum()


def _likelihood(rows: Tensor, cols: Tensor, sign: Tensor, eps: float) -> Tensor:
    """Equations 1-2, floored: ``p_i . p_j`` where ``sign`` (a, b) is 1, 1 minus it where -1, and 1 where 0.

    One signed sum keeps one matrix for the backward pass; selecting between two products keeps four.
    """
    offset = 1 - sign.relu()
    likelihood = torch.addcmul(offset, sign, columns(rows).T @ columns(cols))
    if eps:
        likelihood = likelihood + eps * sign.abs()
    floor = offset.mul_(complement_floor(sign.dtype)).add_(probability_floor(sign.dtype))
    return floored(likelihood, floor)
