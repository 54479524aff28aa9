"""Which samples a card of a cluster shows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

# most certain ones, and as many of the most doubtful
TILES = 8

Ints = npt.NDArray[np.int64]


def rows_by_cluster(labels: Ints, certainty: npt.NDArray[np.floating], ids: Sequence[int]) -> dict[int, Ints]:
    """Rows of each cluster, the most certain first.

    Parameters
    ----------
    labels : int64 array of shape (n,)
    certainty : float array of shape (n,)
    ids : sequence of int
        Sorted, with all that are in labels.

    Examples
    --------
    >>> rows_by_cluster(np.array([4, 2, 4]), np.array([0.5, 1.0, 0.9]), [2, 4])
    {2: array([1]), 4: array([2, 0])}
    """
    order = np.lexsort((-certainty, labels))
    starts = np.searchsorted(labels[order], [*ids, np.iinfo(np.int64).max])
    return {one: order[begin:end] for one, begin, end in zip(ids, starts, starts[1:], strict=False)}


def ends_of(rows: Ints) -> tuple[Ints, Ints]:
    """The most certain and the most doubtful rows of a cluster, none of them twice.

    Examples
    --------
    >>> certain, doubtful = ends_of(np.arange(10))
    >>> certain.tolist(), doubtful.tolist()
    ([0, 1, 2, 3, 4, 5, 6, 7], [9, 8])
    """
    return rows[:TILES], rows[TILES:][::-1][:TILES]
