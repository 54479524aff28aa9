"""Pairs: what they refuse, where they come from, and what follows from them."""

from __future__ import annotations

import copy
import pickle
import sys
from collections import deque
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coterie._errors import ConflictError, InputError, InputTypeError
from coterie.data import Conflict, Pairs
from coterie.data.pair_arrays import decode_pairs, decode_ranges, draw_distinct

Known = dict[tuple[int, int], int]


def as_dict(pairs: Pairs) -> Known:
    return {
        (i, j): kind
        for i, j, kind in zip(pairs.i.tolist(), pairs.j.tolist(), pairs.same.tolist(), strict=True)
    }


def of_dict(known: Known) -> Pairs:
    return Pairs.from_arrays(list(known), list(known.values()))


@st.composite
def some_pairs(draw: st.DrawFn, n: int = 9) -> Pairs:
    every = list(combinations(range(n), 2))
    chosen = draw(st.lists(st.sampled_from(every), min_size=1, max_size=16, unique=True))
    kinds = draw(st.lists(st.sampled_from([1, -1]), min_size=len(chosen), max_size=len(chosen)))
    return Pairs.from_arrays(chosen, kinds)


@st.composite
def consistent_pairs(draw: st.DrawFn, n: int = 9) -> Pairs:
    every = list(combinations(range(n), 2))
    chosen = draw(st.lists(st.sampled_from(every), min_size=1, max_size=16, unique=True))
    classes = draw(st.lists(st.integers(0, 3), min_size=n, max_size=n))
    return Pairs.from_arrays(chosen, [classes[i] == classes[j] for i, j in chosen])


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


# ------------------------------------------------------------------ construction


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
            "got 0 at position 1; a pair of which nothing is known .* is left out",
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
            r"pair \(0, 1\) is both: similar at position 0, dissim",
        ),
        ([1, 0], [0, 1], [-1, 1], ConflictError, r"dissimilar at position 0, similar at position 1 \(1 such"),
    ],
)
def test_bad_input_is_refused_by_name(i: Any, j: Any, same: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        Pairs(i, j, same)


@pytest.mark.parametrize("pairs", [[0, 1], [[0, 1, 2]], np.zeros((2, 2, 2), dtype=int)])
def test_from_arrays_refuses_other_shapes(pairs: Any) -> None:
    with pytest.raises(InputError, match=r"pairs must have shape \(m, 2\)"):
        Pairs.from_arrays(pairs, [1])


def test_check_rows_names_the_first_pair_out_of_range() -> None:
    pairs = Pairs([0, 1, 2], [1, 7, 9], [1, 1, 1])
    pairs.check_rows(10)
    with pytest.raises(
        InputError, match=r"rows 0\.\.6 of 7 samples; pair \(1, 7\) does not \(2 such pairs\)"
    ):
        pairs.check_rows(7)


# ------------------------------------------------------------------ from labels


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


# ------------------------------------------------------------------ files


FORMATS = [("csv", Pairs.to_csv, Pairs.from_csv), ("parquet", Pairs.to_parquet, Pairs.from_parquet)]


@pytest.mark.parametrize(("suffix", "write", "read"), FORMATS)
def test_files_give_back_what_was_written(
    tmp_path: Path, suffix: str, write: Callable[..., None], read: Callable[..., Pairs]
) -> None:
    file = tmp_path / f"pairs.{suffix}"
    file.write_text("what stood here before")
    pairs = Pairs.from_labels(np.arange(40) % 3, 200, 0)
    write(pairs, file)
    back = read(str(file))
    assert back == pairs
    assert back.i.tolist() == sorted(pairs.i.tolist())  # by rows, whatever the order of the lines
    assert [entry.name for entry in tmp_path.iterdir()] == [file.name]


@pytest.mark.parametrize(("suffix", "write", "read"), FORMATS)
def test_files_that_are_not_there(
    tmp_path: Path, suffix: str, write: Callable[..., None], read: Callable[..., Pairs]
) -> None:
    file = tmp_path / "missing" / f"pairs.{suffix}"
    with pytest.raises(InputError, match=f"pairs.{suffix} cannot be read: No such file"):
        read(file)
    with pytest.raises(InputError, match=f"cannot write .*pairs.{suffix}: No such file"):
        write(Pairs([0], [1], [1]), file)
    with pytest.raises(InputError, match="is a directory"):
        read(tmp_path)


def test_csv_takes_other_columns_words_and_blank_lines(tmp_path: Path) -> None:
    file = tmp_path / "pairs.csv"
    file.write_text(
        "who,same,J,i\nann,1,1,0\n\nbob,-1,2,0\nann,TRUE,4,3\nann,false,5,3\nann,same,6,3\nann,different,7,3\n",
        encoding="utf-8-sig",
    )
    assert as_dict(Pairs.from_csv(file)) == {
        (0, 1): 1,
        (0, 2): -1,
        (3, 4): 1,
        (3, 5): -1,
        (3, 6): 1,
        (3, 7): -1,
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty; rows of values are expected"),
        ("\n\n", "is empty"),
        ("i,j,same\n", "at least one pair, got none"),
        ("i,j\n0,1\n", "has no column same; expected i, j, same, got i, j"),
        ("0,1,1\n", "has no column i, j, same; expected i, j, same, got 0, 1, 1"),
        ("i,j,same\n0,1,1\n0,2\n", "line 3: 2 entries where the header has 3"),
        ("i,j,same\n0,1,1\n\n0,2,1,9\n", "line 4: 4 entries where the header has 3"),
        ("i,j,same\n0,one,1\n", "line 2: j must be a row number, got 'one'"),
        ("i,j,same\n0.5,1,1\n", "line 2: i must be a row number, got '0.5'"),
        ("i,j,same\n0,-1,1\n", r"line 2: j must be in 0\.\.2147483647, got -1"),
        ("i,j,same\n0,1,0\n", r"line 2: same must be 1, true, yes or same \(similar\), or -1.* got '0'"),
        ("i,j,same\n0,1,\n", "line 2: same must be .* got ''"),
        ("i,j,same\n4,4,1\n", "names sample 4 twice"),
        ('i,j,same\n0,1,"1\n', "line 2: unexpected end of data"),
    ],
)
def test_csv_errors_name_the_file_and_the_line(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "bad.csv"
    file.write_text(text)
    with pytest.raises(InputError, match=f"bad.csv.*{words}"):
        Pairs.from_csv(file)


def test_csv_contradictions_stay_conflicts(tmp_path: Path) -> None:
    file = tmp_path / "bad.csv"
    file.write_text("i,j,same\n0,1,1\n1,0,-1\n")
    with pytest.raises(ConflictError, match=r"bad.csv: pair \(0, 1\) is both"):
        Pairs.from_csv(file)


def test_csv_of_another_encoding(tmp_path: Path) -> None:
    file = tmp_path / "bad.csv"
    file.write_bytes("i,j,same\n0,1,1\n".encode("utf-16"))
    with pytest.warns(UserWarning, match=r"bad\.csv: utf-16"):
        assert Pairs.from_csv(file).n_pairs == 1


def test_parquet_errors(tmp_path: Path) -> None:
    file = tmp_path / "bad.parquet"
    file.write_text("this is no parquet file")
    with pytest.raises(InputError, match=r"bad.parquet cannot be read as Parquet"):
        Pairs.from_parquet(file)
    pd.DataFrame({"i": [0], "j": [1]}).to_parquet(file)
    with pytest.raises(InputError, match=r"bad.parquet has no column same; expected i, j, same, got i, j"):
        Pairs.from_parquet(file)
    pd.DataFrame({"i": [0, None], "j": [1, 2], "same": [1, 1]}).to_parquet(file)
    with pytest.raises(InputError, match=r"bad.parquet: column i has 1 empty entries"):
        Pairs.from_parquet(file)
    pd.DataFrame({"i": [0.5], "j": [1], "same": [1]}).to_parquet(file)
    with pytest.raises(InputTypeError, match=r"bad.parquet: i must hold integers"):
        Pairs.from_parquet(file)


def test_parquet_takes_booleans(tmp_path: Path) -> None:
    file = tmp_path / "pairs.parquet"
    pd.DataFrame({"i": [0, 1], "note": ["x", "y"], "j": [1, 2], "same": [True, False]}).to_parquet(file)
    assert as_dict(Pairs.from_parquet(file)) == {(0, 1): 1, (1, 2): -1}


def test_parquet_without_pyarrow_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r"pip install '\.\[parquet\]'"):
        Pairs([0], [1], [1]).to_parquet(tmp_path / "pairs.parquet")
    assert not list(tmp_path.iterdir())


# ------------------------------------------------------------------ from neighbours and time


def blobs(n: int = 90) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    y = np.arange(n) % 3
    return rng.normal(scale=0.1, size=(n, 2)) + 5.0 * np.array([[0, 0], [1, 0], [0, 1]])[y], y


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
        (np.zeros((5, 2)), {"n_neighbors": 5}, InputError, r"n_neighbors must be an int in 1\.\.4, got 5"),
        (np.zeros((5, 2)), {"n_neighbors": "2"}, InputTypeError, "n_neighbors must be an int"),
        (np.zeros((5, 2)), {"n_neighbors": 1, "far": 1.0}, InputError, r"far must be in \[0, 1\), got 1.0"),
        (
            np.zeros((5, 2)),
            {"n_neighbors": 1, "far": "far"},
            InputTypeError,
            "far must be a number, got 'far'",
        ),
        (np.zeros((5, 2)), {"n_neighbors": 1, "far": np.nan}, InputError, "far must be finite, got nan"),
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
        with pytest.raises(InputError, match="no two of the"):
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
        ([0.0, 1.0], {"window": "1", "gap": 1}, InputTypeError, "window must be a number"),
        ([0.0, 1.0], {"window": 0, "gap": np.inf}, InputError, "gap must be finite"),
        ([0.0], {"window": 0, "gap": 1}, InputError, "times must hold at least 2 samples, got 1"),
        ([0.0, np.nan], {"window": 0, "gap": 1}, InputError, "times must be finite, got nan at position 1"),
        (["0", "1"], {"window": 0, "gap": 1}, InputTypeError, "times must hold numbers, got dtype <U1"),
        ([0.0, 1.0], {"window": 0, "gap": 5}, InputError, "no two of the 2 times are within window=0.0"),
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


# ------------------------------------------------------------------ selections


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
    with pytest.raises(InputError, match=r"n must be an int in 1\.\.60, got 61"):
        pairs.sample(61)


def test_union_merges_and_refuses() -> None:
    first, second = Pairs([0, 1], [1, 2], [1, -1]), Pairs([3, 0], [4, 1], [1, 1])
    assert list(as_dict(first.union(second))) == [(0, 1), (1, 2), (3, 4)]
    with pytest.raises(ConflictError, match=r"pair \(0, 1\) is both"):
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
        (1.1, InputError, r"p must be in \[0, 1\], got 1.1"),
        (-0.1, InputError, r"p must be in \[0, 1\], got -0.1"),
        ("half", InputTypeError, "p must be a number, got 'half'"),
        (True, InputTypeError, "p must be a number, got True"),
    ],
)
def test_noise_refuses(p: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        Pairs([0], [1], [1]).with_noise(p)


# ------------------------------------------------------------------ what follows


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


def test_from_sequence_takes_its_limits_from_the_usual_step() -> None:
    times = np.r_[np.arange(30) * 0.5, 100.0]
    defaults = Pairs.from_sequence(times, random_state=0)
    assert defaults == Pairs.from_sequence(times, window=0.5, gap=5.0, random_state=0)
    assert not defaults.hard


def test_noise_and_guesses_are_not_hard_and_parts_inherit_it() -> None:
    pairs = Pairs([0, 1, 0], [1, 2, 3], [1, 1, -1])
    assert pairs.hard
    noisy = pairs.with_noise(0.5, random_state=0)
    assert not noisy.hard
    assert not noisy.restrict([0, 1, 2, 3]).hard
    assert not noisy.sample(2, random_state=0).hard
    assert not pickle.loads(pickle.dumps(noisy)).hard  # noqa: S301 - bytes made on this line
    assert not pairs.union(Pairs([4], [5], [1], hard=False)).hard
