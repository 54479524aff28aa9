"""Ids are ids: in pairs, a name that is none of them is an error and never a row number."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coterie import InputError, InputTypeError, Pairs

IDS = ("9", "5", "7")


def listed(pairs: Pairs) -> list[tuple[int, int, int]]:
    return list(zip(pairs.i.tolist(), pairs.j.tolist(), pairs.same.tolist(), strict=True))


def write_csv(folder: Path, *lines: str) -> Path:
    file = folder / "p.csv"
    file.write_text("\n".join(["i,j,same", *lines]) + "\n")
    return file


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("007,9,1", "line 3: i must be one of the ids of 3 samples, got '007'; row numbers are not accepted"),
        ("9,0,-1", "line 3: j must be one of the ids of 3 samples, got '0'; row numbers"),
        ("9, 5,1", "line 3: j must be .* got ' 5'; ids compare as they are written, and '5' is one of them"),
        ("9,lead,1", "line 3: j must be one of the ids of 3 samples, got 'lead'$"),
    ],
)
def test_a_name_that_is_no_id_is_refused(tmp_path: Path, line: str, words: str) -> None:
    file = write_csv(tmp_path, "9,5,1", line)
    with pytest.raises(InputError, match=f"p.csv, {words}"):
        Pairs.from_csv(file, ids=IDS)


def test_ids_compare_as_they_are_written(tmp_path: Path) -> None:
    file = write_csv(tmp_path, " lead.png,lead.png,-1", "007,7,same")
    pairs = Pairs.from_csv(file, ids=["lead.png", "7", " lead.png", "007"])
    assert listed(pairs) == [(0, 2, -1), (1, 3, 1)]


def test_an_id_of_two_rows_is_refused_where_it_is_used(tmp_path: Path) -> None:
    ids = ["a", "b", "a", "c"]
    assert listed(Pairs.from_csv(write_csv(tmp_path, "b,c,1"), ids=ids)) == [(1, 3, 1)]
    words = "j must name one sample; 'a' is the id of rows 0 and 2: give each row its own id"
    with pytest.raises(InputError, match=f"p.csv, line 2: {words}"):
        Pairs.from_csv(write_csv(tmp_path, "b,a,1"), ids=ids)
    with pytest.raises(InputError, match=words.replace("must", "at position 0 must")):
        Pairs(["b"], ["a"], [1], ids=ids)


@pytest.mark.parametrize("kind", [str, int])
def test_parquet_names_rows_as_csv_does(tmp_path: Path, kind: Any) -> None:
    file = tmp_path / "p.parquet"
    frame = pd.DataFrame({"i": ["9", "7"], "j": ["5", "5"], "same": ["yes", "no"]})
    frame.astype({"i": kind, "j": kind}).to_parquet(file)
    assert listed(Pairs.from_parquet(file, ids=IDS)) == [(0, 1, 1), (1, 2, -1)]
    frame.assign(j=["5", "0"]).astype({"i": kind, "j": kind}).to_parquet(file)
    with pytest.raises(InputError, match=r"p.parquet, row 1: j must be one of the ids .* got '0'"):
        Pairs.from_parquet(file, ids=IDS)


@pytest.mark.parametrize(
    "ids", [list(IDS), [9, 5, 7], np.array([9, 5, 7]), pd.Index([9, 5, 7]), pd.Index(list(IDS))]
)
@pytest.mark.parametrize(
    "names", [(["9", "7"], ["5", "5"]), ([9, 7], np.array([5, 5])), (pd.Series([9, 7]), [5, "5"])]
)
def test_python_names_rows_by_their_ids(ids: Any, names: Any) -> None:
    assert listed(Pairs(names[0], names[1], [True, False], ids=ids)) == [(0, 1, 1), (1, 2, -1)]


def test_python_refuses_row_numbers_where_rows_have_ids() -> None:
    with pytest.raises(InputError, match="i at position 1 must be one of the ids of 3 samples, got '0'; row"):
        Pairs([9, 0], [5, 5], [1, 1], ids=[9, 5, 7])
    with pytest.raises(InputTypeError, match="ids must be a sequence with one id per row, got str"):
        Pairs([9], [5], [1], ids="957")


def test_a_list_of_triples() -> None:
    assert listed(Pairs([("b", "a", 1), ("c", "b", -1)], ids=["a", "b", "c"])) == [(0, 1, 1), (1, 2, -1)]
    assert listed(Pairs([(0, 1, "same"), (1, 2, "different")])) == [(0, 1, 1), (1, 2, -1)]
    with pytest.raises(InputTypeError, match="one list of triples"):
        Pairs([(0, 1)])
    with pytest.raises(InputTypeError, match="i, j and same must all be given"):
        Pairs([0], [1])
    with pytest.raises(InputError, match="at least one pair, got none"):
        Pairs([])


@pytest.mark.parametrize(
    "same",
    [
        [1, 0, -1],
        [1.0, 0.0, -1.0],
        ["1", "0", "-1"],
        np.array(["yes", "0", "no"], dtype=object),
        pd.Series(["Same", "0", "DIFFERENT"]),
        ["similar", "0", "dissimilar"],
    ],
)
def test_kinds_as_people_write_them(tmp_path: Path, same: Any) -> None:
    expected = [(0, 1, 1), (2, 3, -1)]
    assert listed(Pairs([0, 1, 2], [1, 2, 3], same)) == expected
    frame = pd.DataFrame({"i": [0, 1, 2], "j": [1, 2, 3], "same": same})
    frame.to_parquet(tmp_path / "p.parquet")
    assert listed(Pairs.from_parquet(tmp_path / "p.parquet")) == expected


def test_zero_without_minus_one_is_ambiguous(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"got 0 at position 1.* only where dissimilar pairs are -1: write -1"
    ):
        Pairs([0, 1], [1, 2], [1, 0])
    with pytest.raises(InputError, match=r"p.csv, line 3: same must be .* got '0'; .* write -1 or False"):
        Pairs.from_csv(write_csv(tmp_path, "0,1,1", "1,2,0"))
    assert listed(Pairs.from_csv(write_csv(tmp_path, "0,1,yes", "1,2,0", "0,2,no"))) == [
        (0, 1, 1),
        (0, 2, -1),
    ]


@given(st.permutations(range(6)), st.lists(st.booleans(), min_size=5, max_size=5))
def test_the_order_of_rows_does_not_change_what_is_said(order: list[int], same: list[bool]) -> None:
    names = [f"s{number}" for number in range(6)]
    pairs = Pairs(names[:5], names[1:], same, ids=[names[number] for number in order])
    back = {frozenset((order[i], order[j])): kind for i, j, kind in listed(pairs)}
    assert back == {frozenset((k, k + 1)): 1 if kind else -1 for k, kind in enumerate(same)}


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_pairs_are_written_by_ids(tmp_path: Path, suffix: str) -> None:
    file, ids = tmp_path / f"p.{suffix}", ["a,b", ' lead "x"', "7", "a,b"]
    pairs = Pairs([1, 1], [2, 2], [True, True])
    getattr(pairs, f"to_{suffix}")(file, ids=ids)
    assert getattr(Pairs, f"from_{suffix}")(file, ids=ids) == pairs
    with pytest.raises(InputError, match=r"ids\[0\] must name one sample; 'a,b' is the id of rows 0 and 3"):
        getattr(Pairs([0], [1], [1]), f"to_{suffix}")(file, ids=ids)
    with pytest.raises(InputError, match="ids must name every row of the pairs, so at least 3, got 2"):
        getattr(pairs, f"to_{suffix}")(file, ids=ids[:2])
