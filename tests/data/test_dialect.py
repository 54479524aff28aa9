"""How tables of text are written: separators, decimal commas, encodings, quotes, headers."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coterie import Pairs
from coterie._errors import InputError
from coterie.data import ReadOptions, TableOptions, read_labels, read_samples
from coterie.data.readers.dialect import detect_dialect

VALUES = [[1.5, 20.0], [3.0, -4.25], [0.125, 7.0]]


@contextlib.contextmanager
def said() -> Iterator[list[str]]:
    """What is warned of."""
    texts: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield texts
    texts += [str(one.message) for one in caught]


def written(sep: str, decimal: str, header: str | None) -> str:
    lines = [] if header is None else [sep.join(header)]
    return (
        "\n".join([*lines, *(sep.join(str(v).replace(".", decimal) for v in row) for row in VALUES)]) + "\n"
    )


@pytest.mark.parametrize("header", [None, "xy"])
@pytest.mark.parametrize(
    ("sep", "decimal", "words"),
    [
        (",", ".", []),
        (";", ",", ["semicolon separated", "decimal commas"]),
        (";", ".", ["semicolon separated"]),
        ("\t", ".", ["tab separated"]),
        ("\t", ",", ["tab separated", "decimal commas"]),
        ("|", ".", ["bar separated"]),
        ("  ", ".", ["space separated"]),
    ],
)
def test_separators_and_decimal_signs(
    tmp_path: Path, sep: str, decimal: str, words: list[str], header: str | None
) -> None:
    (tmp_path / "t.txt").write_text(written(sep, decimal, header))
    with said() as texts:
        samples = read_samples(tmp_path / "t.txt")
    np.testing.assert_array_equal(samples.X, VALUES)
    assert samples.how["columns"] == (None if header is None else list(header))
    assert texts == ([f"{tmp_path}/t.txt: {', '.join(words)}"] if words else [])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("packed", [False, True])
def test_encodings(tmp_path: Path, encoding: str, packed: bool) -> None:
    content = "id,größe\nMüller,1\nGödel,2\n".encode(encoding)
    file = tmp_path / ("t.csv.gz" if packed else "t.csv")
    file.write_bytes(gzip.compress(content) if packed else content)
    with said() as texts:
        samples = read_samples(file)
    assert samples.ids == ("Müller", "Gödel")
    assert samples.how["columns"] == ["größe"]
    assert texts == ([] if encoding.startswith("utf-8") else [f"{file}: {encoding}"])


def test_a_later_line_of_another_encoding(tmp_path: Path) -> None:
    lines = ["id,a"] + [f"row {n},{n}" for n in range(40_000)] + ["Müller,1"]
    (tmp_path / "t.csv").write_bytes("\n".join(lines).encode("cp1252"))
    with pytest.warns(UserWarning, match=r"t\.csv: cp1252"):
        samples = read_samples(tmp_path / "t.csv")
    assert samples.ids is not None
    assert samples.ids[-1] == "Müller"


def test_a_tsv_is_what_its_name_says(tmp_path: Path) -> None:
    (tmp_path / "t.tsv").write_text(written("\t", ".", "xy"))
    with said() as texts:
        np.testing.assert_array_equal(read_samples(tmp_path / "t.tsv").X, VALUES)
    assert texts == []


def test_excel_s_first_line_names_the_separator(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("sep=;\r\nx;y\r\n1,5;2\r\n3,25;4\r\n", encoding="utf-8-sig", newline="")
    with pytest.warns(UserWarning, match="semicolon separated, decimal commas"):
        samples = read_samples(tmp_path / "t.csv")
    np.testing.assert_array_equal(samples.X, [[1.5, 2], [3.25, 4]])


def test_quotes(tmp_path: Path) -> None:
    (tmp_path / "double.csv").write_text('id,a\n"x, ""y""\nz",1\n7,2\n')
    assert read_samples(tmp_path / "double.csv").ids == ('x, "y"\nz', "7")
    (tmp_path / "single.csv").write_text("id,a\n'x, y',1\n'z',2\n")
    with pytest.warns(UserWarning, match="quotes '"):
        assert read_samples(tmp_path / "single.csv").ids == ("x, y", "z")


@pytest.mark.parametrize(
    ("text", "header", "words"),
    [
        ("a,b\n1,2\n", ["a", "b"], None),
        ("1,2\n3,4\n", None, None),
        ("0,1\n0.5,2\n1.5,3\n", ["0", "1"], "the first line 0,1 is taken as a header"),
        ("0,1\n5,2\n", None, r"the first line 0,1 is taken as a sample \(if it is a header, --header yes"),
        (
            "land,2019,2020\nFR,1.5,2.5\nFR,1.5,2.5\nDE,0.5,1.0\n",
            ["land", "2019", "2020"],
            "taken as a header",
        ),
        ("5,6,7\n1,2,3\n", None, None),
    ],
)
def test_headers(tmp_path: Path, text: str, header: list[str] | None, words: str | None) -> None:
    (tmp_path / "t.csv").write_text(text)
    with said() as texts:
        samples = read_samples(tmp_path / "t.csv")
    assert samples.how["columns"] == header
    assert len(samples.X) == text.count("\n") - (header is not None)
    assert words is None or any(re.search(words, one) for one in texts)


def test_options_say_what_is_not_to_be_detected(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("0,1\n0.5,2\n")
    read = ReadOptions(table=TableOptions(header=False))
    assert np.asarray(read_samples(tmp_path / "t.csv", read).X).tolist() == [[0, 1], [0.5, 2]]
    (tmp_path / "t.csv").write_text("5,6\n1,2\n")
    read = ReadOptions(table=TableOptions(header=True))
    assert read_samples(tmp_path / "t.csv", read).how["columns"] == ["5", "6"]
    (tmp_path / "t.csv").write_text("1:2,5\n3:4,5\n")
    read = ReadOptions(table=TableOptions(sep=":", decimal=","))
    with pytest.warns(UserWarning, match="':' separated, decimal commas"):
        assert np.asarray(read_samples(tmp_path / "t.csv", read).X).tolist() == [[1, 2.5], [3, 4.5]]


def test_row_names_of_r_have_no_name(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('"a","b"\n"x",1,2\n"y",3,4\n')
    with pytest.warns(UserWarning, match="column without a name is used as ids"):
        samples = read_samples(tmp_path / "t.csv")
    assert (samples.ids, np.asarray(samples.X).tolist()) == (("x", "y"), [[1, 2], [3, 4]])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1,2\n3\n", "line 3 must have 2 entries, as the first line, got 1"),
        ("a,b\n1,2\n\n3,4,5\n", "line 4 must have 2 entries, as the first line, got 3"),
        ('a,b\n"1\n2",2\n3\n', "line 4 must have 2 entries"),
        ("a,b\n1,2\nx,4\n5,6\n\n7,inf\n", "line 3, column 'a': must be a number, as most .* got 'x'"),
        ("a,b\n1,2\n\n3,-inf\n", "line 4, column 'b': must be finite, got -inf"),
        ("1,2\n3,1e999\n", "line 2, column '2': must be finite, got inf"),
        ("a;b\n1;2,5\n3;4.5\n", "line 2, column 'b': must be a number, as most .* got '2,5'"),
        ('a,b\n1,"2\n', "line 2: unexpected end of data"),
        ("a\0b\n", "must be a file of text; it holds bytes of value 0"),
        ("\n \n", "is empty; it must hold rows of values"),
    ],
)
def test_errors_name_line_and_column(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(InputError, match=rf"t\.csv.*{words}"), said():
        read_samples(tmp_path / "t.csv")


def test_labels_and_pairs_take_the_same_files(tmp_path: Path) -> None:
    (tmp_path / "y.tsv").write_text("id\tlabel\n0\tcat\n1\tdog\n")
    assert read_labels(tmp_path / "y.tsv").tolist() == ["cat", "dog"]
    with gzip.open(tmp_path / "pairs.csv.gz", "wt") as file:
        file.write("i;j;same\n0;1;1\n1;2;-1\n")
    with pytest.warns(UserWarning, match="semicolon separated"):
        pairs = Pairs.from_csv(tmp_path / "pairs.csv.gz")
    assert (pairs.i.tolist(), pairs.j.tolist(), pairs.same.tolist()) == ([0, 1], [1, 2], [1, -1])


CELLS = st.floats(allow_nan=False, allow_infinity=False, width=64)


@settings(deadline=None)
@given(
    rows=st.integers(1, 4).flatmap(
        lambda d: st.lists(st.lists(CELLS, min_size=d, max_size=d), min_size=2, max_size=8)
    ),
    sep=st.sampled_from([";", "\t", "|", ","]),
    quoted=st.booleans(),
    ends=st.sampled_from(["\n", "\r\n"]),
)
def test_any_numbers_come_back(tmp_path_factory: Any, rows: Any, sep: str, quoted: bool, ends: str) -> None:
    file = tmp_path_factory.mktemp("any") / "t.csv"
    out = io.StringIO(newline="")
    style: Any = csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL
    writer = csv.writer(out, delimiter=sep, lineterminator=ends, quoting=style)
    writer.writerow([f"c{number}" for number in range(len(rows[0]))])
    writer.writerows(rows)
    file.write_text(out.getvalue(), newline="")
    with said():
        found = read_samples(file).X
    np.testing.assert_array_equal(found, rows)


def test_a_dialect_of_one_column_is_none(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a\n1\n2\n")
    found = detect_dialect(tmp_path / "t.csv", TableOptions())
    assert (found.sep, found.width, found.names, found.note) == (",", 1, ("a",), "")
