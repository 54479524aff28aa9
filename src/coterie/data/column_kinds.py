"""What a column of a data frame holds, and its values as numbers."""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from coterie._errors import InputError, InputTypeError

Floats = npt.NDArray[np.float64]
Place = Callable[[int], str]

MOST_WORDS = 50  # a column of more different words is ignored
_FLAGS = {"true": 1.0, "yes": 1.0, "false": 0.0, "no": 0.0}
_FLAG_SETS = ({"true", "false"}, {"yes", "no"})
# of several that read every value, none is right for sure
_DATE_FORMS = ("ISO8601", "%d.%m.%Y", "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S", "%m/%d/%Y", "%d/%m/%Y")
_DAY = pd.Timedelta(days=1)
_START = pd.Timestamp("1970-01-01")
_YEAR, _WEEK = 365.2425, 7.0


class Described(Protocol):
    """What of a step its values follow from."""

    @property
    def column(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def form(self) -> str: ...


@dataclass(frozen=True)
class Kind:
    """What a column holds.

    Attributes
    ----------
    kind : str
        As `ColumnStep.kind`.
    note : str
        What is done to it, "" where it stays as it is.
    form : str
        How dates are written, where they are text.
    words : tuple of str
    width : int
        Entries of a list.
    """

    kind: str
    note: str = ""
    form: str = ""
    words: tuple[str, ...] = ()
    width: int = 1


def classify(name: str, column: Any, place: Place) -> Kind:
    """Find out what a column holds.

    Raises
    ------
    InputError, InputTypeError
        It mixes numbers and other text, or means no number.
    """
    dtype = column.dtype
    if not column.notna().any() and len(column):
        return Kind("ignored", "ignored, because it has no values")
    if pd.api.types.is_bool_dtype(dtype):
        return Kind("flag", "True and False became 1 and 0")
    if pd.api.types.is_complex_dtype(dtype):
        raise InputTypeError(f"column {name!r} must hold real numbers, got {dtype}")
    if pd.api.types.is_numeric_dtype(dtype):
        return Kind("number")
    if pd.api.types.is_datetime64_any_dtype(dtype):
        return Kind("date", "dates became days since 1970")
    if pd.api.types.is_timedelta64_dtype(dtype):
        return Kind("duration", "durations became days")
    return _classify_objects(name, column, place)


def _classify_objects(name: str, column: Any, place: Place) -> Kind:
    """What text, categories or objects hold: by each different value once."""
    known = column[column.notna()]
    first = known.iloc[0] if len(known) else ""
    if isinstance(first, list | tuple | np.ndarray):
        return Kind("list", width=len(first))
    _refuse_odd(name, known)
    codes, values = pd.factorize(known)
    texts = _texts(values)
    numbers = _parsed(texts)
    if isinstance(first, datetime.date):
        return Kind("date", "dates became days since 1970")
    if set(texts.str.lower()) <= _FLAGS.keys() and any(set(texts.str.lower()) <= some for some in _FLAG_SETS):
        return Kind("flag", f"{' and '.join(sorted(texts, reverse=True))} became 1 and 0")
    if numbers.notna().all():
        plain = not any(isinstance(value, str) for value in values)
        return Kind("number", "" if plain else "text became numbers")
    is_number = numbers.notna().to_numpy()[codes]
    if is_number.mean() >= 0.5:
        _refuse_mixed(name, column, known, is_number, place)
    return _classify_words(texts, len(known))


def _refuse_odd(name: str, known: Any) -> None:
    """Raise where values are of a type that is neither a number nor a word nor a date."""
    if pd.api.types.is_object_dtype(known.dtype):
        for kind in known.map(type).unique():
            if not issubclass(kind, _PLAIN):
                raise InputTypeError(
                    f"column {name!r} must hold numbers, words or dates, got {kind.__name__}"
                )


_PLAIN = (str, int, float, bool, np.generic, decimal.Decimal, datetime.date)


def _refuse_mixed(name: str, column: Any, known: Any, is_number: npt.NDArray[np.bool_], place: Place) -> None:
    at = int((~is_number).argmax())
    row = int(np.flatnonzero(column.notna().to_numpy())[at])
    raise InputError(
        f"{place(row)}, column {name!r}: must be a number, as most values of the column are, got "
        f"{str(known.iloc[at])!r:.60} ({int((~is_number).sum())} such values). Correct or empty them, or "
        f"leave the column out: --drop {name}"
    )


def _classify_words(texts: Any, n_known: int) -> Kind:
    """Dates, a few words, or too many."""
    forms = _forms_of(texts)
    if len(forms) == 1:
        return Kind("date", "dates became days since 1970", form=forms[0])
    if forms:
        return Kind("ignored", f"ignored, because its dates may be {' or '.join(forms)}; 2026-01-31 is clear")
    if len(texts) > MOST_WORDS or len(texts) == n_known > 2:
        return Kind("ignored", f"ignored, because it has {len(texts)} different words in {n_known} values")
    words = tuple(sorted(texts))
    shown = ", ".join(words[:5]) + ", ..." * (len(words) > 5)
    return Kind("words", f"{len(words)} words became columns of 0 and 1 ({shown})", words=words)


def _forms_of(texts: Any) -> list[str]:
    """The forms of dates by which every text is one."""
    some = texts.iloc[:100]
    if not some.str.contains(r"\d").all():
        return []
    return [form for form in _DATE_FORMS if all(_dates(each, form).notna().all() for each in (some, texts))]


def _texts(values: Any) -> Any:
    return pd.Series([str(value) for value in values], dtype="str")


def _parsed(texts: Any) -> Any:
    return pd.to_numeric(texts.str.strip(), errors="coerce")


def _dates(texts: Any, form: str) -> Any:
    found = pd.to_datetime(texts, format=form or None, errors="coerce", utc=True)
    return found.dt.tz_localize(None)


def column_numbers(step: Described, column: Any, place: Place) -> Floats:
    """A column as float64, missing values as NaN.

    Raises
    ------
    InputError
        A value is not of the kind that the step expects, or infinite.
    """
    if step.kind in ("number", "flag") and pd.api.types.is_numeric_dtype(column.dtype):
        found = np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan, copy=True))
        _refuse_infinite(step, found, place)
        return found
    codes, values = pd.factorize(column)
    each = _each_number(step, values)
    wrong = np.isnan(each)
    if wrong.any():
        row = int(np.isin(codes, np.flatnonzero(wrong)).argmax())
        raise InputError(
            f"{place(row)}, column {step.column!r}: must be {_EXPECTED[step.kind]}, as in the fit, got "
            f"{values[codes[row]]!r:.60}"
        )
    rows: Floats = np.append(each, np.nan)[codes]  # -1 means missing
    _refuse_infinite(step, rows, place)
    return rows


_EXPECTED = {
    "number": "a number",
    "flag": "true or false, or yes or no",
    "date": "a date",
    "duration": "a duration",
}


def _each_number(step: Described, values: Any) -> Floats:
    """Different values as numbers; NaN for those that are of another kind."""
    if step.kind == "duration":
        return np.asarray(pd.to_timedelta(pd.Series(values), errors="coerce") / _DAY, dtype=np.float64)
    if step.kind == "date":
        return _days(step.form, values)
    texts = _texts(values)
    if step.kind == "flag":
        flags = texts.str.strip().str.lower().map(_FLAGS).to_numpy(dtype=np.float64)
        numbers = _parsed(texts).to_numpy(dtype=np.float64)
        return np.asarray(np.where(np.isin(numbers, (0, 1)), numbers, flags))
    return np.asarray(_parsed(texts).to_numpy(dtype=np.float64))


def _days(form: str, values: Any) -> Floats:
    """Dates as days since 1970, in UTC where they have a time zone."""
    found = _dates(_texts(values), form or "ISO8601")
    return np.asarray((found - _START) / _DAY, dtype=np.float64)


def _refuse_infinite(step: Described, found: Floats, place: Place) -> None:
    infinite = np.isinf(found)
    if infinite.any():
        row = int(infinite.argmax())
        raise InputError(f"{place(row)}, column {step.column!r}: must be finite, got {found[row]}")


def cyclic_parts(days: Floats) -> Floats:
    """Sine and cosine of the time of the year, of the week and of the day, of shape (n, 6)."""
    turns = np.stack([days / _YEAR, days / _WEEK, days % 1], axis=1) * 2 * np.pi
    return np.concatenate([np.sin(turns), np.cos(turns)], axis=1)


def word_codes(column: Any, words: tuple[str, ...]) -> tuple[npt.NDArray[np.int64], list[str]]:
    """Which of the words each value is, -1 for missing ones and others; and the others."""
    codes, values = pd.factorize(column)
    texts = [str(value) for value in values]
    place_of = {word: number for number, word in enumerate(words)}
    each = np.array([*(place_of.get(text, -1) for text in texts), -1], dtype=np.int64)
    return each[codes], [text for text in texts if text not in place_of]
