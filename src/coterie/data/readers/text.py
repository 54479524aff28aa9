"""Comma separated text: rows, tables of numbers, columns of labels."""

from __future__ import annotations

import csv
import math
import os
import warnings
from array import array
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from coterie._errors import InputError
from coterie.data.readers.labels import LabelTable
from coterie.data.readers.paths import check_file
from coterie.data.readers.table import Table, split_columns

Array = npt.NDArray[Any]

_SURELY_NAMES = 4  # so many numbers 0,1,2,... in the first line are names, even above whole numbers


def csv_rows(path: str | os.PathLike[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield (line number, entries) of a comma separated UTF-8 file; a blank line has no entries."""
    with check_file(path).open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.reader(stream, strict=True)
        try:
            for cells in reader:
                yield reader.line_num, cells
        except UnicodeDecodeError as error:
            raise InputError(f"{path} is not UTF-8 text (after line {reader.line_num})") from error
        except csv.Error as error:
            raise InputError(f"{path}, line {reader.line_num}: {error}") from error


def csv_table(file: Path) -> Table:
    """Numbers of a file with or without a header, which may name a column of ids and one of labels."""
    rows: Iterator[tuple[int, list[str]]] = ((line, cells) for line, cells in csv_rows(file) if cells)
    first = next(rows, None)
    if first is None:
        raise InputError(f"{file} is empty; expected comma separated numbers")
    width = len(first[1])
    second = next(rows, None)
    rows = rows if second is None else chain([second], rows)
    headed = _is_header(first[1]) or _is_numbered_header(file, first[1], second)
    columns = [cell.strip() for cell in first[1]] if headed else None
    id_place, places = split_columns(file, columns or [""] * width)
    values, ids = array("d"), []
    for line, cells in rows if headed else chain([first], rows):
        if len(cells) != width:
            raise InputError(f"{file}, line {line}: {len(cells)} entries where the first line has {width}")
        values.extend(_numbers(file, line, cells, places))
        if id_place is not None:
            ids.append(cells[id_place])
    found = np.array(values, dtype=np.float64).reshape(-1, len(places))
    names = None if columns is None else tuple(columns[place] for place in places)
    return Table(found, names, tuple(ids) if id_place is not None else None)


def _numbers(file: Path, line: int, cells: list[str], places: list[int]) -> list[float]:
    try:
        return [float(cells[place]) for place in places]
    except ValueError:
        wrong = next(place for place in places if not is_number(cells[place]))
        raise InputError(
            f"{file}, line {line}, column {wrong + 1}: expected a number; got {cells[wrong]!r}"
        ) from None


def _is_header(cells: list[str]) -> bool:
    """A first line is a header when nothing in it is a number: one odd entry is a mistake in a row."""
    return not any(is_number(cell) for cell in cells)


def _is_numbered_header(file: Path, cells: list[str], second: tuple[int, list[str]] | None) -> bool:
    """A first line 0,1,2,... is a header that pandas wrote, beside an index or above other numbers.

    It is said in any case, for it may be a sample too.
    """
    names = [cell.strip() for cell in cells]
    indexed = names[0] == ""
    columns = names[1:] if indexed else names
    if (
        second is None
        or len(columns) < (1 if indexed else 2)
        or columns != list(map(str, range(len(columns))))
    ):
        return False
    header = (
        indexed or len(columns) >= _SURELY_NAMES or any("." in cell or not cell.strip() for cell in second[1])
    )
    way = "if it is a sample, write a line of names above it" if header else "if it is a header, delete it"
    shown = ",".join(names[:5]) + ",..." * (len(names) > 5)
    warnings.warn(
        f"{file}: the first line {shown} is taken as a {'header' if header else 'sample'}; {way}",
        stacklevel=4,
    )
    return header


def is_number(text: str) -> bool:
    """Whether a text is what ``float`` reads."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def csv_labels(file: Path) -> LabelTable:
    """Labels of a file of one column, or of its column called label, and the other columns."""
    rows = list(csv_rows(file))
    if not rows:
        raise InputError(f"{file} is empty; expected one label per line")
    if max(len(cells) for _, cells in rows) <= 1:
        return LabelTable(_typed(_one_column([cells[0].strip() if cells else "" for _, cells in rows])))
    names = [cell.strip() for cell in rows[0][1]]
    lower = [name.lower() for name in names]
    if "label" not in lower:
        held = ", ".join(lower)
        raise InputError(
            f"{file} has several columns: its first line must call one of them label; got {held}"
        )
    for line, cells in rows[1:]:
        if cells and len(cells) != len(names):
            raise InputError(f"{file}, line {line}: {len(cells)} entries where the header has {len(names)}")
    kept = [(line, cells) for line, cells in rows[1:] if cells]
    place = lower.index("label")
    columns = {
        name: tuple(cells[number] for _, cells in kept)
        for number, name in enumerate(names)
        if number != place
    }
    entries = [cells[place].strip() for _, cells in kept]
    return LabelTable(_typed(entries), columns, str(file), [line for line, _ in kept])


def _one_column(entries: list[str]) -> list[str]:
    """Drop the first entry where it is a header: called label, or text above numbers only."""
    head, rest = entries[0], entries[1:]
    if head.lower() in ("label", "labels"):
        return rest
    numbers = [is_number(entry) for entry in rest if entry not in ("", "-1")]
    return rest if head and not is_number(head) and numbers and all(numbers) else entries


def _typed(entries: list[str]) -> Array:
    """Entries as int64, float64 or text; as objects when some are empty or text stands beside -1."""
    convert = _converter([entry for entry in entries if entry])
    values = [convert(entry) if entry else None for entry in entries]
    mixed = len({type(value) for value in values}) > 1 or None in values
    return np.array(values, dtype=object if mixed else None)


def _converter(given: list[str]) -> Callable[[str], int | float | str]:
    """What reads the entries: as numbers only where no two texts become one number."""
    for kind in (int, float):
        try:
            numbers = {entry: kind(entry) for entry in given}
        except ValueError:
            continue
        if _keeps_apart(list(numbers.values())):
            return kind
    # the unknown label stays one in a column of text
    return lambda entry: -1 if entry == "-1" else entry


def _keeps_apart(numbers: list[int] | list[float]) -> bool:
    """Whether numbers of different texts differ, but those that mean unknown, and fit 64 bits."""
    known = [number for number in numbers if number != -1 and not math.isnan(number)]
    fits = all(isinstance(number, float) or -(2**63) <= number < 2**63 for number in known)
    return fits and len(set(known)) == len(known)
