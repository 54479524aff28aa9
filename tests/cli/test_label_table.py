"""Tables of labels that are written by whole columns: the bytes that row by row would give."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from coterie.cli.label_table import COLUMNS, LabelPart, Row, as_text, csv_lines, part_of
from coterie.cli.labels_out import safe_for_spreadsheets, safe_name, write_labels

NAMES = some.text(some.characters(codec="utf-8", exclude_characters="\r"), max_size=8)
SPECIAL = some.sampled_from(["", " a", "a,b", 'say "b"', "two\nlines", "=1+1", "é", "\0", "1e5", "-7"])
PROBABILITIES = some.floats(0, 1) | some.integers(0, 2_000_000).map(lambda number: number / 2_000_000)
SECONDS = some.none() | some.tuples(some.integers(0, 1200), PROBABILITIES)
ROWS = some.tuples(NAMES | SPECIAL, some.integers(-1, 1200), PROBABILITIES, SECONDS)


def row(name: str, label: int, p: float, second: tuple[int, float] | None) -> Row:
    return (name, label, p, *(second or (None, None)))


def one_by_one(rows: list[Row]) -> str:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(map(as_text, rows))
    return stream.getvalue()


@settings(max_examples=100, deadline=None)
@given(some.lists(ROWS, max_size=20))
def test_columns_give_the_bytes_of_rows(
    found: list[tuple[str, int, float, tuple[int, float] | None]],
) -> None:
    rows = [row(*each) for each in found]
    assert csv_lines(part_of(rows)) == one_by_one(rows)
    assert [*part_of(rows).rows()] == rows


def test_millionths_are_rounded_as_text_is() -> None:
    """Half-way in decimal digits is above or below it in binary ones."""
    halves = (np.arange(20_000) + 0.5) / 1e6
    values = np.concatenate([halves, np.nextafter(halves, 0), np.nextafter(halves, 1), [0.0, 1.0, 5e-7]])
    labels = np.zeros(len(values), dtype=np.int64)
    part = LabelPart(["a"] * len(values), labels, values, labels, values)
    assert csv_lines(part).splitlines() == [f"a,0,{value:.6f},0,{value:.6f}" for value in values]


@pytest.mark.parametrize("name", ["\r", "a\rb", '"\r\n'])
def test_a_name_with_a_return_is_read_as_it_was(name: str) -> None:
    lines = csv_lines(part_of([(name, 1, 0.5, None, None)]))
    assert [*csv.reader(io.StringIO(lines, newline=""))] == [[name, "1", "0.500000", "", ""]]


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_parts_make_one_table(tmp_path: Path, suffix: str) -> None:
    rows: list[Row] = [("=a", 1, 0.75, 0, 0.25), ("b", -1, 0.5, None, None), ("c", 1, 1.0, 0, 0.0)]
    file = tmp_path / f"labels.{suffix}"
    assert write_labels(file, safe_for_spreadsheets([part_of(rows[:2]), part_of(rows[2:])])) == {1: 2, -1: 1}
    safe = [(safe_name(name), *rest) for name, *rest in rows]
    if suffix == "csv":
        assert file.read_text() == ",".join(COLUMNS) + "\n" + one_by_one(safe)  # type: ignore[arg-type]
    else:
        found = pyarrow.parquet.read_table(file)
        assert found.column_names == [*COLUMNS]
        assert [*zip(*(column.to_pylist() for column in found.columns), strict=True)] == safe
