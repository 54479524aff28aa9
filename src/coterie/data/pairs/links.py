"""What similar pairs link: components, contradictions and their shortest chains."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, connected_components

from coterie.data.pairs.arrays import LARGEST_INDEX, Ints, Signs, decode_ranges, pair_keys

_SHORTEST_CHAIN = 3


@dataclass(frozen=True)
class Conflict:
    """A dissimilar pair whose two samples are linked by similar pairs.

    Attributes
    ----------
    i, j : int
        The dissimilar pair, i < j.
    chain : tuple of int
        The shortest chain of samples from i to j; any two neighbours in it are a similar pair.
    """

    i: int
    j: int
    chain: tuple[int, ...]

    def __str__(self) -> str:
        """Say the contradiction in words."""
        chain = self.chain
        if len(chain) > 10:
            text = f"{_linked(chain[:5])} ~ ... {len(chain) - 10} more ... ~ {_linked(chain[-5:])}"
        else:
            text = _linked(chain)
        return f"samples {self.i} and {self.j} are dissimilar, yet similar pairs link them: {text}"


class Links:
    """The components that similar pairs make; nodes are numbered so that each component is one range."""

    def __init__(self, i: Ints, j: Ints, same: Signs) -> None:
        names, ends = np.unique(np.r_[i, j], return_inverse=True)
        n, similar = len(names), same == 1
        i, j = ends[: len(same)], ends[len(same) :]
        found, component = connected_components(_graph(i[similar], j[similar], n), directed=False)
        order = np.argsort(component, kind="stable")
        place = np.empty_like(order)
        place[order] = np.arange(n)
        self.names: Ints = names[order]
        self.graph = _graph(place[i[similar]], place[j[similar]], n)
        self.size: Ints = np.bincount(component, minlength=found).astype(np.int64)
        self.start: Ints = np.cumsum(self.size) - self.size
        self.component: Ints = component[order].astype(np.int64)
        self.apart = place[i[~similar]], place[j[~similar]]

    @property
    def n_conflicts(self) -> int:
        a, b = self.apart
        return int((self.component[a] == self.component[b]).sum())

    def conflicts(self) -> Iterator[Conflict]:
        """Yield the conflicts, one search per component and first sample."""
        a, b = self.apart
        wrong = self.component[a] == self.component[b]
        a, b = a[wrong], b[wrong]
        order = np.argsort(a, kind="stable")
        a, b = a[order], b[order]
        starts = np.flatnonzero(np.diff(a, prepend=-1)).tolist()
        current, graph = -1, self.graph
        for start, stop in pairwise([*starts, len(a)]):
            source, targets = int(a[start]), b[start:stop]
            component = int(self.component[source])
            begin = int(self.start[component])
            if component != current:
                end = begin + int(self.size[component])
                current, graph = component, self.graph[begin:end, begin:end]
            _, before = breadth_first_order(graph, source - begin)
            for target in targets.tolist():
                chain = self.names[_path(before, target - begin) + begin].tolist()
                if chain[0] > chain[-1]:
                    chain.reverse()
                yield Conflict(chain[0], chain[-1], tuple(chain))

    def shortest(self) -> Conflict:
        """One conflict of the fewest samples; three is the least there can be."""
        best: Conflict | None = None
        for found in self.conflicts():
            if best is None or len(found.chain) < len(best.chain):
                best = found
            if len(best.chain) == _SHORTEST_CHAIN:
                break
        assert best is not None, "the pairs have no conflict to explain"
        return best

    def n_within(self) -> int:
        return int((self.size * (self.size - 1) // 2).sum())

    def within(self) -> tuple[Ints, Ints]:
        """All pairs inside components."""
        nodes = np.arange(len(self.names))
        low = self.start[self.component]
        high, partner = decode_ranges(low, nodes - low, np.arange(self.n_within()))
        return self.names[high], self.names[partner]

    def n_between(self) -> int:
        first, second = self.apart_groups()
        return int((self.size[first] * self.size[second]).sum())

    def between(self) -> tuple[Ints, Ints]:
        """All pairs across two components that hold a dissimilar pair."""
        first, second = self.apart_groups()
        width = self.size[second]
        which, cell = decode_ranges(
            np.zeros_like(width), self.size[first] * width, np.arange(self.n_between())
        )
        i = self.start[first][which] + cell // width[which]
        j = self.start[second][which] + cell % width[which]
        return self.names[i], self.names[j]

    def apart_groups(self) -> tuple[Ints, Ints]:
        """The pairs of components that hold a dissimilar pair, each once."""
        a, b = (self.component[end] for end in self.apart)
        keys = np.unique(pair_keys(np.minimum(a, b), np.maximum(a, b)))
        return keys >> 31, keys & LARGEST_INDEX


def _linked(chain: tuple[int, ...]) -> str:
    return " ~ ".join(map(str, chain))


def _graph(i: Ints, j: Ints, n: int) -> Any:
    """Undirected, as a symmetric sparse matrix of shape (n, n)."""
    ones = np.ones(2 * len(i))  # float64: a search would convert anything else, every time
    return csr_array((ones, (np.r_[i, j], np.r_[j, i])), shape=(n, n))


def _path(before: npt.NDArray[np.int32], target: int) -> Ints:
    """Walk back from target to the source of a search, which has no node before it."""
    path = [target]
    while (previous := int(before[path[-1]])) >= 0:
        path.append(previous)
    return np.array(path[::-1], dtype=np.int64)
