"""Pairs whose samples stand for their neighbours."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import make_blobs

from coterie import InputError, InputTypeError, Pairs

X, CLASSES = make_blobs(60, n_features=3, centers=4, random_state=0)


def expected(pairs: Pairs, points: Any, k: int) -> dict[tuple[int, int], int]:
    """The definition, row by row."""
    named = pairs.rows().tolist()
    distance = np.linalg.norm(points[:, None] - points[named][None], axis=2)
    distance[named, range(len(named))] = -1
    members = {}
    for place, row in enumerate(named):
        own = [other for other in range(len(points)) if distance[other].argmin() == place]
        members[row] = sorted(own, key=lambda other: (distance[other, place], other))[: k + 1]
    found: dict[tuple[int, int], int] = {}
    for own in members.values():
        found |= {(min(a, b), max(a, b)): 1 for a, b in combinations(own, 2)}
    for i, j, kind in zip(pairs.i.tolist(), pairs.j.tolist(), pairs.same.tolist(), strict=True):
        found |= {(min(a, b), max(a, b)): kind for a in members[i] for b in members[j]}
    return found


@pytest.mark.parametrize("k", [1, 5, 59])
def test_spread_equals_the_definition(k: int) -> None:
    pairs = Pairs.from_labels(CLASSES, 12, random_state=0).closure()
    found = pairs.propagate(X, k)
    listed = zip(found.i.tolist(), found.j.tolist(), found.same.tolist(), strict=True)
    assert {(i, j): kind for i, j, kind in listed} == expected(pairs, X, k)
    assert not found.hard
    assert found.conflicts() == []


def test_spread_keeps_the_pairs_and_images_are_points_too() -> None:
    pairs = Pairs([0, 3], [9, 20], [1, -1])
    found = pairs.propagate(X, 3)
    assert found.union(pairs) == found
    assert pairs.propagate(X.reshape(60, 1, 3), 3) == found


def test_rows_at_one_place_stand_for_themselves() -> None:
    found = Pairs([0, 0], [1, 2], [-1, -1]).propagate(np.zeros((5, 2)), 2)
    assert {(i, j) for i, j, kind in zip(found.i, found.j, found.same, strict=True) if kind == -1} >= {
        (0, 1),
        (0, 2),
    }


@pytest.mark.parametrize(
    ("points", "k", "error", "message"),
    [
        (X[:9], 2, InputError, "rows 0..8 of 9 samples"),
        (X, 0, InputError, "n_neighbors must be an int"),
        (X, 60, InputError, "n_neighbors must be an int"),
        (np.where(X.max() - 1e-9 < X, np.nan, X), 2, InputError, "X must be finite"),
        ([["a"]] * 60, 2, InputTypeError, "X must hold numbers"),
    ],
)
def test_spread_refuses(points: Any, k: int, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Pairs([0], [20], [1]).propagate(points, k)


def test_spread_refuses_to_grow_beyond_memory() -> None:
    line = np.arange(20_000.0)[:, None]
    with pytest.raises(InputError, match=r"all neighbours would be .*; make n_neighbors smaller"):
        Pairs([0], [19_999], [-1]).propagate(line, 19_000)
