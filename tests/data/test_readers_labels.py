"""Labels of a file find their rows: by ids whatever their column is called, by order with a warning."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coterie._errors import InputError
from coterie.data.readers import LabelTable, names_in_common, read_label_table

XYZ = ("x", "y", "z")
VALUES = np.array([5, 6, 7])
BY_ORDER = "y.csv: the labels are used in the order of the samples, because "


def table(columns: dict[str, Any], values: Any = VALUES) -> LabelTable:
    held = {name: tuple(map(str, column)) for name, column in columns.items()}
    return LabelTable(np.asarray(values), held, "y.csv", range(2, 2 + len(values)))


@pytest.mark.parametrize(
    ("columns", "names", "expected"),
    [
        ({"id": "zxy"}, XYZ, [6, 7, 5]),
        ({"filename": "zxy"}, XYZ, [6, 7, 5]),
        ({"": (0, 1, 2), "path": "zxy"}, XYZ, [6, 7, 5]),
        ({"who": "aab", "id": "zxy"}, XYZ, [6, 7, 5]),
        ({"id": (2, 0, 1)}, None, [6, 7, 5]),
        ({"id": (2, 0, 1)}, ("0", "1", "2"), [6, 7, 5]),
        ({"id": ("07", "7", " 7")}, ("7", " 7", "07"), [6, 7, 5]),
        ({}, None, [5, 6, 7]),
        ({"Unnamed: 0": (0, 1, 2)}, None, [5, 6, 7]),
        ({"age": (31, 20, 7)}, None, [5, 6, 7]),
        ({"rank": (2, 0, 1)}, None, [5, 6, 7]),
    ],
)
def test_labels_find_their_rows(columns: Any, names: Any, expected: list[int]) -> None:
    assert table(columns).for_rows(names, 3).tolist() == expected


@pytest.mark.parametrize(
    ("columns", "names", "words"),
    [
        ({}, XYZ, BY_ORDER + "no column of it holds the ids of the samples"),
        ({"": (0, 1, 2)}, XYZ, BY_ORDER + "no column of it holds the ids of the samples"),
        ({"id": (1, 2, 3)}, None, BY_ORDER + r"its column 'id' does not hold the row numbers 0\.\.2"),
        ({"filename": "abc"}, None, BY_ORDER + "its column 'filename' does not hold the row numbers"),
    ],
)
def test_the_order_serves_with_a_warning(columns: Any, names: Any, words: str) -> None:
    with pytest.warns(UserWarning, match=words):
        assert table(columns).for_rows(names, 3).tolist() == [5, 6, 7]


@pytest.mark.parametrize(
    ("columns", "names", "what"),
    [({"rank": (2, 0, 1)}, ("0", "1", "2"), "ids"), ({"index": (2, 0, 1)}, None, "row numbers")],
)
def test_numbers_that_may_mean_something_else_are_joined_with_a_warning(
    columns: Any, names: Any, what: str
) -> None:
    with pytest.warns(UserWarning, match=f"joined by the column '[a-z]+', whose values are read as {what}"):
        assert table(columns).for_rows(names, 3).tolist() == [6, 7, 5]


def test_rows_without_a_label_are_unknown() -> None:
    assert table({"id": "y"}, ["a"]).for_rows(("x", "y"), 2).tolist() == [None, "a"]


@pytest.mark.parametrize(
    ("columns", "names", "words"),
    [
        (
            {"id": "?!"},
            XYZ,
            r"y.csv, line 2: id must be one of the ids of 3 samples, got '\?' \(2 such lines\)",
        ),
        ({"id": "x!"}, XYZ, "y.csv, line 3: id must be one of the ids of 3 samples, got '!'"),
        ({"file": "xy!"}, XYZ, "y.csv, line 4: file must be one of the ids of 3 samples, got '!'"),
        ({"id": (0, 3)}, None, r"y.csv, line 3: id must be a row number in 0\.\.2, got '3'"),
        (
            {"id": "xx"},
            XYZ,
            "y.csv, line 3: 'x' is given twice, first in line 2; each sample must have one label",
        ),
        ({"id": "xy"}, ("x", "y", "x"), "y.csv: id must name one sample; 'x' is the id of rows 0 and 2"),
        ({"a": "xy", "b": "yx"}, XYZ, "the columns 'a' and 'b' both hold ids of the samples"),
    ],
)
def test_labels_that_find_no_row(columns: Any, names: Any, words: str) -> None:
    size = len(next(iter(columns.values())))
    with pytest.raises(InputError, match=words):
        table(columns, VALUES[:size]).for_rows(names, 3)


def test_labels_of_other_rows_are_left_out() -> None:
    found = table({"id": ("y", "broken", "x")})
    with pytest.warns(
        UserWarning,
        match=r"y.csv: 1 ids do not belong to any of the 2 rows and are ignored, for example 'broken'",
    ):
        assert found.for_rows(("x", "y"), 2, strict=False).tolist() == [7, 5]
    assert found.for_rows(("x", "y"), 2, left_out=["broken"]).tolist() == [7, 5]


def test_tables_are_joined_by_what_they_have_in_common() -> None:
    one = table({"id": "xyz"})
    assert names_in_common(one, table({"file": "zyx"})) == XYZ
    assert names_in_common(table({"file": "xyz"}), table({"name": "zyx"})) == XYZ
    assert names_in_common(table({"id": (0, 1, 2)}), one) is None
    assert names_in_common(table({"file": "xyz"}), table({})) is None


@pytest.mark.parametrize("values", [["a", "-1", "b"], ["a", None, "-1"]])
def test_the_text_minus_one_is_unknown_in_every_file(tmp_path: Path, values: list[Any]) -> None:
    pq.write_table(pa.table({"label": values}), tmp_path / "y.parquet")
    np.save(tmp_path / "y.npy", np.array([value or "" for value in values]))
    expected = [-1 if value == "-1" else value for value in values]
    assert read_label_table(tmp_path / "y.parquet").values.tolist() == expected
    assert read_label_table(tmp_path / "y.npy").values.tolist() == [
        "" if value is None else value for value in expected
    ]


@given(st.permutations(range(5)))
def test_any_order_of_a_label_file_gives_the_same_labels(order: list[int]) -> None:
    names = [f"{number}.png" for number in range(5)]
    shuffled = table({"file": [names[k] for k in order]}, [f"class {k}" for k in order])
    assert shuffled.for_rows(names, 5).tolist() == [f"class {k}" for k in range(5)]
