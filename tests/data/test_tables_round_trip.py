"""Any table that pandas, polars or Excel writes comes back with the same ids, columns and values."""

from __future__ import annotations

import csv
import io
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from coterie.data import Samples, read_samples

RESERVED = {"id", "label", "labels", "index", "unnamed: 0", "__index_level_0__"}
CHARACTERS = "abcXYZ019 _-.äß€;,|\"'="
# a name has a letter: one of signs and digits alone cannot be told from a sample
NAMES = st.text(CHARACTERS, min_size=1, max_size=6).filter(
    lambda name: name == name.strip() and re.search("[abXYZ]", name) and name.lower() not in RESERVED
)
IDS = st.text(CHARACTERS, min_size=1, max_size=5) | st.sampled_from(
    ["007", "7", "NA", "nan", " 7", "1e5", "-1"]
)
# pandas cannot read larger and smaller ones from JSON
FLOATS = st.floats(-1e300, 1e300, allow_nan=False).map(lambda value: value if abs(value) > 1e-290 else 0.0)
INTEGERS = st.integers(-(2**53), 2**53)


@st.composite
def tables(draw: Any) -> tuple[list[str] | None, list[str], Any]:
    """Ids or none, names of columns, values."""
    n = draw(st.integers(2, 7))
    names = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    ids = draw(st.none() | st.lists(IDS, min_size=n, max_size=n, unique=True))
    columns = [
        draw(st.lists(draw(st.sampled_from([FLOATS, INTEGERS])), min_size=n, max_size=n)) for _ in names
    ]
    return ids, names, columns


def read(file: Path) -> Samples:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return read_samples(file)


def check(file: Path, ids: list[str] | None, names: list[str], columns: Any) -> None:
    found = read(file)
    assert found.ids == (None if ids is None else tuple(ids))
    assert found.how["columns"] == names
    np.testing.assert_array_equal(found.X, np.array(columns, dtype=np.float64).T)


@pytest.mark.parametrize("suffix", ["csv", "tsv", "csv.gz", "parquet", "jsonl"])
@settings(max_examples=20, deadline=None)
@given(table=tables())
def test_pandas(tmp_path_factory: Any, suffix: str, table: Any) -> None:
    ids, names, columns = table
    frame = pd.DataFrame(dict(zip(names, columns, strict=True)))
    frame = frame if ids is None else frame.assign(id=ids)[["id", *names]]
    file = tmp_path_factory.mktemp("t") / f"t.{suffix}"
    if suffix == "parquet":
        frame.to_parquet(file)
    elif suffix == "jsonl":
        frame.to_json(file, orient="records", lines=True, double_precision=15)
        # as many digits as pandas writes in JSON
        columns = [
            pd.read_json(io.StringIO(file.read_text()), lines=True, dtype=False, precise_float=True)[n]
            for n in names
        ]
    else:
        frame.to_csv(file, index=False, sep="\t" if suffix == "tsv" else ",")
    check(file, ids, names, columns)


@settings(max_examples=15, deadline=None)
@given(table=tables())
def test_the_index_of_pandas(tmp_path_factory: Any, table: Any) -> None:
    ids, names, columns = table
    frame = pd.DataFrame(dict(zip(names, columns, strict=True)), index=ids)
    folder = tmp_path_factory.mktemp("t")
    frame.to_csv(folder / "t.csv")
    check(folder / "t.csv", ids or list(map(str, range(len(frame)))), names, columns)
    frame.to_parquet(folder / "t.parquet")
    check(folder / "t.parquet", ids, names, columns)
    frame.rename_axis("who").to_parquet(folder / "named.parquet")
    check(folder / "named.parquet", ids, names, columns)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@settings(max_examples=20, deadline=None)
@given(table=tables())
def test_polars(tmp_path_factory: Any, suffix: str, table: Any) -> None:
    ids, names, columns = table
    frame = pl.DataFrame(dict(zip(names, columns, strict=True)))
    frame = frame if ids is None else frame.insert_column(0, pl.Series("id", ids))
    file = tmp_path_factory.mktemp("t") / f"t.{suffix}"
    frame.write_csv(file) if suffix == "csv" else frame.write_parquet(file)
    check(file, ids, names, columns)


@settings(max_examples=20, deadline=None)
@given(table=tables())
@example(table=([".0", "1", "000"], ["X"], [[0.0, 5.5, 1.0]]))
@example(table=([";", "0;"], ["X,0"], [[0.0, 0.0]]))
@example(table=([";", "0;"], ["X", "X,0"], [[0.0, 0.0], [0.0, 0.0]]))
def test_excel_in_german(tmp_path_factory: Any, table: Any) -> None:
    """A byte order mark, semicolons, decimal commas, Windows line ends: seen in two columns or more."""
    ids, names, columns = table
    assume(ids or len(names) > 1)
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=";", lineterminator="\r\n")
    writer.writerow([*(["id"] if ids else []), *names])
    cells = [[repr(value).replace(".", ",") for value in column] for column in columns]
    writer.writerows(zip(*([ids] if ids else []), *cells, strict=True))
    file = tmp_path_factory.mktemp("t") / "t.csv"
    file.write_text(out.getvalue(), encoding="utf-8-sig", newline="")
    check(file, ids, names, columns)
