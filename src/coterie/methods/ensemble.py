"""Ensembles: the best restarts of a fit, aligned to the best one, vote for the cluster of each sample.

The vote is that of DDC-VOTE (section 4.6 of arXiv:1902.04981); it needs nothing of the method.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Integral

from coterie._checks import check_int
from coterie._errors import InputError
from coterie.metrics import align_clusters
from coterie.metrics.alignment import Labels
from coterie.nn import ClusterNetwork

SMALLEST_VOTE = 3


def check_vote(vote: object, n_restarts: int | str) -> int:
    """A number of voters that a fit of so many restarts can have.

    Parameters
    ----------
    vote : int
        0, or at least `SMALLEST_VOTE`.
    n_restarts : int or "auto"
        "auto" is at least `vote`.

    Raises
    ------
    InputError, InputTypeError
    """
    number = check_int("vote", vote, 0)
    if 0 < number < SMALLEST_VOTE:
        raise InputError(f"vote must be 0 or at least {SMALLEST_VOTE}, got {number}")
    if isinstance(n_restarts, Integral) and number > n_restarts:
        raise InputError(f"vote={number} must be <= n_restarts={n_restarts}")
    return number


def align_members(
    members: Sequence[ClusterNetwork], label: Callable[[ClusterNetwork], Labels], n_clusters: int
) -> None:
    """Rename the clusters of all members, in place, to agree with those of the first one.

    Parameters
    ----------
    members : sequence of ClusterNetwork
        The best restart's first.
    label : callable
        ``label(network)``: the clusters of the training samples, int64 of shape (n,).
    n_clusters : int
    """
    if len(members) == 1:
        return
    reference = label(members[0])
    for member in members[1:]:
        member.rename_clusters(align_clusters(reference, label(member), n_clusters))
