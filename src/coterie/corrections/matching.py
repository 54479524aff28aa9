"""Ids that stay: clusters of a new fit get those of the old ones with which they share most members."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

# share of the smaller one's members that two clusters have to share to be one
_SHARED = 0.5

Ints = npt.NDArray[np.int64]


def match_clusters(before: Ints, after: Ints, n_columns: int, fresh: int) -> tuple[int, ...]:
    """Id of each column of a new fit.

    Parameters
    ----------
    before : int64 array of shape (n,)
        Ids that were shown; -1 for none.
    after : int64 array of shape (n,)
        Columns of the new fit.
    n_columns : int
    fresh : int
        The first id that no cluster has ever had.

    Returns
    -------
    tuple of int
        All different.

    Examples
    --------
    >>> match_clusters(np.array([7, 7, 3, 3]), np.array([1, 1, 0, 2]), 3, fresh=8)
    (3, 7, 8)
    """
    ids = [int(cluster) for cluster in np.unique(before) if cluster >= 0]
    known = before >= 0
    shared = np.zeros((n_columns, len(ids)))
    np.add.at(shared, (after[known], np.searchsorted(ids, before[known])), 1)
    sizes = np.bincount(after[known], minlength=n_columns)[:, None], shared.sum(axis=0)
    smaller = np.maximum(np.minimum(*sizes), 1)
    found = _assign(shared, smaller)
    unused = iter(range(fresh, fresh + n_columns))
    return tuple(ids[found[column]] if column in found else next(unused) for column in range(n_columns))


def _assign(shared: npt.NDArray[np.float64], smaller: npt.NDArray[np.float64]) -> dict[int, int]:
    """Columns and ids that go together, so that most samples keep their id."""
    from scipy.optimize import linear_sum_assignment  # half of the time in which a page starts

    enough = np.where(shared >= _SHARED * smaller, shared, 0)
    columns, olds = linear_sum_assignment(-enough)
    pairs = zip(columns.tolist(), olds.tolist(), strict=True)
    return {column: old for column, old in pairs if enough[column, old] > 0}
