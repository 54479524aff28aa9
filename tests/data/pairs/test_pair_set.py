"""Pairs: what is accepted, what is refused, and parts of them."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.data.pairs.known import as_dict, some_pairs

from coterie._errors import ConflictError, InputError, InputTypeError
from coterie.data import Pairs


def test_pairs_are_normalised_merged_and_counted() -> None:
    pairs = Pairs([5, 0, 2, 1], [2, 1, 5, 0], [True, False, True, False])
    assert pairs.i.tolist() == [2, 0]
    assert pairs.j.tolist() == [5, 1]
    assert pairs.same.tolist() == [1, -1]
    assert (pairs.n_pairs, pairs.n_similar, pairs.n_dissimilar) == (2, 1, 1)
    assert [array.dtype.name for array in (pairs.i, pairs.j, pairs.same)] == ["int64", "int64", "int8"]
    assert repr(pairs) == "Pairs(n_pairs=2, n_similar=1, n_dissimilar=1)"
    assert pairs.rows().tolist() == [0, 1, 2, 5]


@pytest.mark.parametrize(
    "same",
    [
        [1, -1],
        [True, False],
        np.array([1.0, -1.0]),
        np.array([1, -1], dtype=np.int8),
        np.array([True, False], dtype=object),
        pd.Series([1, -1]),
    ],
)
def test_kinds_in_every_form(same: Any) -> None:
    assert Pairs(np.array([0, 1], dtype=object), pd.Series([1, 2]), same).same.tolist() == [1, -1]


def test_pairs_are_immutable_and_stay_so_when_copied() -> None:
    first = Pairs([0], [1], [1])
    for pairs in (first, copy.copy(first), copy.deepcopy(first), pickle.loads(pickle.dumps(first))):  # noqa: S301
        assert pairs == first
        assert hash(pairs) == hash(first)
        for array in (pairs.i, pairs.j, pairs.same):
            with pytest.raises(ValueError, match="read-only"):
                array[0] = 1
        with pytest.raises(AttributeError):
            setattr(pairs, "i", np.array([3]))  # noqa: B010


def test_pairs_cannot_be_sliced_by_a_fold() -> None:
    assert not hasattr(Pairs, "__len__")
    assert not hasattr(Pairs, "__getitem__")
    assert not hasattr(Pairs, "shape")


def test_equality_ignores_order_but_not_kind() -> None:
    pairs = Pairs([0, 1], [1, 2], [1, -1])
    assert pairs == Pairs([2, 1], [1, 0], [-1, 1])
    assert pairs != Pairs([0, 1], [1, 2], [1, 1])
    assert pairs != "pairs"


def test_the_arguments_are_not_kept() -> None:
    i = np.array([0, 1])
    pairs = Pairs(i, [5, 6], [1, 1])
    i[0] = 3
    assert pairs.i.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("i", "j", "same", "error", "words"),
    [
        ([], [], [], InputError, "at least one pair, got none"),
        ([0, 3], [1, 3], [1, 1], InputError, "position 1 names sample 3 twice"),
        (
            [0, -2],
            [1, 1],
            [1, 1],
            InputError,
            r"i must hold row numbers in 0\.\.2147483647, got -2 at position 1",
        ),
        ([0], [2**31], [1], InputError, "j must hold row numbers .* got 2147483648"),
        ([0.5], [1], [1], InputTypeError, r"i must hold integers \(row numbers\), got dtype float64"),
        ([True], [2], [1], InputTypeError, "i must hold integers .* got dtype bool"),
        ([0], ["1"], [1], InputTypeError, "j must hold integers .* got dtype <U1"),
        ([None, 1], [2, 3], [1, 1], InputTypeError, "i must hold integers .* got dtype object"),
        ([0, 1], [1], [1, 1], InputError, r"one length, got \{'i': 2, 'j': 1, 'same': 2\}"),
        ([0, 1], [1, 2], [1], InputError, r"one length, got \{'i': 2, 'j': 2, 'same': 1\}"),
        ([[0, 1]], [1], [1], InputError, r"i must have shape \(m,\), got shape \(1, 2\)"),
        ([[0], [1, 2]], [1], [1], InputError, "i must be a regular array"),
        (0, 1, 1, InputError, r"i must have shape \(m,\), got shape \(\)"),
        (
            [0, 1],
            [1, 2],
            [1, 0],
            InputError,
            "got 0 at position 1; unknown pairs .* are ignored",
        ),
        ([0], [1], [2], InputError, r"same must hold 1, True, .* \(similar\) .* got 2 at position 0$"),
        ([0], [1], [np.nan], InputError, "got nan at position 0"),
        ([0], [1], ["maybe"], InputError, "same must hold 1, True, .* got maybe at position 0"),
        ([0], [1], [b"same"], InputTypeError, r"same must hold 1, True, .* got dtype \|S4"),
        (
            [0, 4, 1],
            [1, 5, 0],
            [1, 1, -1],
            ConflictError,
            r"pair \(0, 1\) must not be both similar and dissimilar",
        ),
        (
            [1, 0],
            [0, 1],
            [-1, 1],
            ConflictError,
            r"dissimilar at position 0 and similar at position 1 \(1 such",
        ),
    ],
)
def test_bad_input_is_refused_by_name(i: Any, j: Any, same: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        Pairs(i, j, same)


def test_check_rows_names_the_first_pair_out_of_range() -> None:
    pairs = Pairs([0, 1, 2], [1, 7, 9], [1, 1, 1])
    pairs.check_rows(10)
    with pytest.raises(
        InputError, match=r"rows 0\.\.6 of 7 samples; pair \(1, 7\) does not \(2 such pairs\)"
    ):
        pairs.check_rows(7)


@given(some_pairs(), st.permutations(range(9)), st.integers(1, 9))
def test_restrict_equals_the_definition(pairs: Pairs, order: list[int], size: int) -> None:
    rows = order[:size]
    kept = {
        (min(rows.index(i), rows.index(j)), max(rows.index(i), rows.index(j))): kind
        for (i, j), kind in as_dict(pairs).items()
        if i in rows and j in rows
    }
    if kept:
        assert as_dict(pairs.restrict(rows)) == kept
    else:
        with pytest.raises(
            InputError, match=r"rows must hold both samples of at least one pair; none of \d+"
        ):
            pairs.restrict(rows)


@given(some_pairs())
def test_restrict_twice_is_restrict_once(pairs: Pairs) -> None:
    outer = np.concatenate([pairs.rows(), [20, 30]])
    inner = np.arange(len(pairs.rows()))[::-1]
    assert pairs.restrict(outer).restrict(inner) == pairs.restrict(outer[inner])


def test_restrict_by_mask() -> None:
    pairs = Pairs([0, 2], [1, 3], [1, -1])
    assert as_dict(pairs.restrict([False, False, True, True])) == {(0, 1): -1}
    with pytest.raises(InputError, match=r"rows as a mask .* at least 4 rows; got 3"):
        pairs.restrict([True, True, True])


@pytest.mark.parametrize(
    ("rows", "error", "words"),
    [
        ([0, 1, 0], InputError, "rows must name each row at most once, got row 0 more than once"),
        ([0, -1], InputError, "rows must hold row numbers"),
        ([0.0, 1.0], InputTypeError, "rows must hold integers"),
        ([], InputError, "at least one pair; none of 1 pairs is left"),
        ([[0, 1]], InputError, "rows must have shape"),
    ],
)
def test_restrict_refuses(rows: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        Pairs([0], [1], [1]).restrict(rows)


def test_sample_draws_in_order() -> None:
    pairs = Pairs.from_labels(np.arange(30) % 4, 60, 0)
    drawn = pairs.sample(20, 1)
    assert drawn.n_pairs == 20
    assert as_dict(drawn).items() <= as_dict(pairs).items()
    assert [pair for pair in as_dict(pairs) if pair in as_dict(drawn)] == list(as_dict(drawn))
    assert pairs.sample(60) == pairs
    with pytest.raises(InputError, match=r"n must be an int in \[1, 60\], got 61"):
        pairs.sample(61)


def test_union_merges_and_refuses() -> None:
    first, second = Pairs([0, 1], [1, 2], [1, -1]), Pairs([3, 0], [4, 1], [1, 1])
    assert list(as_dict(first.union(second))) == [(0, 1), (1, 2), (3, 4)]
    with pytest.raises(ConflictError, match=r"pair \(0, 1\) must not be both"):
        first.union(Pairs([0], [1], [-1]))
    with pytest.raises(InputTypeError, match="other must be a Pairs, got list"):
        first.union([0, 1])  # type: ignore[arg-type]  # the refusal is what is tested


@pytest.mark.parametrize(("p", "flipped"), [(0, 0), (0.25, 10), (0.249, 10), (1.0, 40), (1, 40)])
def test_noise_flips_an_exact_number(p: float, flipped: int) -> None:
    pairs = Pairs.from_labels(np.arange(30) % 4, 40, 0)
    noisy = pairs.with_noise(p, 5)
    assert noisy.i.tolist() == pairs.i.tolist()
    assert (noisy.same != pairs.same).sum() == flipped
    assert noisy == pairs.with_noise(p, 5)


@pytest.mark.parametrize(
    ("p", "error", "words"),
    [
        (1.1, InputError, r"p must be a finite number in \[0, 1\], got 1.1"),
        (-0.1, InputError, r"p must be a finite number in \[0, 1\], got -0.1"),
        ("half", InputTypeError, r"p must be a finite number in \[0, 1\], got 'half'"),
        (True, InputTypeError, r"p must be a finite number in \[0, 1\], got True"),
    ],
)
def test_noise_refuses(p: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        Pairs([0], [1], [1]).with_noise(p)


def test_noise_and_guesses_are_not_hard_and_parts_inherit_it() -> None:
    pairs = Pairs([0, 1, 0], [1, 2, 3], [1, 1, -1])
    assert pairs.hard
    noisy = pairs.with_noise(0.5, random_state=0)
    assert not noisy.hard
    assert not noisy.restrict([0, 1, 2, 3]).hard
    assert not noisy.sample(2, random_state=0).hard
    assert not pickle.loads(pickle.dumps(noisy)).hard  # noqa: S301 - bytes made on this line
    assert not pairs.union(Pairs([4], [5], [1], hard=False)).hard
