"""What follows from pairs: contradictions and the closure."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from tests.data.pairs.known import Known, as_dict, consistent_pairs, distances, some_pairs

from coterie._errors import ConflictError, InputError
from coterie.data import Conflict, Pairs


@given(some_pairs())
def test_conflicts_equal_brute_force(pairs: Pairs) -> None:
    known, expected = as_dict(pairs), {}
    for (i, j), kind in known.items():
        steps = distances(pairs, i)
        if kind == -1 and j in steps:
            expected[(i, j)] = steps[j] + 1
    found = pairs.conflicts()
    assert {(conflict.i, conflict.j): len(conflict.chain) for conflict in found} == expected
    assert [len(conflict.chain) for conflict in found] == sorted(expected.values())
    for conflict in found:
        assert (conflict.chain[0], conflict.chain[-1]) == (conflict.i, conflict.j)
        for a, b in zip(conflict.chain, conflict.chain[1:], strict=False):
            assert known[min(a, b), max(a, b)] == 1
    if found:
        with pytest.raises(ConflictError, match=rf"^pairs contradict each other: {len(found)} of ") as caught:
            pairs.check_consistent()
        assert len(str(caught.value).split(": ")[-1].split(". ")[0].split(" ~ ")) == len(found[0].chain)
    else:
        pairs.check_consistent()


def test_conflict_messages_name_the_chain() -> None:
    pairs = Pairs([10, 20, 30, 10, 1], [20, 30, 40, 40, 2], [1, 1, 1, -1, -1])
    assert pairs.conflicts() == [Conflict(10, 40, (10, 20, 30, 40))]
    with pytest.raises(
        ConflictError,
        match=r"1 of 2 dissimilar pairs are linked .*: samples 10 and 40 .*: 10 ~ 20 ~ 30 ~ 40\. Pairs",
    ):
        pairs.check_consistent()
    with pytest.raises(ConflictError, match="contradict each other"):
        pairs.closure()


def test_a_long_chain_is_shortened_in_words_only() -> None:
    n = 30
    line = Pairs(np.r_[np.arange(n - 1), 0], np.r_[np.arange(1, n), n - 1], np.r_[np.ones(n - 1), -1])
    (conflict,) = line.conflicts()
    assert conflict.chain == tuple(range(n))
    assert str(conflict).endswith("0 ~ 1 ~ 2 ~ 3 ~ 4 ~ ... 20 more ... ~ 25 ~ 26 ~ 27 ~ 28 ~ 29")


@given(consistent_pairs())
def test_closure_equals_the_definition(pairs: Pairs) -> None:
    component = {row: frozenset(distances(pairs, row)) for row in pairs.rows().tolist()}
    apart = {frozenset((component[i], component[j])) for (i, j), kind in as_dict(pairs).items() if kind == -1}
    expected: Known = {}
    for i, j in combinations(sorted(component), 2):
        if component[i] == component[j]:
            expected[i, j] = 1
        elif frozenset((component[i], component[j])) in apart:
            expected[i, j] = -1
    assert as_dict(pairs.closure()) == expected


@given(consistent_pairs())
def test_closure_is_idempotent_and_keeps_the_pairs(pairs: Pairs) -> None:
    closed = pairs.closure()
    assert closed.closure() == closed
    assert closed.union(pairs) == closed
    assert not closed.conflicts()


def test_closure_refuses_to_grow_beyond_memory() -> None:
    rows = np.arange(1, 20_000)
    with pytest.raises(InputError, match="the closure would be 199,990,000 pairs, more than 50,000,000"):
        Pairs(np.zeros_like(rows), rows, np.ones_like(rows)).closure()


def test_a_million_pairs_are_built_and_checked_whole() -> None:
    y = np.random.default_rng(0).integers(10, size=60_000)
    pairs = Pairs.from_labels(y, 1_000_000, 0)
    assert Pairs(pairs.j, pairs.i, pairs.same) == pairs
    pairs.check_consistent()
    assert pairs.conflicts() == []
