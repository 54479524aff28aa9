"""Pairs of random samples, and the slow and obvious way to what is known of them."""

from __future__ import annotations

from collections import deque
from itertools import combinations
from typing import Any

import numpy as np
from hypothesis import strategies as st

from coterie.data import Pairs

Known = dict[tuple[int, int], int]


def as_dict(pairs: Pairs) -> Known:
    return {
        (i, j): kind
        for i, j, kind in zip(pairs.i.tolist(), pairs.j.tolist(), pairs.same.tolist(), strict=True)
    }


@st.composite
def some_pairs(draw: st.DrawFn, n: int = 9) -> Pairs:
    every = list(combinations(range(n), 2))
    chosen = draw(st.lists(st.sampled_from(every), min_size=1, max_size=16, unique=True))
    kinds = draw(st.lists(st.sampled_from([1, -1]), min_size=len(chosen), max_size=len(chosen)))
    return Pairs([(i, j, kind) for (i, j), kind in zip(chosen, kinds, strict=True)])


@st.composite
def consistent_pairs(draw: st.DrawFn, n: int = 9) -> Pairs:
    every = list(combinations(range(n), 2))
    chosen = draw(st.lists(st.sampled_from(every), min_size=1, max_size=16, unique=True))
    classes = draw(st.lists(st.integers(0, 3), min_size=n, max_size=n))
    return Pairs([(i, j, classes[i] == classes[j]) for i, j in chosen])


def distances(pairs: Pairs, source: int) -> dict[int, int]:
    """Steps over similar pairs from one sample, the slow and obvious way."""
    steps, queue = {source: 0}, deque([source])
    known = as_dict(pairs)
    while queue:
        here = queue.popleft()
        for (i, j), kind in known.items():
            there = j if i == here else i if j == here else None
            if kind == 1 and there is not None and there not in steps:
                steps[there] = steps[here] + 1
                queue.append(there)
    return steps


def blobs(n: int = 90) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    y = np.arange(n) % 3
    return rng.normal(scale=0.1, size=(n, 2)) + 5.0 * np.array([[0, 0], [1, 0], [0, 1]])[y], y
