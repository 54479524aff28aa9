"""Parquet files: a table of numbers, or a column of vectors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from coterie._errors import InputError
from coterie.data.readers.labels import LabelTable
from coterie.data.readers.paths import check_file
from coterie.data.readers.table import Table, split_columns


def load_arrow() -> tuple[Any, Any]:
    """The modules pyarrow and pyarrow.parquet."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ImportError(
            "Parquet files need pyarrow, which is not installed: pip install '.[parquet]'"
        ) from error
    return pyarrow, pyarrow.parquet


def parquet_table(file: Path) -> Table:
    """Numbers of a file's columns; a column of lists of one length gives its vectors."""
    columns = _read(file)
    id_place, places = split_columns(file, columns.column_names)
    parts = [_column(file, name, columns[name]) for name in (columns.column_names[place] for place in places)]
    values = parts[0] if len(parts) == 1 and parts[0].dtype == np.float32 else np.hstack(parts)
    names = tuple(columns.column_names[place] for place in places)
    ids = None if id_place is None else tuple(map(str, columns.column(id_place).to_pylist()))
    return Table(values, names, ids)


def parquet_labels(file: Path) -> LabelTable:
    """The column called label, or the only one there is, and the columns beside it."""
    found = _read(file)
    names = found.column_names
    lower = [name.lower() for name in names]
    if "label" not in lower and len(lower) != 1:
        raise InputError(
            f"{file} has several columns: one of them must be called label; got {', '.join(lower)}"
        )
    place = lower.index("label") if "label" in lower else 0
    values = found.column(place).to_pylist()
    columns = {
        name: tuple(map(str, found.column(number).to_pylist()))
        for number, name in enumerate(names)
        if number != place
    }
    mixed = None in values or any(isinstance(value, str) for value in values)
    return LabelTable(np.array(values, dtype=object if mixed else None), columns, str(file))


def _read(file: Path) -> Any:
    arrow, parquet = load_arrow()
    try:
        return parquet.read_table(check_file(file), partitioning=None)
    except (arrow.ArrowException, OSError) as error:
        raise InputError(f"{file} cannot be read as Parquet: {error}") from error


def _column(file: Path, name: str, column: Any) -> npt.NDArray[Any]:
    """One column as an array of shape (n, 1), or (n, d) where its entries are lists."""
    arrow, _ = load_arrow()
    kinds = arrow.types
    listed = kinds.is_list(column.type) or kinds.is_large_list(column.type)
    listed = listed or kinds.is_fixed_size_list(column.type)
    flat = column.combine_chunks().flatten() if listed else column
    if column.null_count or flat.null_count:
        raise InputError(f"{file}: column {name} has empty entries; a number in each row is expected")
    if not (kinds.is_integer(flat.type) or kinds.is_floating(flat.type) or kinds.is_boolean(flat.type)):
        raise InputError(f"{file}: column {name} is of type {column.type}; numbers are expected")
    values = np.asarray(flat)
    values = values if values.dtype == np.float32 else values.astype(np.float64)
    if not listed:
        return values.reshape(-1, 1)
    if len({len(entry) for entry in column}) > 1:
        raise InputError(f"{file}: column {name} holds lists of different lengths; one length is expected")
    return values.reshape(len(column), -1)
