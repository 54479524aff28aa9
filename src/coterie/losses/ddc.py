"""DDC: divergence-based clustering on the kernel of the last hidden layer.

Kampffmeyer, Løkse, Bianchi, Livi, Salberg and Jenssen, "Deep divergence-based approach to clustering",
Neural Networks 2019 (arXiv 1902.04981); "released code" is DanielTrosten/mvc and tk-uco, of the same group.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from coterie._checks import Range, check_choice, check_number
from coterie._errors import InputError, InputTypeError
from coterie.losses.inputs import check_dense
from coterie.losses.numerics import log_floored, probability_floor, variance_floor, with_value_of
from coterie.losses.pairs import check_prob, full_precision

# Above this many rows the median is taken over the distances of this many of them: sorting n^2 numbers would
# cost more than the kernel.
MEDIAN_ROWS = 512

# Floors of the released code under a between-cluster sum and under a product of two within-cluster sums. With
# them an unused cluster costs as much as two clusters that coincide, and a collapsed run is ranked last.
BETWEEN_FLOOR = 1e-9
WITHIN_FLOOR = 1e-18

# Density (at most 1) below which a cluster is absent at a row: clusters e^-20 apart are apart.
DENSITY_FLOOR = 2e-9

# `corners` of a row at another corner, and the share of it that `raised_corners` leaves.
FAR_CORNER = math.exp(-2)
FAR_CORNER_LEFT = 1e-3

BANDWIDTH_RULES = ("squared", "distance")
REDUCTIONS = ("mean", "paper")
DIVERGENCES = ("cs", "kl")
KERNELS = ("gaussian", "cosine")
SIZES = ("equal", "free")


@dataclass(frozen=True)
class DDCOptions:
    """How the three terms are computed; checked once, when it is made.

    Attributes
    ----------
    bandwidth : float > 0
    bandwidth_rule : {"squared", "distance"}
    reduction : {"mean", "paper"}
    divergence : {"cs", "kl"}
        `cs_divergence` or `kl_divergence`.
    kernel : {"gaussian", "cosine"}
        `gaussian_kernel` or `cosine_kernel`, which has no bandwidth.
    sizes : {"equal", "free"}
        `orthogonality` between rows and `corners`, which favour equal clusters, or `column_orthogonality`
        and `raised_corners`.
    """

    bandwidth: float = 0.15
    bandwidth_rule: str = "squared"
    reduction: str = "mean"
    divergence: str = "cs"
    kernel: str = "gaussian"
    sizes: str = "equal"

    def __post_init__(self) -> None:
        check_number("bandwidth", self.bandwidth, Range(0, above=True))
        for name, choices in (
            ("bandwidth_rule", BANDWIDTH_RULES),
            ("reduction", REDUCTIONS),
            ("divergence", DIVERGENCES),
            ("kernel", KERNELS),
            ("sizes", SIZES),
        ):
            check_choice(name, getattr(self, name), choices)


DEFAULT_OPTIONS = DDCOptions()


def ddc(  # noqa: PLR0913 - the published contract names these arguments
    hidden: Tensor,
    p: Tensor,
    *,
    bandwidth: float = 0.15,
    bandwidth_rule: str = "squared",
    reduction: str = "mean",
    divergence: str = "cs",
    kernel: str = "gaussian",
    sizes: str = "equal",
    bandwidth_from: Tensor | None = None,
) -> dict[str, Tensor]:
    """The three terms of the DDC loss, to be minimised (equation 4 of Kampffmeyer et al. 2019).

    Parameters
    ----------
    hidden : float tensor of shape (n, e)
        The last hidden layer, whose kernel says which rows are alike.
    p : float tensor of shape (n, k)
        Softmax rows, in [0, 1], each summing to 1. Half precision is computed in float32.
    bandwidth : float > 0
        Factor of the median in the kernel's bandwidth.
    bandwidth_rule : {"squared", "distance"}
        "squared" (released code): variance ``bandwidth * median(squared distance)`` over all n^2 entries.
        "distance" (paper): standard deviation ``bandwidth * median(distance)`` over the pairs i < j. With
        0.15 the first kernel is 2.6 times wider. The bandwidth is a constant for the gradient.
    reduction : {"mean", "paper"}
        "mean" (released code): mean over the pairs of clusters and of rows. "paper": the divergences
        summed and divided by k, the inner products of rows summed; at n = 100 these then weigh 4950 times
        more.
    divergence : {"cs", "kl"}
        Cauchy-Schwarz, or the symmetrised Kullback-Leibler divergence in its place (section 4.8).
    kernel : {"gaussian", "cosine"}
        What says how alike two rows are: a Gaussian kernel, or their cosine (section 4.8), which has no
        bandwidth.
    sizes : {"equal", "free"}
        "free" takes `column_orthogonality` and `raised_corners` in place of the paper's terms, which favour
        clusters of equal size.
    bandwidth_from : float tensor of shape (n, f), optional
        Rows whose distances give the bandwidth: those of the first layer in section 4.6. None: `hidden`.

    Returns
    -------
    dict of str to scalar tensor
        "divergence", "orthogonality" and "corners", each >= 0; with "mean" each in [0, 1], and 1 where all
        rows are in one cluster (0 where k = 1, which leaves nothing to separate).

    Raises
    ------
    InputError, InputTypeError
        An argument has the wrong shape, value or type, or is not finite.

    Notes
    -----
    Values have the floors of the released code. Below them its gradient is zero, so that a cluster that
    has gone empty stays empty; here the gradient is that of the equation itself and of a pull out of the
    floor.

    Examples
    --------
    >>> import torch
    >>> hidden = torch.tensor([[0.0], [0.2], [3.0], [3.1]])
    >>> p = torch.tensor([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.1, 0.9]])
    >>> {name: round(float(term), 4) for name, term in ddc(hidden, p).items()}
    {'divergence': 0.2714, 'orthogonality': 0.4067, 'corners': 0.4277}
    """
    options = DDCOptions(bandwidth, bandwidth_rule, reduction, divergence, kernel, sizes)
    p = check_prob(p)
    hidden = _check_hidden("hidden", hidden, p)
    if bandwidth_from is not None:
        bandwidth_from = _check_hidden("bandwidth_from", bandwidth_from, p)
    with full_precision(p):
        return ddc_terms(hidden, p, options, bandwidth_from)


def ddc_terms(
    hidden: Tensor,
    p: Tensor,
    options: DDCOptions = DEFAULT_OPTIONS,
    bandwidth_from: Tensor | None = None,
) -> dict[str, Tensor]:
    """Unchecked `ddc`, for every training step; call it outside autocast."""
    gaussian = options.kernel == "gaussian"
    kernel = gaussian_kernel(hidden, options, bandwidth_from) if gaussian else cosine_kernel(hidden)
    between = cs_divergence if options.divergence == "cs" else kl_divergence
    equal = options.sizes == "equal"
    right_angles, closeness = (orthogonality, corners) if equal else (column_orthogonality, raised_corners)
    return {
        "divergence": between(kernel, p, options.reduction),
        "orthogonality": right_angles(p, options.reduction),
        "corners": between(kernel, closeness(p), options.reduction),
    }


def gaussian_kernel(
    hidden: Tensor, options: DDCOptions = DEFAULT_OPTIONS, bandwidth_from: Tensor | None = None
) -> Tensor:
    """``exp(-|h_q - h_l|^2 / (2 sigma^2))``: rows (n, e) -> (n, n) in [0, 1] (section 3.1.1)."""
    squared = _squared_distances(hidden)
    measured = squared if bandwidth_from is None else _squared_distances(bandwidth_from)
    step = -(-len(hidden) // MEDIAN_ROWS)
    variance = _variance(measured.detach()[::step, ::step], options)
    return torch.exp(squared / (-2 * variance.clamp_min(variance_floor(hidden.detach()))))


def cosine_kernel(hidden: Tensor) -> Tensor:
    """Cosine of each two rows: rows (n, e) -> (n, n) in [0, 1], 1 on the diagonal (section 4.8).

    Rows more than a right angle apart have nothing in common: densities are not negative.
    """
    squared = hidden.square().sum(dim=1, keepdim=True)
    unit = hidden / (squared + variance_floor(hidden.detach())).sqrt()
    itself = torch.eye(len(hidden), dtype=torch.bool, device=hidden.device)
    return torch.where(itself, 1, (unit @ unit.T).clamp_min(0))


def _squared_distances(rows: Tensor) -> Tensor:
    """Rows (n, e) -> (n, n), exactly zero on the diagonal."""
    # Centred: far from the origin the products of rows would swamp their distances.
    rows = rows - rows.mean(dim=0).detach()
    norms = rows.square().sum(dim=1)
    squared = (norms[:, None] + norms - 2 * rows @ rows.T).clamp_min(0)
    return squared - squared.diagonal().diag_embed()


def _variance(squared: Tensor, options: DDCOptions) -> Tensor:
    """The kernel's variance from squared distances (m, m); their mean stands in for a median of zero.

    More than half of the distances are zero where rows repeat; a kernel of no width would be constant.
    """
    if options.bandwidth_rule == "squared" or len(squared) == 1:
        median, factor = squared.flatten().median(), options.bandwidth
    else:
        upper = torch.triu_indices(len(squared), len(squared), 1, device=squared.device)
        distances = squared[upper[0], upper[1]].sqrt()
        # torch takes the lower of two middle values; the paper's vectors have the mean of both
        median, factor = ((distances.median() - (-distances).median()) / 2).square(), options.bandwidth**2
    return factor * torch.where(median > 0, median, squared.mean())


def cs_divergence(kernel: Tensor, assignments: Tensor, reduction: str = "mean") -> Tensor:
    """Cauchy-Schwarz divergence of the clusters without its logarithm (equation 3), to be minimised.

    The cosine ``a_i' K a_j / sqrt(a_i' K a_i  a_j' K a_j)`` of each pair of clusters in the kernel's space.

    Parameters
    ----------
    kernel : tensor of shape (n, n)
        Symmetric, in [0, 1], 1 on the diagonal.
    assignments : tensor of shape (n, k)
        Non-negative: column i says how much each row belongs to cluster i.
    reduction : {"mean", "paper"}
        Mean over the pairs i < j, or their sum over k.

    Returns
    -------
    tensor, scalar
        In [0, 1] with "mean".

    Examples
    --------
    >>> import torch
    >>> cs_divergence(torch.eye(2), torch.tensor([[0.8, 0.2], [0.2, 0.8]]))
    tensor(0.4706)
    """
    # A cosine does not depend on a column's length; at length 1 no cluster is too small for its gradient.
    scale = assignments.detach().amax(dim=0).clamp_min(probability_floor(assignments.dtype))
    scaled = assignments / scale
    sums = scaled.T @ kernel @ scaled
    # At least 1 by the kernel's diagonal, unless the column is zero throughout.
    within = sums.diagonal().clamp_min(1)
    cosines = sums / (within[:, None] * within).sqrt()
    means = log_floored(assignments.mean(dim=0), probability_floor(assignments.dtype))
    return _over_clusters(_with_floors(cosines, sums.detach() * scale[:, None] * scale, means), reduction)


def _with_floors(cosines: Tensor, sums: Tensor, log_means: Tensor) -> Tensor:
    """Cosines (k, k) with the released code's floors as numbers, and a gradient that leads out of them.

    Where it has none, a cluster below the floor is pulled up by the logarithm of its mean membership (k,),
    whose gradient in the logits is the same however empty the cluster is.
    """
    products = sums.diagonal()[:, None] * sums.diagonal()
    value = sums.clamp_min(BETWEEN_FLOOR) / products.clamp_min(WITHIN_FLOOR).sqrt()
    emptiness = -(log_means[:, None] + log_means) / 2
    return with_value_of(cosines + torch.where(products < WITHIN_FLOOR, emptiness, 0), value)


def kl_divergence(kernel: Tensor, assignments: Tensor, reduction: str = "mean") -> Tensor:
    """Symmetrised Kullback-Leibler divergence in place of the Cauchy-Schwarz one (section 4.8).

    The paper gives no formula. Here each cluster's density is its Parzen estimate at the rows of the batch,
    the divergence J of a pair is their expected log-ratio in both directions, and the term is
    ``exp(-J / 2)``, which like the cosine is 1 where clusters coincide and 0 where they are apart.

    Parameters
    ----------
    kernel : tensor of shape (n, n)
    assignments : tensor of shape (n, k)
    reduction : {"mean", "paper"}
        As in `cs_divergence`.

    Returns
    -------
    tensor, scalar
        In [0, 1] with "mean".

    Examples
    --------
    >>> import torch
    >>> kl_divergence(torch.eye(2), torch.tensor([[0.8, 0.2], [0.2, 0.8]]))
    tensor(0.4353)
    """
    # an empty cluster gets a little of every row, and so is one that coincides with all of them
    spread = assignments + probability_floor(assignments.dtype)
    shares = spread / spread.sum(dim=0)
    # below the floor without a gradient: clusters that are this far apart have nothing left to gain
    log_density = (kernel @ shares).clamp_min(DENSITY_FLOOR).log()
    expected = shares.T @ log_density
    own = expected.diagonal()
    jeffreys = (own[:, None] + own - expected - expected.T).clamp_min(0)
    return _over_clusters(torch.exp(-jeffreys / 2), reduction)


def orthogonality(p: Tensor, reduction: str = "mean") -> Tensor:
    """Inner products of the rows of pairs q < l: ``triu(A A')``, smallest in clusters of equal size (eq. 4).

    Parameters
    ----------
    p : tensor of shape (n, k)
    reduction : {"mean", "paper"}
        Mean over the n (n - 1) / 2 pairs, or their sum.

    Returns
    -------
    tensor, scalar

    Examples
    --------
    >>> import torch
    >>> orthogonality(torch.tensor([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]]), "paper")
    tensor(1.)
    """
    n = len(p)
    total = (p.sum(dim=0).square().sum() - p.square().sum()) / 2
    return total / max(1, n * (n - 1) // 2) if reduction == "mean" else total


def column_orthogonality(p: Tensor, reduction: str = "mean") -> Tensor:
    """Cosines between the columns of the assignments, whatever the sizes of their clusters.

    Zero where each row is in one cluster alone, as `orthogonality` would have it, but without the part of
    that sum that only equal sizes make small. Not in the paper, which leaves unequal clusters open.

    Parameters
    ----------
    p : tensor of shape (n, k)
    reduction : {"mean", "paper"}
        As in `cs_divergence`, of which this is the case of a kernel that separates all rows.

    Returns
    -------
    tensor, scalar

    Examples
    --------
    >>> import torch
    >>> column_orthogonality(torch.tensor([[0.9, 0.1], [0.9, 0.1], [0.1, 0.9]]))
    tensor(0.2321)
    """
    return cs_divergence(torch.eye(len(p), dtype=p.dtype, device=p.device), p, reduction)


def corners(p: Tensor) -> Tensor:
    """``m_qi = exp(-|p_q - e_i|^2)``: closeness of rows (n, k) to the simplex corners, (n, k) in (0, 1]."""
    return torch.exp(2 * p - p.square().sum(dim=1, keepdim=True) - 1)


def raised_corners(p: Tensor) -> Tensor:
    """`corners` above what a row at another corner has of them: rows (n, k) -> (n, k) in (0, 1].

    That is e^-2, which counts little in a cluster of n / k rows and is nearly all of a small one, so that
    small clusters look alike. A thousandth of it is left, as columns of zeros have no direction.
    """
    return (corners(p) - (1 - FAR_CORNER_LEFT) * FAR_CORNER).clamp_min(FAR_CORNER_LEFT * FAR_CORNER)


def _over_clusters(pairs: Tensor, reduction: str) -> Tensor:
    """Pairs of clusters (k, k) -> mean over i < j, or their sum over k; zero where k = 1."""
    k = len(pairs)
    total = pairs.triu(1).sum()
    return total / max(1, k * (k - 1) // 2) if reduction == "mean" else total / k


def _check_hidden(name: str, hidden: object, p: Tensor) -> Tensor:
    """The hidden rows (n, e), checked against `p`, in its type."""
    if not isinstance(hidden, Tensor):
        raise InputTypeError(f"{name} must be a torch tensor, got {type(hidden).__name__}.")
    if not hidden.is_floating_point():
        raise InputTypeError(f"{name} must have a float dtype, got {hidden.dtype}.")
    if hidden.ndim != 2 or len(hidden) != len(p) or hidden.numel() == 0:
        raise InputError(
            f"{name} must have shape ({len(p)}, e) to match the rows of p, got {tuple(hidden.shape)}."
        )
    if hidden.device != p.device:
        raise InputError(f"{name} must be on the device of p ({p.device}), got {hidden.device}.")
    check_dense(name, hidden)
    if not bool(hidden.detach().isfinite().all()):
        raise InputError(f"{name} must be finite, got NaN or inf: look for a diverged network or NaN inputs.")
    return hidden.to(p.dtype)
