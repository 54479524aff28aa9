"""L2C: the loss of a network that clusters whole sets.

Meier, Elezi, Amirian, Dürr and Stadelmann, "Learning neural models for end-to-end clustering", ANNPR 2018
(arXiv:1807.04001), section 3.2; "released code" is kutoga/learning2cluster.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from coterie._checks import Range, check_number
from coterie._errors import InputError, InputTypeError
from coterie.losses.inputs import check_alike, check_dense
from coterie.losses.numerics import floored, log_floored, probability_floor

_CLIP = 1e-7  # of the released code


def l2c(
    count_proba: Tensor,
    assignments: Sequence[Tensor],
    labels: Tensor,
    *,
    same_prior: float,
    weight: float = 5.0,
) -> dict[str, Tensor]:
    """Loss of a clustered batch of sets (section 3.2 of Meier et al. 2018): L_tot = L_cc + weight L_ca.

    Parameters
    ----------
    count_proba : float tensor of shape (N, k_max)
        P(k) of k = 1..k_max, rows in [0, 1] that sum to 1.
    assignments : sequence of k_max float tensors, the k-th of shape (N, n, k)
        P(l | x_i, k), rows in [0, 1] that sum to 1.
    labels : integer tensor of shape (N, n), or (N, n, n)
        Groups of the samples of each set, at most k_max in a set; or symmetric matrices of
        1 (same group), -1 (different) and 0 (unknown, ignored). A set in which pairs are unknown has no
        known number of groups and does not count in L_cc.
    same_prior : float in (0, 1)
        Expected share of same pairs, phi: 0.449 for n = 72 and k uniform in 1..5.
    weight : float >= 0
        Lambda.

    Returns
    -------
    dict of str to scalar tensor
        "count" (L_cc), "assignment" (L_ca) and "total", each in [0, inf).

    Raises
    ------
    InputError, InputTypeError
        An argument has the wrong shape, value or type.

    Examples
    --------
    >>> count = torch.tensor([[0.2, 0.8]])
    >>> assignments = [torch.ones(1, 3, 1), torch.tensor([[[0.9, 0.1], [0.8, 0.2], [0.1, 0.9]]])]
    >>> terms = l2c(count, assignments, torch.tensor([[0, 0, 1]]), same_prior=0.5)
    >>> {name: round(float(value), 4) for name, value in terms.items()}
    {'count': 0.2231, 'assignment': 0.393, 'total': 2.1882}
    """
    prior, weight = _check_prior(same_prior), check_number("weight", weight, Range(0))
    _check_outputs(count_proba, assignments)
    same, counts = _check_labels(labels, count_proba, assignments[0].shape[1])
    return l2c_terms(count_proba, assignments, same, counts, class_weights(prior), weight)


def l2c_terms(
    count_proba: Tensor,
    assignments: Sequence[Tensor],
    same: Tensor,
    counts: Tensor,
    class_weights: tuple[float, float],
    weight: float,
) -> dict[str, Tensor]:
    """Unchecked `l2c` over matrices (N, n, n) of 1, -1, 0 and true counts (N,), 0 where unknown."""
    count = cluster_count_loss(count_proba, counts)
    assignment = cluster_assignment_loss(same_probability(count_proba, assignments), same, class_weights)
    return {"count": count, "assignment": assignment, "total": count + weight * assignment}


def same_probability(count_proba: Tensor, assignments: Sequence[Tensor]) -> Tensor:
    """P_ij = sum_k P(k) sum_l P(l | x_i, k) P(l | x_j, k): (N, k_max), k_max times (N, n, k) -> (N, n, n)."""
    weighted = [count_proba[:, number, None, None] * part for number, part in enumerate(assignments)]
    return torch.cat(weighted, dim=2) @ torch.cat(list(assignments), dim=2).mT


def cluster_count_loss(count_proba: Tensor, counts: Tensor) -> Tensor:
    """L_cc = -log P(k), mean over the sets whose k is known: (N, k_max), (N,) with 0 unknown -> scalar."""
    known = counts > 0
    chosen = count_proba.gather(1, (counts - 1).clamp_min(0).unsqueeze(1)).squeeze(1)
    costs = -log_floored(chosen, probability_floor(chosen.dtype))
    return torch.where(known, costs, torch.zeros_like(costs)).sum() / known.sum().clamp_min(1)


def cluster_assignment_loss(same_proba: Tensor, same: Tensor, class_weights: tuple[float, float]) -> Tensor:
    """L_ca, the weighted binary cross entropy of P_ij over i < j: (N, n, n), (N, n, n) -> scalar.

    Probabilities are clipped to [1e-7, 1 - 1e-7] as in the released code, with gradient 1 beyond. The mean is
    over the known pairs of all sets.
    """
    n = same.shape[1]
    # by places and not by a mask, for whose count a GPU would wait
    i, j = torch.triu_indices(n, n, 1, device=same.device)
    proba, target = same_proba[:, i, j], same[:, i, j]
    clipped = 1 - floored(1 - floored(proba, _CLIP), _CLIP)
    of_same, of_different = class_weights
    costs = -torch.where(target > 0, of_same * clipped.log(), of_different * (1 - clipped).log())
    known = target != 0
    return torch.where(known, costs, torch.zeros_like(costs)).sum() / known.sum().clamp_min(1)


def pair_cross_entropy(pair_logits: Tensor, same: Tensor) -> Tensor:
    """Cross entropy of logits of "same cluster" over all known ordered pairs, which the paper does not have.

    Logits (N, n, n) and matrices (N, n, n) of 1, -1, 0 -> scalar. It trains the network on every pair;
    the assignments reach it only through the seeds.
    """
    known = (same != 0).to(pair_logits.dtype)
    costs = functional.binary_cross_entropy_with_logits(
        pair_logits, (same > 0).to(pair_logits.dtype), known, reduction="sum"
    )
    return costs / known.sum().clamp_min(1)


def class_weights(same_prior: float) -> tuple[float, float]:
    """phi_1 = c sqrt(1 - phi) of same pairs and phi_2 = c sqrt(phi) of different ones, which sum to 2.

    Examples
    --------
    >>> [round(weight, 4) for weight in class_weights(0.44901408)]
    [1.0511, 0.9489]
    """
    of_same, of_different = math.sqrt(1 - same_prior), math.sqrt(same_prior)
    c = 2 / (of_same + of_different)
    return c * of_same, c * of_different


def _check_prior(same_prior: object) -> float:
    prior = check_number("same_prior", same_prior, Range(0, above=True))
    if prior >= 1:
        raise InputError(f"same_prior must be a number in (0, 1), got {prior}")
    return prior


def _check_outputs(count_proba: Tensor, assignments: Sequence[Tensor]) -> None:
    """P(k) and one assignment for each k, of shapes that belong together."""
    if not isinstance(assignments, Sequence):
        raise InputTypeError(f"assignments must be a list of tensors, got {type(assignments).__name__}")
    for name, tensor in (("count_proba", count_proba), *_named(assignments)):
        if not isinstance(tensor, Tensor) or not tensor.is_floating_point():
            raise InputTypeError(f"{name} must be a floating point tensor, got {_came(tensor)}")
        check_dense(name, tensor)
        check_alike("count_proba", count_proba, name, tensor)
        if not bool(torch.isfinite(tensor).all()):
            raise InputError(f"{name} must be finite, got NaN or infinity")
    if count_proba.dim() != 2 or len(assignments) != count_proba.shape[1]:
        raise InputError(
            "count_proba must have shape (N, k_max) and assignments must hold k_max tensors, got shape "
            f"{tuple(count_proba.shape)} and {len(assignments)} tensors"
        )
    n = assignments[0].shape[1] if assignments[0].dim() == 3 else 0
    for k, (name, part) in enumerate(_named(assignments), start=1):
        if part.shape != (len(count_proba), n, k) or n < 2:
            raise InputError(
                f"{name} must have shape (N, n, {k}) with N={len(count_proba)} and the same n >= 2 for all "
                f"k, got {tuple(part.shape)}"
            )


def _named(assignments: Sequence[Tensor]) -> list[tuple[str, Tensor]]:
    return [(f"assignments[{number}]", part) for number, part in enumerate(assignments)]


def _came(value: object) -> str:
    return str(value.dtype) if isinstance(value, Tensor) else type(value).__name__


def _check_labels(labels: Tensor, count_proba: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """Matrices (N, n, n) of 1, -1, 0 and the true counts (N,), 0 where unknown."""
    if not isinstance(labels, Tensor) or labels.is_floating_point() or labels.is_complex():
        raise InputTypeError(f"labels must be an integer tensor, got {_came(labels)}")
    check_dense("labels", labels)
    sets, k_max = count_proba.shape
    if labels.shape == (sets, n):
        same = same_matrices(labels)
    elif labels.shape == (sets, n, n):
        same = labels
        if not bool((labels == labels.mT).all()) or int(labels.abs().amax()) > 1:
            raise InputError("labels: matrices of same/different must be symmetric, of 1, -1 and 0")
    else:
        raise InputError(
            f"labels must have shape ({sets}, {n}) or ({sets}, {n}, {n}), got {tuple(labels.shape)}"
        )
    counts = true_counts(same)
    if int(counts.amax()) > k_max:
        raise InputError(
            f"labels must have at most {k_max} groups in a set, as count_proba has, got {int(counts.amax())}"
        )
    return same, counts


def same_matrices(labels: Tensor) -> Tensor:
    """Labels (N, n), negative where unknown, as matrices (N, n, n) of 1 same, -1 different, 0 unknown.

    Examples
    --------
    >>> same_matrices(torch.tensor([[0, 0, -1]]))[0].tolist()
    [[1, 1, 0], [1, 1, 0], [0, 0, 0]]
    """
    equal = labels.unsqueeze(1) == labels.unsqueeze(2)
    known = (labels >= 0).unsqueeze(1) & (labels >= 0).unsqueeze(2)
    return torch.where(known, 2 * equal.long() - 1, 0)


def true_counts(same: Tensor) -> Tensor:
    """Number of groups of each set, 0 where a pair is unknown: (N, n, n) -> (N,).

    A sample whose row has no earlier sample of its group begins a group.

    Examples
    --------
    >>> true_counts(same_matrices(torch.tensor([[3, 3, 7], [1, -1, 1]]))).tolist()
    [2, 0]
    """
    n = same.shape[1]
    earlier = torch.ones(n, n, dtype=torch.bool, device=same.device).tril(-1)
    first = ~((same > 0) & earlier).any(dim=2)
    off = ~torch.eye(n, dtype=torch.bool, device=same.device)
    known = ((same != 0) | ~off).flatten(1).all(dim=1)
    return torch.where(known, first.sum(dim=1), 0)
