"""Clusterings of the same samples brought to the same names, and their majority vote."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from coterie._checks import check_int
from coterie._errors import InputError, InputTypeError
from coterie.metrics.inputs import as_labels

Labels = npt.NDArray[np.int64]

# Small enough to leave shares what they are, large enough to survive a sum in float64 and a share of thirds.
TIE_BREAK = 1e-9
# tables of clusters by clusters take 800 MB then
MOST_CLUSTERS = 10_000


def align_clusters(reference: npt.ArrayLike, labels: npt.ArrayLike, n_clusters: int) -> Labels:
    """Rename clusters one to one so that most samples agree with a reference (Hungarian method).

    Parameters
    ----------
    reference, labels : int array-like of shape (n,)
        Two clusterings of the same samples, values in 0..n_clusters-1.
    n_clusters : int in 1..10,000

    Returns
    -------
    int64 array of shape (n_clusters,)
        A permutation: cluster c of `labels` is called ``result[c]`` in `reference`.

    Raises
    ------
    InputError, InputTypeError
        The clusterings are not equally long, empty, not of whole numbers, or out of range.

    Examples
    --------
    >>> renamed = align_clusters([0, 0, 1, 2], [2, 2, 0, 1], n_clusters=3)
    >>> renamed[[2, 2, 0, 1]]
    array([0, 0, 1, 2])
    """
    k = check_int("n_clusters", n_clusters, 1, MOST_CLUSTERS)
    known, found = _codes("reference", reference, k), _codes("labels", labels, k)
    if len(known) != len(found):
        raise InputError(f"reference and labels must be equally long, got {len(known)} and {len(found)}.")
    table = np.bincount(found * k + known, minlength=k * k).reshape(k, k)
    renamed: Labels = linear_sum_assignment(table, maximize=True)[1].astype(np.int64)
    return renamed


def vote_shares(labelings: Sequence[npt.ArrayLike], n_clusters: int) -> npt.NDArray[np.float64]:
    """Shares of votes for each cluster; a tie is an ulp in favour of the earlier voters.

    Parameters
    ----------
    labelings : sequence of m int array-likes of shape (n,)
        Aligned clusterings of the same samples, the most trusted first.
    n_clusters : int in 1..10,000

    Returns
    -------
    float64 array of shape (n, n_clusters)
        Rows sum to 1 and are the shares up to 1e-9. ``argmax`` is the majority, and among clusters of equal
        shares the one that the earliest voter is for.

    Raises
    ------
    InputError, InputTypeError
        As `align_clusters`; or `labelings` is empty.

    Examples
    --------
    >>> shares = vote_shares([[0, 2], [1, 0], [1, 1]], n_clusters=3)
    >>> shares.argmax(axis=1), shares.round(2).tolist()
    (array([1, 2]), [[0.33, 0.67, 0.0], [0.33, 0.33, 0.33]])
    """
    k = check_int("n_clusters", n_clusters, 1, MOST_CLUSTERS)
    try:
        given = list(labelings)
    except TypeError as error:
        raise InputTypeError(f"labelings must be a list of clusterings, got {labelings!r:.80}") from error
    if not given:
        raise InputError("labelings must hold at least one clustering, got none.")
    voters = [_codes("labelings", labels, k) for labels in given]
    if len({len(labels) for labels in voters}) > 1:
        raise InputError(
            f"labelings must be equally long, got {', '.join(str(len(labels)) for labels in voters)}."
        )
    shares: npt.NDArray[np.float64] = np.zeros((len(voters[0]), k))
    for rank, labels in enumerate(voters):
        shares[np.arange(len(labels)), labels] += 1 + TIE_BREAK * 0.5**rank
    shares /= shares.sum(axis=1, keepdims=True)
    return shares


def _codes(name: str, labels: npt.ArrayLike, n_clusters: int) -> Labels:
    codes = as_labels(name, labels)
    if codes.ndim != 1 or not codes.size or codes.dtype.kind not in "iu":
        raise InputError(
            f"{name} must be a 1-D array of whole numbers, not empty, got {codes.dtype}, {codes.shape}."
        )
    if codes.min() < 0 or codes.max() >= n_clusters:
        raise InputError(f"{name} must be in 0..{n_clusters - 1}, got {codes.min()}..{codes.max()}.")
    return codes.astype(np.int64)
