"""KCL: contrastive Kullback-Leibler divergence on pairs.

Hsu and Kira, "Neural network-based clustering using pairwise constraints", ICLR workshop 2016
(arXiv 1511.06321); "released code" is GT-RIPL/L2C.
"""

from __future__ import annotations

from functools import partial

from torch import Tensor

from coterie.losses import pairs
from coterie.losses.inputs import check_margin
from coterie.losses.numerics import log_floored, probability_floor
from coterie.losses.pairs import (
    DEFAULT_OPTIONS,
    PairOptions,
    blockwise_total,
    check_prob,
    check_same,
    columns,
    drop_unknown,
    full_precision,
    kinds,
    known_pairs,
    matrix_total,
    reduce_pairs,
    same_blocks,
)


def kcl(  # noqa: PLR0913 - the published contract names these arguments
    p: Tensor,
    same: Tensor,
    margin: float = 2.0,
    *,
    reduction: str = "mean",
    include_self: bool = False,
    eps: float = 0.0,
    kind_weights: tuple[float, float] | None = None,
) -> Tensor:
    """Contrastive KL divergence of pairs of softmax rows (equations 1-5 of Hsu and Kira 2016).

    A pair (P, Q) costs ``L = loss(P||Q) + loss(Q||P)``, where ``loss`` is ``KL`` for a similar pair and
    ``max(0, margin - KL)`` for a dissimilar one. The first argument of each KL is a constant for the
    gradient. Rows that are all equal are a stationary point of this loss; `ccl` has none there unless
    the rows are uniform or one-hot.

    Parameters
    ----------
    p : float tensor of shape (n, k)
        Softmax rows, in [0, 1], each summing to 1. Half precision is computed in float32, but the
        gradient of plateaued float16 rows overflows: take that softmax in float32.
    same : tensor of shape (n, n) or (n,)
        Symmetric matrix of 1 (similar), -1 (dissimilar) and 0 (unknown, ignored); or integer labels,
        -1 unknown: two rows are similar where their labels are equal. Labels of many rows are never
        expanded to (n, n): memory stays O(n k), and the gradient can be taken once.
    margin : float > 0, at most 1e6
        Divergence from which a dissimilar pair costs nothing.
    reduction : {"mean", "sum"}
        Mean or sum of L over the known unordered pairs i < j.
    include_self : bool
        As the released code counts: mean or sum of the one-directional ``loss`` over the known ordered
        pairs, i = i among them. With ``eps=1e-7`` and all pairs known this equals the released code's
        value; a sum differs from the default only by the self pairs, a mean is about half of it.
    eps : float >= 0
        Added to both rows before everything else (1e-7 in the released code).
    kind_weights : (w_similar, w_dissimilar) or None
        Factors of L for each kind of pair, >= 0. The mean still divides by the number of known pairs.

    Returns
    -------
    tensor, scalar
        In [0, inf); zero, with a gradient of zero, where no pair is known.

    Raises
    ------
    InputError, InputTypeError
        An argument has the wrong shape, value or type; `same` is not symmetric; `p` is not finite.

    Examples
    --------
    >>> import torch
    >>> p = torch.tensor([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9]])
    >>> kcl(p, torch.tensor([0, 0, 1]))
    tensor(0.6857)
    """
    check_margin(margin)
    options = PairOptions(reduction, include_self, eps, kind_weights)
    p = check_prob(p)
    same = check_same(same, p)
    with full_precision(p):
        return unchecked_kcl(p, same, margin, options)


def unchecked_kcl(
    p: Tensor,
    same: Tensor,
    margin: float = 2.0,
    options: PairOptions = DEFAULT_OPTIONS,
    weight: Tensor | None = None,
) -> Tensor:
    """`kcl` over a valid int8 matrix (n, n) or int64 labels (n,), for every step; not for autocast."""
    if weight is not None or len(p) <= pairs.DENSE_LIMIT:
        return kcl_matrix(p, same, margin, options, weight)
    return kcl_blockwise(p, same, margin, options)


def kcl_matrix(
    p: Tensor,
    same: Tensor,
    margin: float = 2.0,
    options: PairOptions = DEFAULT_OPTIONS,
    weight: Tensor | None = None,
) -> Tensor:
    """`unchecked_kcl` with a matrix (n, n) of costs, in O(n^2) memory.

    ``same`` may be labels (n,); weight (n, n): how much each pair counts.
    """

    def costs(rows: slice, counted: Tensor) -> Tensor:
        return _ordered(p[rows], p, counted, margin, options, None if weight is None else weight[rows])

    return reduce_pairs(*matrix_total(p, same, options.include_self, costs), options)


def kcl_blockwise(
    p: Tensor, same: Tensor, margin: float = 2.0, options: PairOptions = DEFAULT_OPTIONS
) -> Tensor:
    """`unchecked_kcl` block by block: no n x n intermediates."""
    p, same = drop_unknown(p, same)
    ordered = partial(_ordered, margin=margin, options=options)
    total = blockwise_total(p, same_blocks(same, options.include_self), ordered, symmetric=False)
    return reduce_pairs(total, known_pairs(same, options.include_self), options)


def _ordered(
    first: Tensor,
    second: Tensor,
    same: Tensor,
    margin: float,
    options: PairOptions,
    weight: Tensor | None = None,
) -> Tensor:
    """Sum over i, j of loss(first_i || second_j): rows (a, k), (b, k), int8 (a, b) -> scalar (equation 2)."""
    kl = _divergence(first.detach() + options.eps, second + options.eps)
    similar, dissimilar = kinds(same if weight is None else same * weight, kl.dtype)
    w_similar, w_dissimilar = options.kind_weights or (1.0, 1.0)
    return w_similar * (similar * kl).sum() + w_dissimilar * (dissimilar * (margin - kl).relu()).sum()


def _divergence(constant: Tensor, second: Tensor) -> Tensor:
    """KL(constant_i || second_j), rows (a, k), (b, k) -> (a, b) (equation 1)."""
    floor = probability_floor(second.dtype)
    negative_entropy = (constant * log_floored(constant, floor)).sum(1)
    return negative_entropy[:, None] - constant @ columns(log_floored(second, floor))
