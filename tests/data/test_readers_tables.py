"""Tables with ids and labels, and Parquet."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from coterie._errors import InputError
from coterie.data import ReadOptions, read_samples
from coterie.data.readers import read_label_table

TEXT = "id,a,b,Label\nx,1,2,cat\ny,3,4,dog\n"


def test_csv_ids_name_rows_and_labels_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(TEXT)
    with pytest.warns(UserWarning, match="column Label is not used as a feature"):
        samples = read_samples(tmp_path / "t.csv")
    np.testing.assert_array_equal(samples.X, [[1, 2], [3, 4]])
    assert samples.ids == ("x", "y")
    assert samples.how["columns"] == ["a", "b"]
    assert [step["kind"] for step in samples.how["table_steps"]] == ["number", "number"]
    labels = read_label_table(tmp_path / "t.csv")
    assert (labels.values.tolist(), labels.ids) == (["cat", "dog"], ("x", "y"))


def test_rows_without_ids_are_numbered(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("1,2\n3,4\n")
    samples = read_samples(tmp_path / "t.csv")
    assert (samples.ids, list(samples.names)) == (None, ["0", "1"])


def test_parquet(tmp_path: Path) -> None:
    columns = {"id": ["x", "y"], "a": [1, 3], "b": [2.0, 4.5]}
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    samples = read_samples(tmp_path / "t.parquet")
    np.testing.assert_array_equal(samples.X, [[1, 2], [3, 4.5]])
    assert samples.ids == ("x", "y")
    assert read_samples(tmp_path / "t.parquet").X.dtype == np.float64


@pytest.mark.parametrize(
    "kind", [pa.list_(pa.float32()), pa.list_(pa.float32(), 2), pa.large_list(pa.float32())]
)
def test_parquet_vectors(tmp_path: Path, kind: Any) -> None:
    vectors = pa.array([[1, 2], [3, 4], [5, 6]], kind)
    pq.write_table(pa.table({"embedding": vectors}), tmp_path / "t.pq", row_group_size=2)
    samples = read_samples(tmp_path / "t.pq")
    assert isinstance(samples.X, np.ndarray)
    assert samples.X.dtype == np.float32
    assert np.asarray(samples.X).tolist() == [[1, 2], [3, 4], [5, 6]]


def test_parquet_labels(tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": [7, 8], "label": ["a", None]}), tmp_path / "two.parquet")
    labels = read_label_table(tmp_path / "two.parquet")
    assert (labels.values.tolist(), labels.ids) == (["a", None], ("7", "8"))
    pq.write_table(pa.table({"any": [3, 4]}), tmp_path / "one.parquet")
    assert read_label_table(tmp_path / "one.parquet").values.tolist() == [3, 4]


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"a": [{"b": 1}]}, "column 'a' must hold numbers, words or dates, got dict"),
        ({"a": [[1.0], [1.0, 2.0]]}, "row 1, column 'a': must be a list of 1 numbers"),
        ({"a": [[1.0, None]]}, "row 0, column 'a': must hold finite numbers"),
        ({"id": [1]}, "must have a column of numbers, got id"),
    ],
)
def test_parquet_that_is_no_table_of_numbers(tmp_path: Path, columns: Any, words: str) -> None:
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    with pytest.raises(InputError, match=words):
        read_samples(tmp_path / "t.parquet")


def test_damaged_and_ambiguous_tables(tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError, match=r"t.parquet cannot be read as Parquet"):
        read_samples(tmp_path / "t.parquet")
    (tmp_path / "t.csv").write_text("id,ID,a\n1,2,3\n")
    with pytest.raises(InputError, match="at most one column called id, got 2"):
        read_samples(tmp_path / "t.csv")
    pq.write_table(pa.table({"a": [1], "b": [1]}), tmp_path / "y.parquet")
    with pytest.raises(InputError, match="one of them must be called label, got a, b"):
        read_label_table(tmp_path / "y.parquet")


def test_new_tables_have_the_columns_of_the_old(tmp_path: Path) -> None:
    (tmp_path / "old.csv").write_text("a,b\n1,2\n")
    (tmp_path / "new.csv").write_text("b,c,a\n2,5,1\n")
    (tmp_path / "other.csv").write_text("b,c\n2,5\n")
    (tmp_path / "plain.csv").write_text("1,2\n")
    how = read_samples(tmp_path / "old.csv").reading
    with pytest.warns(UserWarning, match="columns that the fit did not use are ignored: c"):
        assert np.asarray(read_samples(tmp_path / "new.csv", ReadOptions(like=how)).X).tolist() == [[1, 2]]
    with pytest.raises(InputError, match="must have the columns a, b, as in the fit, got b, c"):
        read_samples(tmp_path / "other.csv", ReadOptions(like=how))
    for like in (how, {"modality": "vectors"}):
        assert len(read_samples(tmp_path / "plain.csv", ReadOptions(like=like)).X) == 1


POINTS = np.array([[0.5, 1.25], [2.0, 3.0], [4.0, 5.5]])


@pytest.mark.parametrize("columns", [None, ["a", "b"], ["0", "1"], [0, 1]])
@pytest.mark.parametrize("index", [None, [7, 8, 9], ["x", "y", "z"]])
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.filterwarnings("default::UserWarning")
def test_what_pandas_writes_comes_back(tmp_path: Path, columns: Any, index: Any, suffix: str) -> None:
    frame = pd.DataFrame(POINTS, columns=columns, index=index)
    file = tmp_path / f"t.{suffix}"
    if suffix == "csv":
        frame.to_csv(file, index=index is not None)
    else:
        frame.rename(columns=str).to_parquet(file, index=index is not None)
    samples = read_samples(file)
    np.testing.assert_array_equal(samples.X, POINTS)
    assert samples.ids == (None if index is None else tuple(map(str, index)))
    assert samples.how["columns"] == list(map(str, frame.columns))


@pytest.mark.parametrize(
    ("text", "n_rows", "words"),
    [
        (
            "0,1\n0.5,2\n",
            1,
            "the first line 0,1 is taken as a header (if it is a sample, --header no says so)",
        ),
        (
            "0,1\n5,2\n",
            2,
            "the first line 0,1 is taken as a sample (if it is a header, --header yes says so)",
        ),
        ("0,1,2,3\n5,2,1,1\n", 1, "the first line 0,1,2,3 is taken as a header"),
        (",0,1\n3,5,2\n", 1, "the first line ,0,1 is taken as a header"),
        ("Unnamed: 0,a\n3,5\n", 1, "column Unnamed: 0 is used as ids, as pandas writes its index"),
        (",a\n3,5\n", 1, "column without a name is used as ids, as pandas writes its index"),
    ],
)
def test_what_pandas_wrote_is_said(tmp_path: Path, text: str, n_rows: int, words: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        samples = read_samples(tmp_path / "t.csv")
    assert any(words in str(one.message) for one in said)
    assert len(samples.X) == n_rows


def test_a_comma_at_the_end_of_each_line_is_no_index(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b,\n1,2,\n")
    with pytest.warns(UserWarning, match="column '3': ignored, because it has no values"):
        samples = read_samples(tmp_path / "t.csv")
    assert (samples.ids, np.asarray(samples.X).tolist()) == (None, [[1, 2]])


def test_a_first_line_of_other_numbers_is_a_sample(tmp_path: Path) -> None:
    for text in ("0,1\n", "1,2\n0.5,3\n", "0,1.0\n0.5,3\n", "0\n0.5\n"):
        (tmp_path / "t.csv").write_text(text)
        assert len(read_samples(tmp_path / "t.csv").X) == text.count("\n")


@contextlib.contextmanager
def as_nobody() -> Iterator[None]:
    """Without root's right to read everything."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def test_what_may_not_be_read(tmp_path: Path) -> None:
    folder = tmp_path / "secret"
    folder.mkdir()
    np.save(folder / "x.npy", np.zeros((2, 2)))
    folder.chmod(0)
    with as_nobody(), pytest.raises(InputError, match="cannot be read: Permission denied"):
        read_samples(folder / "x.npy")
    folder.chmod(0o700)
