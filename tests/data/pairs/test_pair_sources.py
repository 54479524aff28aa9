"""Pairs from labels, from neighbours and from time."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.data.pairs.known import as_dict, blobs

from coterie._errors import InputError, InputTypeError
from coterie.data import Pairs
from coterie.data.pairs.arrays import decode_pairs, decode_ranges, draw_distinct


@pytest.mark.parametrize(
    "y",
    [
        [0, 1, 0, -1, 1],
        ["a", "b", "a", None, "b"],
        ["a", "b", "a", float("nan"), "b"],
        np.array([0.0, 1.0, 0.0, np.nan, 1.0]),
        pd.Series(["a", "b", "a", None, "b"]),
    ],
)
def test_from_labels_draws_known_labels_only(y: Any) -> None:
    expected = {(0, 1): -1, (0, 2): 1, (0, 4): -1, (1, 2): -1, (1, 4): 1, (2, 4): -1}
    assert as_dict(Pairs.from_labels(y, n_pairs=None)) == expected
    assert as_dict(Pairs.from_labels(y, n_pairs=6, random_state=1)) == expected


def test_from_labels_repeats_and_varies() -> None:
    y = np.arange(50) % 3
    assert Pairs.from_labels(y, 100, 3) == Pairs.from_labels(y, 100, 3)
    assert Pairs.from_labels(y, 100, 3) != Pairs.from_labels(y, 100, 4)
    assert Pairs.from_labels(y, 100, np.random.default_rng(3)) == Pairs.from_labels(y, 100, 3)
    assert Pairs.from_labels(y, 100, np.random.RandomState(3)).n_pairs == 100
    assert Pairs.from_labels(y, 100).n_pairs == 100


def test_from_labels_is_uniform_over_pairs() -> None:
    rng = np.random.default_rng(0)
    counts = np.zeros((6, 6))
    for _ in range(1500):
        pairs = Pairs.from_labels(np.zeros(6), 3, rng)
        counts[pairs.i, pairs.j] += 1
    drawn = counts[np.triu_indices(6, 1)]
    # 15 pairs, 300 expected each, standard deviation 15.5
    assert np.abs(drawn - 300).max() < 5 * 15.5


def test_from_labels_serves_a_set_whose_pairs_could_not_be_listed() -> None:
    y = np.random.default_rng(0).integers(10, size=60_000)
    pairs = Pairs.from_labels(y, 100_000, random_state=0)
    assert pairs.n_pairs == 100_000
    assert ((y[pairs.i] == y[pairs.j]) == (pairs.same == 1)).all()
    assert pairs.j.max() > 59_000


@pytest.mark.parametrize(
    ("y", "n_pairs", "error", "words"),
    [
        ([0, 1, 0], 4, InputError, "n_pairs must be at most 3, the pairs of 3 labelled samples, got 4"),
        ([0, 1, 0], 0, InputError, "n_pairs must be an int >= 1, got 0"),
        ([0, 1, 0], 1.5, InputTypeError, "n_pairs must be an int >= 1, got 1.5"),
        ([0, -1, None], 1, InputError, "y must hold at least 2 known labels to make a pair, got 1"),
        (
            np.zeros(20_000),
            None,
            InputError,
            "all pairs of y would be 199,990,000 pairs, more than 50,000,000",
        ),
    ],
)
def test_from_labels_refuses(y: Any, n_pairs: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        Pairs.from_labels(y, n_pairs, 0)


@pytest.mark.parametrize(("state", "error"), [(-1, InputError), ("seed", InputTypeError)])
def test_random_state_is_checked(state: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="random_state must be an int >= 0"):
        Pairs.from_labels([0, 1, 0], 1, state)


def test_neighbors_agree_with_blobs() -> None:
    X, y = blobs()
    pairs = Pairs.from_neighbors(X, 4, random_state=0)
    assert pairs.n_similar == pairs.n_dissimilar > len(X) / 2
    assert ((y[pairs.i] == y[pairs.j]) == (pairs.same == 1)).all()
    assert pairs == Pairs.from_neighbors(X, 4, random_state=0)
    assert pairs != Pairs.from_neighbors(X, 4, random_state=1)


def test_neighbors_are_mutual_and_far_is_far() -> None:
    X = np.random.default_rng(1).normal(size=(40, 3)).astype(np.float32)
    distance = np.linalg.norm(X[:, None].astype(float) - X[None], axis=2)
    rank = distance.argsort(axis=1).argsort(axis=1)
    pairs = Pairs.from_neighbors(X, 3, n_dissimilar=25, far=0.7, random_state=0)
    mutual = {(i, j): 1 for i, j in combinations(range(40), 2) if rank[i, j] <= 3 and rank[j, i] <= 3}
    assert {pair: kind for pair, kind in as_dict(pairs).items() if kind == 1} == mutual
    limit = np.quantile(distance, 0.7, axis=1)
    far = pairs.same == -1
    assert far.sum() == 25
    assert (distance[pairs.i, pairs.j] > np.maximum(limit[pairs.i], limit[pairs.j]) - 1e-6)[far].all()


def test_neighbors_of_images_and_none_far() -> None:
    images = np.random.default_rng(0).integers(256, size=(12, 4, 4), dtype=np.uint8)
    pairs = Pairs.from_neighbors(images, 2, n_dissimilar=0)
    assert pairs.n_dissimilar == 0
    assert pairs.n_similar > 0


@pytest.mark.parametrize(
    ("X", "options", "error", "words"),
    [
        (np.zeros((5, 2)), {"n_neighbors": 5}, InputError, r"n_neighbors must be an int in \[1, 4\], got 5"),
        (np.zeros((5, 2)), {"n_neighbors": "2"}, InputTypeError, "n_neighbors must be an int"),
        (np.zeros((5, 2)), {"n_neighbors": 1, "far": 1.0}, InputError, r"far must be in \[0, 1\), got 1.0"),
        (
            np.zeros((5, 2)),
            {"n_neighbors": 1, "far": "far"},
            InputTypeError,
            "far must be a finite number, got 'far'",
        ),
        (
            np.zeros((5, 2)),
            {"n_neighbors": 1, "far": np.nan},
            InputError,
            "far must be a finite number, got nan",
        ),
        (np.zeros((5, 2)), {"n_neighbors": 1, "n_dissimilar": -1}, InputError, "n_dissimilar must be an int"),
        (np.zeros((5, 2)), {"n_neighbors": 1, "n_dissimilar": 2}, InputError, "only 0 of 2 dissimilar pairs"),
        (np.zeros(5), {}, InputError, r"X must have shape \(n, \.\.\.\) with n >= 3, got shape \(5,\)"),
        (np.zeros((2, 2)), {}, InputError, r"got shape \(2, 2\)"),
        ([[0.0], [np.inf], [1.0]], {}, InputError, "X must be finite; row 1 holds NaN or inf"),
        ([["a"], ["b"], ["c"]], {}, InputTypeError, "X must hold numbers, got dtype <U1"),
    ],
)
def test_neighbors_refuse(X: Any, options: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        Pairs.from_neighbors(X, **options)


def test_far_pairs_are_found_in_a_larger_set() -> None:
    X, y = blobs(1500)
    pairs = Pairs.from_neighbors(X, 1, n_dissimilar=50, random_state=0)
    assert (y[pairs.i] != y[pairs.j])[pairs.same == -1].all()


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 12), st.integers(0, 2)), min_size=2, max_size=12),
    st.integers(0, 4),
    st.integers(0, 4),
)
def test_sequence_equals_the_definition(samples: list[tuple[int, int]], window: int, more: int) -> None:
    times, groups = zip(*samples, strict=True)
    gap = window + more
    near, far = set(), set()
    for i, j in combinations(range(len(samples)), 2):
        apart = abs(times[i] - times[j])
        if groups[i] == groups[j]:
            near |= {(i, j)} if apart <= window else set()
            far |= {(i, j)} if apart > gap else set()
    options: dict[str, Any] = {"window": window, "gap": gap, "groups": groups, "random_state": 0}
    if not near | far:
        with pytest.raises(InputError, match="the smallest distance between"):
            Pairs.from_sequence(times, n_dissimilar=0, **options)
        return
    if near or far:
        every = as_dict(Pairs.from_sequence(times, n_dissimilar=len(far), **options))
        assert every == dict.fromkeys(near, 1) | dict.fromkeys(far, -1)


def test_sequence_defaults_and_groups_by_name() -> None:
    times = np.tile(np.arange(20.0), 2)
    groups = np.repeat(["left", "right"], 20)
    pairs = Pairs.from_sequence(times, window=1.0, gap=10.0, groups=groups, random_state=0)
    assert pairs.n_similar == pairs.n_dissimilar == 38
    assert (groups[pairs.i] == groups[pairs.j]).all()
    assert Pairs.from_sequence(np.arange(4), window=1, gap=2).n_dissimilar == 1


@pytest.mark.parametrize(
    ("times", "options", "error", "words"),
    [
        ([0.0, 1.0], {"window": 2, "gap": 1}, InputError, "0 <= window <= gap, got 2.0 and 1.0"),
        ([0.0, 1.0], {"window": -1, "gap": 1}, InputError, "0 <= window <= gap"),
        ([0.0, 1.0], {"window": "1", "gap": 1}, InputTypeError, "window must be a finite number"),
        ([0.0, 1.0], {"window": 0, "gap": np.inf}, InputError, "gap must be a finite number"),
        ([0.0], {"window": 0, "gap": 1}, InputError, "times must hold at least 2 samples, got 1"),
        ([0.0, np.nan], {"window": 0, "gap": 1}, InputError, "times must be finite, got nan at position 1"),
        (["0", "1"], {"window": 0, "gap": 1}, InputTypeError, "times must hold numbers, got dtype <U1"),
        (
            [0.0, 1.0],
            {"window": 0, "gap": 5},
            InputError,
            "window=0.0 must be >= the smallest distance between 2 times",
        ),
        ([0, 9], {"window": 0, "gap": 5, "n_dissimilar": 2}, InputError, "n_dissimilar must be at most 1"),
        (
            [0, 9],
            {"window": 0, "gap": 5, "groups": [0]},
            InputError,
            "groups must have one entry .* 2 times, got 1",
        ),
        (
            [0, 9],
            {"window": 0, "gap": 5, "groups": ["a", None]},
            InputError,
            "groups must name .* position 1",
        ),
        (np.zeros(20_000), {"window": 0, "gap": 0}, InputError, "199,990,000 pairs, .*; make window smaller"),
    ],
)
def test_sequence_refuses(times: Any, options: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        Pairs.from_sequence(times, **options)


def test_from_sequence_takes_its_limits_from_the_usual_step() -> None:
    times = np.r_[np.arange(30) * 0.5, 100.0]
    defaults = Pairs.from_sequence(times, random_state=0)
    assert defaults == Pairs.from_sequence(times, window=0.5, gap=5.0, random_state=0)
    assert not defaults.hard


@given(st.integers(0, 2**50))
def test_pair_numbers_decode_to_pairs(linear: int) -> None:
    i, j = (int(end[0]) for end in decode_pairs(np.array([linear])))
    assert 0 <= i < j
    assert j * (j - 1) // 2 + i == linear


@given(st.lists(st.integers(0, 4), min_size=1, max_size=8))
def test_ranges_decode_in_order(lengths: list[int]) -> None:
    start = np.arange(len(lengths)) * 10
    which, value = decode_ranges(start, np.array(lengths), np.arange(sum(lengths)))
    expected = [(r, 10 * r + step) for r, length in enumerate(lengths) for step in range(length)]
    assert list(zip(which.tolist(), value.tolist(), strict=True)) == expected


@given(st.integers(1, 60), st.data())
def test_distinct_numbers_are_distinct(total: int, data: st.DataObject) -> None:
    n = data.draw(st.integers(0, total))
    drawn = draw_distinct(total, n, np.random.default_rng(0)).tolist()
    assert len(set(drawn)) == len(drawn) == n
    assert set(drawn) <= set(range(total))
