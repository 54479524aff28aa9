"""Pairs in files: CSV and Parquet."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable
from typing import Any

import numpy as np

from coterie._errors import InputError
from coterie.data import readers
from coterie.data.files import atomic_write
from coterie.data.ids import RowIds, names_of
from coterie.data.pairs.arrays import KINDS, KINDS_TEXT, LARGEST_INDEX, UNKNOWN_HINT, Ints, Signs


def read_csv(path: str | os.PathLike[str], ids: Iterable[object] | None = None) -> tuple[Any, Any, Any]:
    """Return the columns i, j and same of a CSV file in order of the rows, see `Pairs.from_csv`."""
    known = None if ids is None else RowIds(ids)
    rows = ((line, cells) for line, cells in readers.text_rows(path) if any(cells))
    header = next(rows, None)
    if header is None:
        raise InputError(f"{path} is empty; it must begin with a header that names the columns i, j, same")
    width = len(header[1])
    places = _columns(path, [name.strip().lower() for name in header[1]])
    i, j, same, lines = [], [], [], []
    for line, cells in rows:
        if len(cells) != width:
            raise InputError(
                f"{path}, line {line} must have {width} entries, as the header, got {len(cells)}"
            )
        i.append(_read_row(path, line, "i", cells[places[0]], known))
        j.append(_read_row(path, line, "j", cells[places[1]], known))
        same.append(_read_kind(path, line, cells[places[2]]))
        lines.append(line)
    _refuse_zeros_alone(path, lines, same)
    return _sorted(i, j, same)


def _sorted(i: Any, j: Any, same: Any) -> tuple[Any, Any, Any]:
    """Pairs in an order of their own: that of the lines in a file is to change no fit."""
    columns = tuple(map(np.asarray, (i, j, same)))
    order = np.lexsort(columns[::-1])
    return columns[0][order], columns[1][order], columns[2][order]


def write_csv(
    path: str | os.PathLike[str], i: Ints, j: Ints, same: Signs, ids: Iterable[object] | None = None
) -> None:
    """Write a CSV file whole or not at all, see `Pairs.to_csv`."""
    first, second = _names(i, j, ids)
    with atomic_write(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("i", "j", "same"))
        writer.writerows(zip(first, second, same.tolist(), strict=True))


def read_parquet(path: str | os.PathLike[str], ids: Iterable[object] | None = None) -> tuple[Any, Any, Any]:
    """Return the columns i, j and same of a Parquet file in order of the rows, see `Pairs.from_parquet`."""
    arrow, parquet = readers.load_arrow()
    file = readers.check_file(path)
    try:
        _columns(path, parquet.read_schema(file).names)
        table = parquet.read_table(file, columns=["i", "j", "same"], partitioning=None)
    except (arrow.ArrowException, OSError) as error:
        raise InputError(f"{path} cannot be read as Parquet: {error}") from error
    i, j, same = (table[name] for name in ("i", "j", "same"))
    for name, column in (("i", i), ("j", j), ("same", same)):
        if column.null_count:
            raise InputError(f"{path}: column {name} must have no empty entries, got {column.null_count}")
    if ids is None:
        return _sorted(i.to_numpy(), j.to_numpy(), same.to_numpy())
    known = RowIds(ids)
    first, second = (
        [_row_of_id(f"{path}, row {row}: {name}", str(value), known) for row, value in enumerate(column)]
        for name, column in (("i", i.to_pylist()), ("j", j.to_pylist()))
    )
    return _sorted(first, second, same.to_numpy())


def write_parquet(
    path: str | os.PathLike[str], i: Ints, j: Ints, same: Signs, ids: Iterable[object] | None = None
) -> None:
    """Write a Parquet file whole or not at all, see `Pairs.to_parquet`."""
    arrow, parquet = readers.load_arrow()
    first, second = (i, j) if ids is None else _names(i, j, ids)
    with atomic_write(path) as temporary:
        parquet.write_table(arrow.table({"i": first, "j": second, "same": same}), temporary)


def _names(i: Ints, j: Ints, ids: Iterable[object] | None) -> tuple[list[Any], list[Any]]:
    """Both columns as they are written: row numbers, or the ids of those rows."""
    if ids is None:
        return i.tolist(), j.tolist()
    names = names_of(ids)
    largest = int(max(i.max(), j.max()))
    if largest >= len(names):
        raise InputError(f"ids must name every row of the pairs, so at least {largest + 1}, got {len(names)}")
    known = RowIds(names)
    for row in np.unique(np.r_[i, j]).tolist():
        _row_of_id(f"ids[{row}]", names[row], known)  # an id of two rows could not be read again
    return [names[row] for row in i.tolist()], [names[row] for row in j.tolist()]


def _columns(path: str | os.PathLike[str], names: list[str]) -> tuple[int, int, int]:
    missing = [name for name in ("i", "j", "same") if name not in names]
    if missing:
        raise InputError(f"{path} must have the columns i, j, same, got {', '.join(names)}")
    return names.index("i"), names.index("j"), names.index("same")


def _read_row(path: str | os.PathLike[str], line: int, name: str, text: str, ids: RowIds | None) -> int:
    """The row that an entry names: by its id where rows have ids, else by its number."""
    place = f"{path}, line {line}: {name}"
    return _row_number(place, text) if ids is None else _row_of_id(place, text, ids)


def _row_number(place: str, text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        raise InputError(f"{place} must be a row number, got {text!r}") from None
    if not 0 <= value <= LARGEST_INDEX:
        raise InputError(f"{place} must be in 0..{LARGEST_INDEX}, got {text}")
    return value


def _row_of_id(place: str, text: str, ids: RowIds) -> int:
    try:
        return ids.row(text)
    except InputError as error:
        raise InputError(f"{place} {error}") from None


def _read_kind(path: str | os.PathLike[str], line: int, text: str) -> int:
    kind = KINDS.get(text.strip().lower())
    if kind is None:
        raise InputError(f"{path}, line {line}: same must be {KINDS_TEXT}, got {text!r}")
    return kind


def _refuse_zeros_alone(path: str | os.PathLike[str], lines: list[int], same: list[int]) -> None:
    """Raise where 0 may mean unknown as well as dissimilar."""
    if 0 in same and -1 not in same:
        line = lines[same.index(0)]
        raise InputError(f"{path}, line {line}: same must be {KINDS_TEXT}, got '0'{UNKNOWN_HINT}")
