"""Which number of clusters to answer with, where several have probability."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]

# one cluster is the answer only above this probability; chosen on the 37 development sets
SURE_OF_ONE = 0.9


def choose_count(count_proba: Numbers, assignments: Sequence[Numbers]) -> int:
    """The number of clusters whose clustering has the highest expected adjusted Rand index.

    The expectation is over P(k), the clustering for k taken as the true one. So a clustering that agrees with
    many others is preferred to one that is a little more probable and agrees with none. One cluster agrees
    with no other; it is chosen only where its probability is above 0.9.

    Parameters
    ----------
    count_proba : float array of shape (K,)
        P(k) of k = 1..K.
    assignments : sequence of K float arrays, the k-th of shape (n, k)

    Returns
    -------
    int
        In 1..K.

    Examples
    --------
    >>> two, three = np.eye(2)[[0, 0, 1, 1]], np.eye(3)[[0, 0, 1, 2]]
    >>> choose_count(np.array([0.4, 0.25, 0.35]), [np.ones((4, 1)), two, three])
    3
    """
    if len(count_proba) == 1 or count_proba[0] > SURE_OF_ONE:
        return 1
    expected = agreement(assignments[1:]) @ count_proba[1:]
    return 2 + int(expected.argmax()) if count_proba[1:].any() else 1


def agreement(assignments: Sequence[Numbers]) -> Numbers:
    """Adjusted Rand index of the most probable clusters of every two assignments: (K, K), symmetric.

    Examples
    --------
    >>> agreement([np.eye(2)[[0, 0, 1, 1]], np.eye(3)[[2, 2, 0, 1]]]).round(3).tolist()
    [[1.0, 0.571], [0.571, 1.0]]
    """
    widths = [part.shape[1] for part in assignments]
    codes = np.concatenate([np.eye(part.shape[1])[part.argmax(axis=1)] for part in assignments], axis=1)
    edges = np.concatenate([[0], np.cumsum(widths)[:-1]])
    tables = _pairs(codes.T @ codes)
    both = np.add.reduceat(np.add.reduceat(tables, edges, axis=0), edges, axis=1)
    own = np.add.reduceat(_pairs(codes.sum(axis=0)), edges)
    by_chance = own[:, None] * own / max(_pairs(np.float64(len(codes))), 1.0)
    most = (own[:, None] + own) / 2
    room = most - by_chance
    # of two clusterings that leave no room for chance, all pairs together or all apart, both are the same
    return np.asarray(np.where(room > 0, (both - by_chance) / np.where(room > 0, room, 1.0), both == most))


def _pairs(counts: npt.NDArray[np.float64] | np.float64) -> npt.NDArray[np.float64]:
    return np.asarray(counts * (counts - 1) / 2)
