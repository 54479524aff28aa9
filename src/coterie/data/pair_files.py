"""Pairs in files: CSV and Parquet."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from coterie._errors import InputError
from coterie.data.files import atomic_write
from coterie.data.pair_arrays import LARGEST_INDEX, Ints, Signs
from coterie.data.readers import check_file, csv_rows
from coterie.data.readers.parquet import load_arrow

_KINDS = {"1": 1, "-1": -1, "true": 1, "false": -1, "same": 1, "different": -1}
_KINDS_TEXT = "1, true or same (similar), or -1, false or different (dissimilar)"


def read_csv(
    path: str | os.PathLike[str], ids: Sequence[str] | None = None
) -> tuple[list[int], list[int], list[int]]:
    """Return the columns i, j and same of a CSV file, see `Pairs.from_csv`."""
    rows_of = _rows_of(ids)
    rows = ((line, cells) for line, cells in csv_rows(path) if any(cells))
    header = next(rows, None)
    if header is None:
        raise InputError(f"{path} is empty; expected a header with the columns i, j, same")
    width = len(header[1])
    places = _columns(path, [name.strip().lower() for name in header[1]])
    i, j, same = [], [], []
    for line, cells in rows:
        if len(cells) != width:
            raise InputError(f"{path}, line {line}: {len(cells)} entries where the header has {width}")
        i.append(_read_index(path, line, "i", cells[places[0]], rows_of))
        j.append(_read_index(path, line, "j", cells[places[1]], rows_of))
        same.append(_read_kind(path, line, cells[places[2]]))
    return i, j, same


def write_csv(path: str | os.PathLike[str], i: Ints, j: Ints, same: Signs) -> None:
    """Write a CSV file whole or not at all, see `Pairs.to_csv`."""
    with atomic_write(path) as temporary:
        table = np.column_stack([i, j, same])
        np.savetxt(temporary, table, fmt="%d", delimiter=",", header="i,j,same", comments="")


def read_parquet(path: str | os.PathLike[str]) -> tuple[Any, Any, Any]:
    """Return the columns i, j and same of a Parquet file, see `Pairs.from_parquet`."""
    arrow, parquet = load_arrow()
    file = check_file(path)
    try:
        _columns(path, parquet.read_schema(file).names)
        table = parquet.read_table(file, columns=["i", "j", "same"], partitioning=None)
    except (arrow.ArrowException, OSError) as error:
        raise InputError(f"{path} cannot be read as Parquet: {error}") from error
    i, j, same = (table[name] for name in ("i", "j", "same"))
    for name, column in (("i", i), ("j", j), ("same", same)):
        if column.null_count:
            raise InputError(f"{path}: column {name} has {column.null_count} empty entries")
    return i.to_numpy(), j.to_numpy(), same.to_numpy()


def write_parquet(path: str | os.PathLike[str], i: Ints, j: Ints, same: Signs) -> None:
    """Write a Parquet file whole or not at all, see `Pairs.to_parquet`."""
    arrow, parquet = load_arrow()
    with atomic_write(path) as temporary:
        parquet.write_table(arrow.table({"i": i, "j": j, "same": same}), temporary)


def _columns(path: str | os.PathLike[str], names: list[str]) -> tuple[int, int, int]:
    missing = [name for name in ("i", "j", "same") if name not in names]
    if missing:
        raise InputError(
            f"{path} has no column {', '.join(missing)}; expected i, j, same; got {', '.join(names)}"
        )
    return names.index("i"), names.index("j"), names.index("same")


def _rows_of(ids: Sequence[str] | None) -> dict[str, int]:
    """Row number of each id."""
    return {} if ids is None else {name: row for row, name in enumerate(ids)}


def _read_index(
    path: str | os.PathLike[str], line: int, name: str, text: str, rows_of: Mapping[str, int]
) -> int:
    if text.strip() in rows_of:
        return rows_of[text.strip()]
    try:
        value = int(text)
    except ValueError:
        raise InputError(
            f"{path}, line {line}: {name} must be a row number{' or an id' * bool(rows_of)}; got {text!r}"
        ) from None
    if not 0 <= value <= LARGEST_INDEX:
        raise InputError(f"{path}, line {line}: {name} must be in 0..{LARGEST_INDEX}; got {text}")
    return value


def _read_kind(path: str | os.PathLike[str], line: int, text: str) -> int:
    kind = _KINDS.get(text.strip().lower())
    if kind is None:
        raise InputError(f"{path}, line {line}: same must be {_KINDS_TEXT}; got {text!r}")
    return kind
