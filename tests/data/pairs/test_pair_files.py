"""Pairs in files: what is written comes back, what is wrong is named."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.data.pairs.known import as_dict

from coterie._errors import ConflictError, InputError, InputTypeError
from coterie.data import Pairs

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
    with pytest.raises(InputError, match="must be a file, got a directory"):
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
        ("", "is empty; it must hold rows of values"),
        ("\n\n", "is empty"),
        ("i,j,same\n", "at least one pair, got none"),
        ("i,j\n0,1\n", "must have the columns i, j, same, got i, j"),
        ("0,1,1\n", "must have the columns i, j, same, got 0, 1, 1"),
        ("i,j,same\n0,1,1\n0,2\n", "line 3 must have 3 entries, as the header, got 2"),
        ("i,j,same\n0,1,1\n\n0,2,1,9\n", "line 4 must have 3 entries, as the header, got 4"),
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
    with pytest.raises(ConflictError, match=r"bad.csv: pair \(0, 1\) must not be both"):
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
    with pytest.raises(InputError, match=r"bad.parquet must have the columns i, j, same, got i, j"):
        Pairs.from_parquet(file)
    pd.DataFrame({"i": [0, None], "j": [1, 2], "same": [1, 1]}).to_parquet(file)
    with pytest.raises(InputError, match=r"bad.parquet: column i must have no empty entries, got 1"):
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
