"""Parquet files: as tables of pyarrow, and the labels in them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from coterie._errors import InputError
from coterie.data.readers.labels import LabelTable
from coterie.data.readers.paths import check_file

# of a file that are in memory at a time
PART_ROWS = 100_000


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


def parquet_labels(file: Path) -> LabelTable:
    """The column called label, or the only column, and the other columns."""
    found = read_arrow_table(file)
    names = found.column_names
    lower = [name.lower() for name in names]
    if "label" not in lower and len(lower) != 1:
        raise InputError(
            f"{file} has several columns: one of them must be called label, got {', '.join(lower)}"
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


def arrow_parts(file: Path) -> Iterator[Any]:
    """A file as tables of pyarrow of at most `PART_ROWS` rows each; one without rows if the file has none."""
    arrow, parquet = load_arrow()
    try:
        with parquet.ParquetFile(check_file(file)) as opened:
            if not opened.metadata.num_rows:
                yield opened.read()
            for batch in opened.iter_batches(batch_size=PART_ROWS):
                yield arrow.Table.from_batches([batch])
    except (arrow.ArrowException, OSError) as error:
        raise InputError(f"{file} cannot be read as Parquet: {error}") from error


def read_arrow_table(file: Path) -> Any:
    """A file as a table of pyarrow."""
    arrow, parquet = load_arrow()
    try:
        return parquet.read_table(check_file(file), partitioning=None)
    except (arrow.ArrowException, OSError) as error:
        raise InputError(f"{file} cannot be read as Parquet: {error}") from error
