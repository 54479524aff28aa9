"""Columns of a data frame as numbers: what is done to each is fitted once and kept."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from coterie._errors import InputError
from coterie.data.column_kinds import classify, column_numbers, cyclic_parts, word_codes

Floats = npt.NDArray[Any]
Place = Callable[[int], str]

MARKED_SHARE = 0.05  # above this share of missing values a further column marks them
_ID_LIKE = re.compile(r"(?i:(^|[ _.-])(id|uuid|guid)$)|[a-z](Id|ID)$")


@dataclass(frozen=True)
class ColumnStep:
    """What is done to one column.

    Attributes
    ----------
    column : str
    kind : {"number", "flag", "date", "duration", "words", "list", "ignored"}
    form : str
        How dates are written, where they are text.
    median : float
        In place of missing numbers.
    marked : bool
        Whether a further column marks missing values.
    words : tuple of str
        Each gives a column of 0 and 1.
    width : int
        Entries of a list.
    cyclic : bool
        Whether a date also gives the time of the year, of the week and of the day.
    """

    column: str
    kind: str
    form: str = ""
    median: float = 0.0
    marked: bool = False
    words: tuple[str, ...] = ()
    width: int = 1
    cyclic: bool = False

    @property
    def n_columns(self) -> int:
        """How many columns of numbers it gives."""
        own = {"words": len(self.words), "list": self.width, "ignored": 0}.get(self.kind, 1)
        return own + 6 * self.cyclic + self.marked


@dataclass(frozen=True)
class TableSteps:
    """What is done to the columns of a table, in their order.

    Attributes
    ----------
    columns : tuple of ColumnStep
    """

    columns: tuple[ColumnStep, ...]

    def as_json(self) -> list[dict[str, Any]]:
        """The steps as lists and mappings of plain values; what is not said is the default."""
        usual = {one.name: one.default for one in dataclasses.fields(ColumnStep)}
        return [
            {name: value for name, value in dataclasses.asdict(step).items() if value != usual[name]}
            for step in self.columns
        ]

    @classmethod
    def from_json(cls, found: object) -> TableSteps:
        """The steps that `as_json` gave.

        Raises
        ------
        InputError
            It gives no such thing.
        """
        try:
            steps = tuple(_step_from(one) for one in found)  # type: ignore[attr-defined]  # a file may hold anything
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            raise InputError(f"steps must be those of a table, got {found!r:.60}") from error
        return cls(steps)

    @property
    def changes(self) -> bool:
        """Whether a table of numbers without missing values is changed at all."""
        return any(step.kind != "number" or step.marked for step in self.columns)

    @property
    def n_columns(self) -> int:
        """How many columns of numbers come out."""
        return sum(step.n_columns for step in self.columns)


_KINDS = ("number", "flag", "date", "duration", "words", "list", "ignored")


def _step_from(found: dict[str, Any]) -> ColumnStep:
    step = ColumnStep(**{**found, "words": tuple(found.get("words", ()))})
    texts = (step.column, step.kind, step.form, *step.words)
    if not all(isinstance(text, str) for text in texts) or step.kind not in _KINDS:
        raise TypeError("values must be texts")
    if not np.isfinite(step.median) or type(step.width) is not int or not 0 < step.width < 10**7:
        raise ValueError("values must be numbers")
    return dataclasses.replace(step, marked=bool(step.marked), cyclic=bool(step.cyclic))


def row_place(row: int) -> str:
    """How errors call a row of a frame."""
    return f"row {row}"


def fit_steps(
    frame: Any, names: Sequence[str] | None = None, *, cyclic_dates: bool = False, place: Place = row_place
) -> tuple[TableSteps, list[str]]:
    """Choose the steps for the columns of a frame.

    Numbers stay. True and false, yes and no become 1 and 0; dates become days since 1970; text of at most 50
    different words becomes a column of 0 and 1 for each. Other text and columns without values are ignored.
    Missing numbers become the median of their column; where more than 5% are missing, a further column marks
    them.

    Parameters
    ----------
    frame : DataFrame
    names : sequence of str, optional
        What errors call the columns; by default as the frame does.
    cyclic_dates : bool, default=False
        Dates also give the time of the year, of the week and of the day.
    place : callable, optional
        What errors call a row, by its number.

    Returns
    -------
    steps : TableSteps
    notes : list of str
        What is done, one line for each column that does not stay as it is.

    Raises
    ------
    InputError
        A column mixes numbers and other text, or is of a type that means no number.

    Examples
    --------
    >>> frame = pd.DataFrame({"size": [1.0, None, 3.0], "colour": ["red", "blue", "red"]})
    >>> steps, notes = fit_steps(frame)
    >>> apply_steps(steps, frame)[0].tolist()
    [[1.0, 0.0, 0.0, 1.0], [2.0, 1.0, 1.0, 0.0], [3.0, 0.0, 0.0, 1.0]]
    >>> notes[0]
    "column 'size': 1 of 3 values are missing: set to the median, and marked by a further column"
    """
    called = [str(name) for name in frame.columns] if names is None else list(names)
    steps: list[ColumnStep] = []
    notes: list[str] = []
    for number, name in enumerate(called):
        step, said = _fit_column(name, frame.iloc[:, number], cyclic_dates, place)
        steps.append(step)
        notes += [f"column {name!r}: {text}" for text in said]
    if not sum(step.n_columns for step in steps):
        raise InputError(f"columns {', '.join(called)}: none of them gives numbers{_because(notes)}")
    return TableSteps(tuple(steps)), notes


def _because(notes: list[str]) -> str:
    return f" ({'; '.join(notes)})" if notes else ""


def _fit_column(name: str, column: Any, cyclic_dates: bool, place: Place) -> tuple[ColumnStep, list[str]]:
    found = classify(name, column, place)
    said = [found.note] if found.note else []
    n_missing = int(column.isna().sum())
    said += _id_like(name, column, found.kind, n_missing)
    if found.kind == "ignored":
        return ColumnStep(name, found.kind), said
    if found.kind == "list":
        return ColumnStep(name, found.kind, width=found.width), said
    marked = n_missing > MARKED_SHARE * len(column)
    if n_missing:
        given = "0 in each of its columns" if found.kind == "words" else "the median"
        more = ", and marked by a further column" if marked else ""
        said.append(f"{n_missing} of {len(column)} values are missing: set to {given}{more}")
    step = ColumnStep(name, found.kind, found.form, marked=marked, words=found.words)
    if found.kind == "words":
        return step, said
    values = column_numbers(step, column, place)
    cyclic = cyclic_dates and found.kind == "date"
    return dataclasses.replace(step, median=float(np.nanmedian(values)), cyclic=cyclic), said


def _id_like(name: str, column: Any, kind: str, n_missing: int) -> list[str]:
    """A question where a column looks as if it named the rows."""
    whole = kind == "number" and not n_missing and pd.api.types.is_integer_dtype(column.dtype)
    if not (whole and len(column) > 2 and _ID_LIKE.search(name) and column.is_unique):
        return []
    return [
        "each value is another one, as those of ids are, but it is used as a feature; --drop "
        f"{name} leaves it out, --id {name} takes it for the names of the rows"
    ]


def apply_steps(steps: TableSteps, frame: Any, *, place: Place = row_place) -> tuple[Floats, list[str]]:
    """A frame as numbers by steps that were fitted to it or to another one of the same columns.

    Parameters
    ----------
    steps : TableSteps
    frame : DataFrame
        Its columns in the order of the steps.
    place : callable, optional
        What errors call a row, by its number.

    Returns
    -------
    values : array of shape (n, `steps.n_columns`)
        float64; float32 of a single column of lists of that type.
    notes : list of str
        One line for each column that holds words which were not there in the fit.

    Raises
    ------
    InputError
        A column is not of the kind that its step expects, or holds infinity.
    """
    if len(steps.columns) == 1 and steps.columns[0].kind == "list":
        return _lists(steps.columns[0], frame.iloc[:, 0], place), []
    values = np.empty((len(frame), steps.n_columns))
    notes: list[str] = []
    start = 0
    for number, step in enumerate(steps.columns):
        part = values[:, start : start + step.n_columns]
        start += step.n_columns
        if step.n_columns:
            notes += [
                f"column {step.column!r}: {text}" for text in _fill(part, step, frame.iloc[:, number], place)
            ]
    return values, notes


def _fill(part: Floats, step: ColumnStep, column: Any, place: Place) -> list[str]:
    """Write the columns that a step gives, and return its note."""
    if step.kind == "list":
        part[:] = _lists(step, column, place)
        return []
    missing = column.isna().to_numpy()
    if step.marked:
        part[:, -1] = missing
    if step.kind == "words":
        codes, unknown = word_codes(column, step.words)
        part[:, : len(step.words)] = codes[:, None] == np.arange(len(step.words))
        new = f"{len(unknown)} words were not there in the fit, such as {''.join(unknown[:1])!r}"
        return [f"{new}: 0 in each of its columns"] if unknown else []
    numbers = column_numbers(step, column, place)
    numbers[missing] = step.median
    part[:, 0] = numbers
    if step.cyclic:
        part[:, 1:7] = cyclic_parts(numbers)
    return []


def _lists(step: ColumnStep, column: Any, place: Place) -> Floats:
    """A column of lists of numbers as an array of shape (n, width)."""
    wrong = [row for row, entry in enumerate(column) if np.shape(entry) != (step.width,)]
    if wrong:
        raise InputError(
            f"{place(wrong[0])}, column {step.column!r}: must be a list of {step.width} numbers, as in the "
            f"other rows, got {column.iloc[wrong[0]]!r:.60}"
        )
    values = np.stack([np.asarray(entry) for entry in column])
    values = values if values.dtype == np.float32 else values.astype(np.float64)
    if not np.isfinite(values).all():
        row = int((~np.isfinite(values).all(axis=1)).argmax())
        raise InputError(f"{place(row)}, column {step.column!r}: must hold finite numbers")
    return values
