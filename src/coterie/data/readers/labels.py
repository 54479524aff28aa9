"""Labels from files, and which rows they belong to."""

from __future__ import annotations

import math
import os
import warnings
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from coterie._errors import InputError
from coterie.data.ids import RowIds
from coterie.data.readers.dialect import is_number

Array = npt.NDArray[Any]

# columns that hold ids by their name alone; the others are what pandas calls an index that it writes
_ID_NAMES = ("id", "", "unnamed: 0", "__index_level_0__", "index", "row")


@dataclass(frozen=True)
class LabelTable:
    """Labels as they stand in a file.

    Attributes
    ----------
    values : array of shape (n,)
    columns : mapping
        The file's other columns by name, as text.
    path : str
    lines : sequence of int or None
        Line of each label, where the file has lines.
    """

    values: Array
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    path: str = "labels"
    lines: Sequence[int] | None = None

    @property
    def ids(self) -> tuple[str, ...] | None:
        """The column called id, or None."""
        return next((self.columns[name] for name in self.columns if name.lower() == "id"), None)

    def for_rows(
        self,
        names: Sequence[str] | None,
        n_rows: int,
        *,
        left_out: Collection[str] = (),
        strict: bool = True,
    ) -> Array:
        """The labels in the order of some rows, None for a row of which the file says nothing.

        They are joined by the column whose values are the names, whatever it is called; in the order of the
        file, with a warning where the file or the rows have names, if there is no such column.

        Parameters
        ----------
        names : sequence of str or None
            Ids of the rows; None where they only have numbers from 0.
        n_rows : int
        left_out : collection of str
            Names of samples that were left out: the file may name them.
        strict : bool, default=True
            False: a name that is none of the rows' is left out, with a warning.

        Raises
        ------
        InputError
            A name of the file is none of the rows', is given twice, or is that of several rows.
        """
        column = _numbered(self, n_rows) if names is None else _named(self, names)
        if column is None:
            self._warn_of_order(names, n_rows)
            return self.values
        rows = RowIds(range(n_rows) if names is None else names)
        taken = self._known(column, rows, frozenset(left_out), strict, names is None)
        self._refuse_twice(column, taken)
        return self._placed(column, rows, taken)

    def _known(
        self, column: str, rows: RowIds, left_out: frozenset[str], strict: bool, numbered: bool
    ) -> list[int]:
        """Places of the labels whose name is that of a row."""
        ids = self.columns[column]
        unknown = [place for place, name in enumerate(ids) if name not in rows and name not in left_out]
        taken = [place for place, name in enumerate(ids) if name in rows]
        if unknown and (strict or not taken):
            what = (
                f"a row number in 0..{len(rows) - 1}"
                if numbered
                else f"one of the ids of {len(rows)} samples"
            )
            raise InputError(
                f"{self._place(unknown[0])}: {column or 'the index'} must be {what}, got "
                f"{ids[unknown[0]]!r} ({len(unknown)} such lines)"
            )
        if unknown:
            warnings.warn(
                f"{self.path}: {len(unknown)} ids do not belong to any of the {len(rows)} rows and are "
                f"ignored, for example {ids[unknown[0]]!r}",
                stacklevel=3,
            )
        return taken

    def _refuse_twice(self, column: str, taken: list[int]) -> None:
        """Raise where the file gives two labels to one sample."""
        first: dict[str, int] = {}
        for place in taken:
            name = self.columns[column][place]
            earlier = first.setdefault(name, place)
            if earlier != place:
                raise InputError(
                    f"{self._place(place)}: {name!r} is given twice, first in {self._line(earlier)}; each "
                    "sample must have one label"
                )

    def _placed(self, column: str, rows: RowIds, taken: list[int]) -> Array:
        """The labels that were taken, in the order of the rows."""
        try:
            places = [rows.row(self.columns[column][place]) for place in taken]
        except InputError as error:
            raise InputError(f"{self.path}: {column or 'the index'} {error}") from None
        whole = len(places) == len(rows)
        found = (
            np.empty_like(self.values, shape=len(rows)) if whole else np.full(len(rows), None, dtype=object)
        )
        found[places] = self.values[taken] if whole else self.values[taken].tolist()
        return found

    def _warn_of_order(self, names: Sequence[str] | None, n_rows: int) -> None:
        """Say that labels are taken in order where that may be wrong."""
        if len(self.values) != n_rows:
            return  # an error follows, which gives both numbers
        if names is not None:
            why = "no column of it holds the ids of the samples"
        else:
            suspects = [name for name, values in self.columns.items() if _may_name(name, values)]
            if not suspects:
                return
            why = f"its column {suspects[0]!r} does not hold the row numbers 0..{n_rows - 1}"
        warnings.warn(
            f"{self.path}: the labels are used in the order of the samples, because {why}", stacklevel=3
        )

    def _line(self, place: int) -> str:
        return f"row {place}" if self.lines is None else f"line {self.lines[place]}"

    def _place(self, place: int) -> str:
        return f"{self.path}, {self._line(place)}"


def _is_id_name(name: str) -> bool:
    return name.strip().lower() in _ID_NAMES


def _may_name(name: str, values: tuple[str, ...]) -> bool:
    """Whether a column looks as if it named samples: by its name, or by words that are all different."""
    if _is_id_name(name):
        return True
    words = any(not is_number(value) for value in values)
    return words and len(set(values)) == len(values) > 1


def _numbered(table: LabelTable, n_rows: int) -> str | None:
    """The column that holds row numbers: one that is called so; None where the order has to serve."""
    numbers = tuple(map(str, range(n_rows)))
    for name in filter(_is_id_name, table.columns):
        values = table.columns[name]
        if len(values) == n_rows and not set(numbers).issuperset(values):
            continue
        if name.lower() != "id" and values != numbers:
            _warn_of_column(table, name, "row numbers")
        return name
    return None


def _named(table: LabelTable, names: Sequence[str]) -> str | None:
    """The column that holds the names: most of its values are among them; None if no column does."""
    known = set(names)
    found = {name: len(known.intersection(values)) for name, values in table.columns.items()}
    enough = [
        name
        for name, n_known in found.items()
        if n_known and (_is_id_name(name) or 2 * n_known >= len(set(table.columns[name])))
    ]
    if not enough:
        # a column called id cannot be anything else
        return next((name for name in table.columns if name.lower() == "id"), None)
    best = max(enough, key=lambda name: (found[name], _is_id_name(name)))
    rivals = [name for name in enough if name != best and found[name] == found[best]]
    _refuse_rivals(table, best, [] if _is_id_name(best) else rivals)
    if not _is_id_name(best) and all(map(is_number, names)):
        _warn_of_column(table, best, "ids")
    return best


def _warn_of_column(table: LabelTable, name: str, what: str) -> None:
    """Say by which column labels are joined where numbers may also mean something else."""
    warnings.warn(
        f"{table.path}: the labels are joined by the column {name!r}, whose values are read as {what}; "
        "rename it to id, or remove it",
        stacklevel=5,
    )


def _refuse_rivals(table: LabelTable, best: str, rivals: list[str]) -> None:
    """Raise where two columns hold the names in another order."""
    for name in rivals:
        if table.columns[name] != table.columns[best]:
            raise InputError(
                f"{table.path}: the columns {best!r} and {name!r} both hold ids of the samples; rename the "
                "right one to id"
            )


def names_in_common(table: LabelTable, other: LabelTable) -> tuple[str, ...] | None:
    """What the rows of one table are called in both tables; None where they are numbered."""
    n_rows = len(table.values)
    if table.ids is not None:
        return None if table.ids == tuple(map(str, range(n_rows))) else table.ids
    for values in table.columns.values():
        once = Counter(values).most_common(1)[0][1] == 1
        if once and any(2 * len(set(values) & set(held)) >= n_rows for held in other.columns.values()):
            return values
    return None


def check_one_label_each(path: str | os.PathLike[str], found: Array) -> Array:
    """Labels as one axis, or an error that says what they are instead."""
    if found.ndim == 2 and found.shape[1] == 1:
        found = found[:, 0]
    if found.ndim != 1:
        raise InputError(f"{path} must hold one label per sample, shape (n,), got shape {found.shape}")
    if not len(found):
        raise InputError(f"{path} must hold labels, got none")
    return found


def unknown_texts(found: Array) -> Array:
    """Labels of a file with the text -1, by which our own files say unknown, as that number."""
    if found.dtype.kind not in "UO" or "-1" not in found.tolist():
        return found
    values = found.astype(object)
    values[[value == "-1" for value in found.tolist()]] = -1
    return values


def typed_labels(entries: list[str]) -> Array:
    """Entries as int64, float64 or text; as objects if some are empty or text and -1 are mixed."""
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
