"""Evidence that n_clusters cannot satisfy is said, with the smallest number that would do."""

from __future__ import annotations

import time
import warnings
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coterie import ADC, CCN, DDC, CollapseWarning, Pairs
from coterie.data.pairs.cliques import different_samples

X = np.random.default_rng(0).normal(size=(40, 6))
FIVE = Pairs([(i, j, -1) for i, j in combinations([3, 8, 10, 20, 31], 2)])


def quick(kind: Any = CCN, **params: Any) -> Any:
    return kind(**({"n_restarts": 1, "max_steps": 3, "over_clustering": True, "random_state": 0} | params))


@pytest.mark.parametrize("kind", [CCN, DDC, ADC])
def test_samples_that_are_mutually_different(kind: Any) -> None:
    words = "n_clusters=3 must be >= 5 to satisfy the pairs: the samples 3, 8, 10, 20, 31 are known to"
    with pytest.warns(CollapseWarning, match=words):
        quick(kind, n_clusters=3).fit(X, pairs=FIVE)
    quick(kind, n_clusters=5).fit(X, pairs=FIVE)


def test_one_cluster_with_dissimilar_pairs() -> None:
    with pytest.warns(
        UserWarning, match="n_clusters=1 must be >= 2 to satisfy the pairs: the samples 0, 1 are"
    ):
        quick(n_clusters=1).fit(X, pairs=Pairs([0, 1], [1, 2], [-1, 1]))


def test_guesses_are_not_held_against_the_number_of_clusters() -> None:
    quick(n_clusters=3).fit(X, pairs=Pairs(FIVE.i, FIVE.j, FIVE.same, hard=False))


@pytest.mark.parametrize(("n_classes", "params", "n"), [(6, {"n_clusters": 3}, 3), (10, {}, 8)])
def test_more_classes_than_clusters(n_classes: int, params: dict[str, int], n: int) -> None:
    y = np.array([f"class {k % n_classes}" for k in range(40)])
    words = (
        f"n_clusters={n} must be >= {n_classes} for each class of y to have its own cluster: class 0, class 1"
    )
    with pytest.warns(CollapseWarning, match=words):
        quick(**params).fit(X, y)
    quick(n_clusters=n_classes).fit(X, y)


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7), st.sampled_from([1, -1])), min_size=1))
def test_what_is_found_is_mutually_different(triples: list[tuple[int, int, int]]) -> None:
    known = {(min(i, j), max(i, j)): same for i, j, same in triples if i != j}
    pairs = Pairs([(i, j, same) for (i, j), same in known.items()] or [(0, 1, -1)])
    if pairs.conflicts():
        return
    closed = pairs.closure()
    apart = {
        pair for pair, same in zip(zip(closed.i, closed.j, strict=True), closed.same, strict=True) if same < 0
    }
    found = different_samples(pairs, 1)
    assert all(pair in apart for pair in combinations(found.tolist(), 2))
    assert bool(len(found)) == bool(apart)


def test_many_pairs_take_little_time() -> None:
    pairs = Pairs.from_labels(np.arange(2000), 300_000, random_state=0)
    begin = time.process_time()
    assert len(different_samples(pairs, 3)) > 3
    assert time.process_time() - begin < 5


def test_satisfiable_evidence_draws_no_warning() -> None:
    y = np.arange(40) % 4
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        quick(n_clusters=4).fit(X, pairs=Pairs.from_labels(y, None))
