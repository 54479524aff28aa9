"""Samples that pairs make mutually different: as many clusters are needed at least."""

from __future__ import annotations

import numpy as np

from coterie.data.pairs.arrays import Ints
from coterie.data.pairs.links import Links
from coterie.data.pairs.pairs import Pairs

# of the groups with most dissimilar pairs: a clique is searched among these, from each of the first few
_MOST_GROUPS = 2_000
_STARTS = 30


def different_samples(pairs: Pairs, more_than: int) -> Ints:
    """Samples that are known to be mutually different, one of each group of similar ones.

    The search is greedy: there may be a larger set of such samples.

    Parameters
    ----------
    pairs : Pairs
    more_than : int
        Only a larger set than this is searched for.

    Returns
    -------
    int64 array, sorted; empty where no such set was found

    Examples
    --------
    >>> different_samples(Pairs([0, 0, 1, 2], [1, 2, 2, 3], [-1, -1, -1, 1]), more_than=2)
    array([0, 1, 2])
    """
    links = Links(pairs.i, pairs.j, pairs.same)
    first, second = links.apart_groups()
    first, second = first[first != second], second[first != second]
    degree = np.bincount(np.r_[first, second], minlength=len(links.size))
    groups = np.argsort(-degree, kind="stable")[:_MOST_GROUPS]
    groups = groups[degree[groups] >= more_than]
    if len(groups) <= more_than:
        return np.empty(0, dtype=np.int64)
    best = _clique(_matrix(first, second, groups, len(degree)))
    if len(best) <= more_than:
        return np.empty(0, dtype=np.int64)
    return np.sort(links.names[links.start[groups[best]]])


def _matrix(
    first: Ints, second: Ints, groups: Ints, n: int
) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    """Which of some groups are known to differ, in the order of the groups."""
    place = np.full(n, -1)
    place[groups] = np.arange(len(groups))
    a, b = place[first], place[second]
    both = (a >= 0) & (b >= 0)
    matrix = np.zeros((len(groups), len(groups)), dtype=bool)
    matrix[a[both], b[both]] = matrix[b[both], a[both]] = True
    return matrix


def _clique(apart: np.ndarray[tuple[int, int], np.dtype[np.bool_]]) -> list[int]:
    """The largest clique found by taking, from several starts, the first node that differs from all."""
    best: list[int] = []
    for start in range(min(_STARTS, len(apart))):
        found, rest = [start], apart[start].copy()
        while rest.any():
            found.append(int(rest.argmax()))
            rest &= apart[found[-1]]
        best = max(best, found, key=len)
    return best
