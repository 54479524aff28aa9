"""ADC: associative deep clustering.

Haeusser, Plapp, Golkov, Aljalbout and Cremers, "Associative deep clustering: training a classification
network with no labels", GCPR 2018; "released code" is jplapp/associative_deep_clustering.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from coterie._checks import Range, check_choice, check_flag, check_number
from coterie._errors import InputError, InputTypeError
from coterie.losses.inputs import check_alike, check_dense
from coterie.losses.pairs import full_precision

# The released code's: it bounds the logarithm of a transition that a plateaued softmax makes impossible.
EPS = 1e-8


def walker(a: Tensor, b: Tensor, labels: Tensor, *, eps: float = EPS) -> Tensor:
    """Cost of walks from a to b and back to a that end at another label (equations 1-3).

    With P_ab the softmax rows of ``a b'`` and P_ba those of ``b a'``, the walk ``P_aba = P_ab P_ba`` is held
    by cross entropy against the uniform distribution over the rows of `a` that share the start's label. (The
    paper prints P_ab here; its code and the work it cites use P_aba.)

    Parameters
    ----------
    a : float tensor of shape (n, e)
        Embeddings that have labels: centroids, or views of images.
    b : float tensor of shape (m, e)
        Embeddings without labels.
    labels : integer tensor of shape (n,)
        Labels of `a`, of any value.
    eps : float >= 0
        Added to each transition inside the logarithm, before rows are scaled to sum to 1 again.

    Returns
    -------
    tensor, scalar
        Mean over the rows of `a`, in [0, -log(eps)].

    Raises
    ------
    InputError, InputTypeError
        An argument has the wrong shape or type, or `a` and `b` differ in width.

    Examples
    --------
    >>> a = torch.tensor([[3.0, 0.0], [0.0, 3.0]])
    >>> walker(a, torch.tensor([[3.0, 0.0], [0.0, 3.0], [2.0, 0.0]]), torch.tensor([0, 1]))
    tensor(0.0004)
    """
    _check_pair("a", a, "b", b)
    _check_labels(labels, len(a))
    check_number("eps", eps, Range(0))
    with full_precision(a):
        scores = _widened(a) @ _widened(b).T
        there_and_back = scores.softmax(dim=1) @ scores.T.softmax(dim=1)
        same = (labels[:, None] == labels).to(scores.dtype)
        target = same / same.sum(dim=1, keepdim=True)
        return -(target * _log_transition(there_and_back, eps)).sum(dim=1).mean()


def visit(a: Tensor, b: Tensor, *, eps: float = EPS) -> Tensor:
    """Cost of rows of b that no walk from a reaches: cross entropy of the uniform against the mean of P_ab.

    Parameters
    ----------
    a : float tensor of shape (n, e)
    b : float tensor of shape (m, e)
    eps : float >= 0
        Added to each visit probability inside the logarithm, before they are scaled to sum to 1 again.

    Returns
    -------
    tensor, scalar
        In [log(m), -log(eps)]: smallest where all rows of `b` are visited alike.

    Raises
    ------
    InputError, InputTypeError
        An argument has the wrong shape or type, or `a` and `b` differ in width.

    Examples
    --------
    >>> visit(torch.zeros(2, 3), torch.ones(4, 3)), torch.tensor(4.0).log()
    (tensor(1.3863), tensor(1.3863))
    """
    _check_pair("a", a, "b", b)
    check_number("eps", eps, Range(0))
    with full_precision(a):
        visited = (_widened(a) @ _widened(b).T).softmax(dim=1).mean(dim=0)
        return -_log_transition(visited, eps).mean()


def norm(z: Tensor, *, reduction: str = "mean") -> Tensor:
    """Squared distance of the embeddings' lengths from 1 (the term of weight gamma).

    Parameters
    ----------
    z : float tensor of shape (n, e)
    reduction : {"mean", "sum"}
        The released code sums; the paper does not say.

    Returns
    -------
    tensor, scalar
        In [0, inf); a row of zeros costs 1 and has a gradient of zero.

    Examples
    --------
    >>> norm(torch.tensor([[3.0, 4.0], [1.0, 0.0]]), reduction="sum")
    tensor(16.)
    """
    _check_rows("z", z)
    check_choice("reduction", reduction, ("mean", "sum"))
    with full_precision(z):
        lengths: Tensor = torch.linalg.vector_norm(_widened(z), dim=1)
        costs = (lengths - 1).square()
        return costs.mean() if reduction == "mean" else costs.sum()


def sparsity(z: Tensor, *, reduction: str = "mean") -> Tensor:
    """Absolute values of the embeddings, which the released code penalises in addition to the paper's terms.

    Parameters
    ----------
    z : float tensor of shape (n, e)
    reduction : {"mean", "sum"}
        Over the rows; the released code sums.

    Returns
    -------
    tensor, scalar
        In [0, inf).

    Examples
    --------
    >>> sparsity(torch.tensor([[1.0, -2.0], [0.0, 1.0]]), reduction="sum")
    tensor(4.)
    """
    _check_rows("z", z)
    check_choice("reduction", reduction, ("mean", "sum"))
    with full_precision(z):
        costs = _widened(z).abs().sum(dim=1)
        return costs.mean() if reduction == "mean" else costs.sum()


def transformation(
    z: Tensor, z_aug: Tensor, logits: Tensor, logits_aug: Tensor, per_pair: bool = True
) -> Tensor:
    """Distance of every pair's similarity from what their clusters say (equation 4).

    Over all (2n)^2 ordered pairs of the stacked rows: ``|1 - z_i . z_j - H(p_i, p_j)|``, where H is the cross
    entropy and p_i, the softmax of the first row's logits, is a constant for the gradient.

    Parameters
    ----------
    z, z_aug : float tensors of shape (n, e)
        Embeddings of images and of one view of each.
    logits, logits_aug : float tensors of shape (n, k)
    per_pair : bool
        True: each pair has its own cross entropy, as in the paper. False: the mean over all pairs stands in
        its place, as in the released code.

    Returns
    -------
    tensor, scalar
        Mean over the pairs, in [0, inf).

    Raises
    ------
    InputError, InputTypeError
        An argument has the wrong shape or type, or numbers of rows or widths differ.

    Examples
    --------
    >>> z, logits = torch.eye(2), 20 * torch.eye(2)
    >>> transformation(z, z, logits, logits)
    tensor(9.5000)
    """
    _check_pair("z", z, "z_aug", z_aug)
    _check_pair("logits", logits, "logits_aug", logits_aug)
    check_flag("per_pair", per_pair)
    if not len(z) == len(z_aug) == len(logits) == len(logits_aug):
        raise InputError(
            "z, z_aug, logits, logits_aug must have the same number of rows, got "
            f"{len(z)}, {len(z_aug)}, {len(logits)}, {len(logits_aug)}."
        )
    with full_precision(z):
        rows = _widened(torch.cat([z, z_aug]))
        log_prob = _widened(torch.cat([logits, logits_aug])).log_softmax(dim=1)
        cross_entropy = -(log_prob.detach().exp() @ log_prob.T)
        if not per_pair:
            cross_entropy = cross_entropy.mean()
        return (1 - rows @ rows.T - cross_entropy).abs().mean()


def _log_transition(prob: Tensor, eps: float) -> Tensor:
    """Logarithm of rows (..., m) that sum to 1, after `eps` is added and they are made to sum to 1 again."""
    return (prob + eps).log() - math.log1p(eps * prob.shape[-1])


def _widened(x: Tensor) -> Tensor:
    """Half precision as float32: it has no digits for eps."""
    return x.float() if torch.finfo(x.dtype).bits < 32 else x


def _check_rows(name: str, value: object) -> None:
    if not isinstance(value, Tensor):
        raise InputTypeError(f"{name} must be a torch tensor, got {type(value).__name__}.")
    if not value.is_floating_point():
        raise InputTypeError(f"{name} must have a float dtype, got {value.dtype}.")
    check_dense(name, value)
    if value.ndim != 2 or value.numel() == 0:
        raise InputError(f"{name} must have two axes, neither of them empty, got shape {tuple(value.shape)}.")


def _check_pair(name: str, value: Tensor, other_name: str, other: Tensor) -> None:
    _check_rows(name, value)
    _check_rows(other_name, other)
    check_alike(name, value, other_name, other)
    if value.shape[1] != other.shape[1]:
        raise InputError(
            f"{name} and {other_name} must have the same width, got {value.shape[1]} and {other.shape[1]}."
        )


def _check_labels(labels: object, n: int) -> None:
    if not isinstance(labels, Tensor):
        raise InputTypeError(f"labels must be a torch tensor, got {type(labels).__name__}.")
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise InputTypeError(f"labels must have an integer dtype, got {labels.dtype}.")
    check_dense("labels", labels)
    if tuple(labels.shape) != (n,):
        raise InputError(f"labels must have shape ({n},) to match the rows of a, got {tuple(labels.shape)}.")
