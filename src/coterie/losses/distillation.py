"""Heads on fixed features: agreement with a teacher about neighbors, and learning from confident labels.

Adaloglou, Michels, Kalisch and Kollmann, "Exploring the limits of deep image clustering using pretrained
models", BMVC 2023 (TEMI, arXiv:2303.17896); Van Gansbeke, Vandenhende, Georgoulis, Proesmans and Van Gool,
"SCAN: learning to classify images without labels", ECCV 2020 (arXiv:2005.12320).
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from coterie._checks import Range, check_number
from coterie._errors import InputError
from coterie.losses.numerics import log_floored, probability_floor

BETA = 0.6


def neighbor_information(student: Tensor, teacher: Tensor, shares: Tensor, *, beta: float = BETA) -> Tensor:
    """Pointwise mutual information of a sample's cluster and its neighbor's (equations 4 and 7 of TEMI).

    Parameters
    ----------
    student : float tensor of shape (b, k)
        Probabilities of the samples, rows that sum to 1.
    teacher : float tensor of shape (b, k)
        Probabilities of their neighbors.
    shares : float tensor of shape (k,)
        Probability of each cluster over all samples.
    beta : float in (0, 1]
        Exponent of the joint probability; below 1 it keeps clusters from being emptied.

    Returns
    -------
    tensor of shape (b,)
        ``log(sum_c (student teacher)^beta / shares)``; largest, log k for beta = 1, where both are sure of
        the same cluster and all clusters are equally frequent.

    Raises
    ------
    InputError, InputTypeError
        Shapes do not match, or beta is not in (0, 1].

    Examples
    --------
    >>> import torch
    >>> sure = torch.eye(2)
    >>> neighbor_information(sure, sure, torch.tensor([0.5, 0.5]), beta=1.0)
    tensor([0.6931, 0.6931])
    """
    if student.dim() != 2 or student.shape != teacher.shape or shares.shape != student.shape[1:]:
        raise InputError(
            "student and teacher must have shape (b, k) and shares (k,), got "
            f"{tuple(student.shape)}, {tuple(teacher.shape)} and {tuple(shares.shape)}"
        )
    if check_number("beta", beta, Range(0, above=True)) > 1:
        raise InputError(f"beta={beta} must be in (0, 1]")
    floor = probability_floor(student.dtype)
    joint = (student * teacher).clamp_min(floor).pow(beta)
    return log_floored((joint / shares.clamp_min(floor)).sum(dim=1), floor)


def confident_labels(teacher: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """A teacher's labels, and the samples of which it is surest.

    Parameters
    ----------
    teacher : float tensor of shape (b, k)
        Rows that sum to 1.
    share : float in (0, 1]
        Share of the samples to learn from.

    Returns
    -------
    labels : int64 tensor of shape (b,)
    sure : bool tensor of shape (b,)
        At least one.

    Examples
    --------
    >>> import torch
    >>> labels, sure = confident_labels(torch.tensor([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]]), 0.67)
    >>> labels.tolist(), sure.tolist()
    ([0, 0, 1], [True, False, True])
    """
    certainty, labels = teacher.max(dim=1)
    n_sure = max(1, int(share * len(certainty)))
    return labels, certainty >= certainty.topk(n_sure).values[-1]


def self_label(logits: Tensor, labels: Tensor, sure: Tensor, *, smoothing: float) -> Tensor:
    """Cross entropy with a teacher's labels over the samples of which it is sure (section 2.3 of SCAN).

    Parameters
    ----------
    logits : float tensor of shape (b, k)
    labels : int64 tensor of shape (b,)
    sure : bool tensor of shape (b,)
    smoothing : float in [0, 1)
        Share of the target that is spread over all clusters.

    Returns
    -------
    tensor, scalar
        Mean over the sure samples; 0 without any.

    Examples
    --------
    >>> import torch
    >>> logits = torch.tensor([[9.0, 0.0], [0.0, 9.0]])
    >>> self_label(logits, torch.tensor([0, 0]), torch.tensor([True, False]), smoothing=0.0)
    tensor(0.0001)
    """
    each = functional.cross_entropy(logits, labels, reduction="none", label_smoothing=smoothing)
    return (each * sure).sum() / sure.sum().clamp_min(1)
