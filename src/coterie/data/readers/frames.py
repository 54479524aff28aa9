"""Files of tables as data frames: text with separators, JSON lines, Parquet."""

from __future__ import annotations

import dataclasses
import json
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pandas as pd

from coterie._errors import InputError
from coterie.data.readers.columns import ID_NAME, Roles, find_roles
from coterie.data.readers.dialect import MISSING, Dialect, detect_dialect, open_text, rows_of
from coterie.data.readers.options import TableOptions
from coterie.data.readers.parquet import read_arrow_table

TEXT = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz")
JSON_LINES = (".jsonl", ".jsonl.gz")
PARQUET = (".parquet", ".pq")
Wanted = Sequence[str] | None
# what pandas 3.0 has to be asked for, later ones do by themselves: numbers to the last digit
_EXACT = {"float_precision": "round_trip"} if pd.__version__.startswith("3.0.") else {}


@dataclass(frozen=True)
class Frame:
    """A table as it was read.

    Attributes
    ----------
    values : DataFrame
        Its columns by number.
    names : tuple of str or None
        What the columns are called; None where the file does not say it.
    roles : Roles
    place : callable
        What the file calls a row, by its number from 0: its line, where the file has lines.
    notes : tuple of str
        What was detected and is not the usual.
    """

    values: Any
    names: tuple[str, ...] | None
    roles: Roles
    place: Callable[[int], str]
    notes: tuple[str, ...] = ()

    def called(self, place: int) -> str:
        """What messages call a column: its name, or its number from 1."""
        return (self.names[place] if self.names else "") or str(place + 1)


def read_frame(file: Path, options: TableOptions, wanted: Wanted = None) -> Frame:
    """Read a table, of which the features are those wanted, by name.

    Raises
    ------
    InputError
        The file is damaged or not a table; the message names the line if possible.
    ImportError
        Parquet needs pyarrow, which is not installed.
    """
    name = file.name.lower()
    if name.endswith(PARQUET):
        return _read_parquet(file, options, wanted)
    if name.endswith(JSON_LINES):
        return _read_json_lines(file, options, wanted)
    return _read_text(file, options, wanted)


def _read_text(file: Path, options: TableOptions, wanted: Wanted) -> Frame:
    dialect = detect_dialect(file, options)
    roles = find_roles(file, dialect.names, dialect.width, options, wanted)
    try:
        values = _parse(file, dialect, roles)
    except UnicodeDecodeError:
        # the first lines were UTF-8, a later one is not
        note = "; ".join(filter(None, ("cp1252", dialect.note)))
        dialect = dataclasses.replace(dialect, encoding="cp1252", note=note)
        values = _parse(file, dialect, roles)
    if values.shape[1] and values.iloc[:, -1].isna().any():
        _check_widths(file, dialect)  # pandas fills short lines up
    notes = tuple(filter(None, (dialect.note, dialect.header_note)))
    return Frame(values, dialect.names, roles, lambda row: f"line {_line_of(file, dialect, row)}", notes)


def _parse(file: Path, dialect: Dialect, roles: Roles) -> Any:
    """The rows as pandas reads them; ids and labels as they are written."""
    as_text = dict.fromkeys(roles.as_text, str)
    others = [place for place in range(dialect.width) if place not in as_text]
    options: dict[str, Any] = {
        **{"sep": dialect.sep, "decimal": dialect.decimal, "quotechar": dialect.quote},
        **{"header": None},
        **{"names": range(dialect.width), "index_col": False, "dtype": as_text},
        **_EXACT,
        **{"keep_default_na": False, "na_values": {place: list(MISSING) for place in others}},
    }
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        warnings.simplefilter("error", pd.errors.DtypeWarning)
        try:
            return _below_header(file, dialect, options)
        except pd.errors.DtypeWarning:  # parts of a column are numbers, others are words
            return _below_header(file, dialect, options | {"low_memory": False})
        except pd.errors.EmptyDataError:
            return pd.DataFrame(columns=range(dialect.width))
        except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
            _check_widths(file, dialect)
            raise InputError(f"{file} cannot be read as a table: {error}") from error
        except (EOFError, OSError) as error:
            raise InputError(f"{file} cannot be read: {error}") from error


def _below_header(file: Path, dialect: Dialect, options: dict[str, Any]) -> Any:
    """What pandas reads below the header; it is not to skip lines itself, since it misreads their quotes."""
    with open_text(file, dialect.encoding) as stream:
        for _ in range(dialect.skipped):
            stream.readline()
        return pd.read_csv(stream, **options)


def _data_rows(file: Path, dialect: Dialect) -> Any:
    """(line, entries) of each row below the header."""
    rows = rows_of(file, dialect.encoding, dialect.sep, dialect.quote)
    return ((line, cells) for line, cells in rows if line > dialect.skipped and cells)


def _check_widths(file: Path, dialect: Dialect) -> None:
    """Raise where a line has more or fewer entries than the first one."""
    for line, cells in _data_rows(file, dialect):
        if len(cells) != dialect.width:
            raise InputError(
                f"{file}, line {line} must have {dialect.width} entries, as the first line, got {len(cells)}"
            )


def _line_of(file: Path, dialect: Dialect, row: int) -> int:
    for number, (line, _) in enumerate(_data_rows(file, dialect)):
        if number == row:
            return int(line)
    return dialect.skipped + row + 1


def _read_json_lines(file: Path, options: TableOptions, wanted: Wanted) -> Frame:
    try:
        values = pd.read_json(file, lines=True, dtype=False, precise_float=True)
    except UnicodeDecodeError as error:
        raise InputError(f"{file} must be text in UTF-8: {error}") from error
    except (ValueError, EOFError, OSError) as error:
        _name_line(file, error)
    if not isinstance(values, pd.DataFrame) or not len(values.columns):
        raise InputError(f"{file} is empty; it must hold one JSON object per line")
    return _named(file, values, options, wanted, "line")


def _name_line(file: Path, error: Exception) -> NoReturn:
    """Raise an error that names the first line which is no JSON object."""
    opened = pd.io.common.get_handle(file, "r", encoding="utf-8", compression="infer")
    with opened as handles:
        for number, line in enumerate(handles.handle, 1):
            try:
                json.loads(line)
            except ValueError as fault:
                raise InputError(f"{file}, line {number}: must be a JSON object; {fault}") from error
    raise InputError(f"{file} cannot be read as JSON lines: {error}") from error


def _read_parquet(file: Path, options: TableOptions, wanted: Wanted) -> Frame:
    return arrow_frame(file, read_arrow_table(file), options, wanted)


def arrow_frame(file: Path, found: Any, options: TableOptions, wanted: Wanted = None) -> Frame:
    """A table of pyarrow, or some rows of one, as a frame."""
    values = found.to_pandas(ignore_metadata=True)
    return _named(file, values, _with_index(file, found, options), wanted, "row")


def _with_index(file: Path, found: Any, options: TableOptions) -> TableOptions:
    """The options with the index that pandas wrote as ids, where it has a name."""
    described = found.schema.pandas_metadata or {}
    index = [name for name in described.get("index_columns", []) if isinstance(name, str)]
    named = [name for name in index if name in found.column_names and not name.startswith("__index_level_")]
    taken = options.id is not None or any(name.strip().lower() == ID_NAME for name in found.column_names)
    if len(named) != 1 or taken or named[0] in (*options.features, *options.drop):
        return options
    warnings.warn(f"{file}: column {named[0]} is used as ids, as pandas writes its index", stacklevel=6)
    return dataclasses.replace(options, id=named[0])


def _named(file: Path, values: Any, options: TableOptions, wanted: Wanted, unit: str) -> Frame:
    """A frame whose columns have names in the file."""
    names = tuple(map(str, values.columns))
    roles = find_roles(file, names, len(names), options, wanted)
    first = 1 if unit == "line" else 0
    return Frame(
        values.set_axis(range(len(names)), axis=1), names, roles, lambda row: f"{unit} {row + first}"
    )
