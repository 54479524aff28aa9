"""Checks of values that all floors share, with one form of message; without numpy, as the losses are."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Integral, Rational, Real
from os import PathLike
from pathlib import Path
from typing import Any, cast

from coterie._errors import InputError, InputTypeError

_CALLED = {
    int: "an int",
    float: "a finite number",
    str: "a str",
    PathLike: "a path",
    dict: "a dict",
    Callable: "a callable",
}
_NUMPY_BOOL = ("bool", "bool_")  # numpy is known by its class's name: it is not imported here


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`.

    Attributes
    ----------
    low, high : float or None
        None: no bound.
    above : bool
        Whether `low` itself is outside.
    """

    low: float | None = None
    high: float | None = None
    above: bool = False

    def __contains__(self, number: float) -> bool:
        if self.low is not None and (number < self.low or (self.above and number == self.low)):
            return False
        finite = isinstance(number, int) or math.isfinite(number)  # no int is too large for an int
        return finite and (self.high is None or number <= self.high)

    def __str__(self) -> str:
        if self.high is not None:
            return f" in [{self.low}, {self.high}]"
        return "" if self.low is None else f" {'>' if self.above else '>='} {self.low}"


def check_value(
    name: str, value: object, choices: Sequence[object], types: Sequence[Any], bounds: Range
) -> None:
    """Raise unless `value` is one of the choices, or of one of the types and in the range.

    Raises
    ------
    InputError
        It is out of range, or where only choices or callables are accepted, none of them.
    InputTypeError
        It has the wrong type.
    """
    if (isinstance(value, str | bool | None) or type(value).__name__ in _NUMPY_BOOL) and value in choices:
        return
    expected = describe(choices, types, bounds)
    if any(_is_a(value, kind) for kind in types):
        if not isinstance(value, Real) or _as_number(value, types) in bounds:
            return
        raise InputError(f"{name} must be {expected}, got {value}")
    error = InputTypeError if set(types) - {Callable} else InputError
    raise error(f"{name} must be {expected}, got {value!r}")


def describe(choices: Sequence[object], types: Sequence[Any], bounds: Range) -> str:
    """What is accepted, in words."""
    numbers = (int, float)
    words = [_CALLED[kind] + (str(bounds) if kind in numbers else "") for kind in types]
    return alternatives([*words, *(repr(choice) for choice in choices)])


def alternatives(words: Sequence[str]) -> str:
    """Words as a list that ends with "or"."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _is_a(value: object, kind: Any) -> bool:
    if kind in (int, float):
        # tensors do not compute with fractions
        number = isinstance(value, Integral) or (isinstance(value, Real) and not isinstance(value, Rational))
        return (isinstance(value, Integral) if kind is int else number) and not isinstance(value, bool)
    return callable(value) if kind is Callable else isinstance(value, kind)


def _as_number(value: Real, types: Sequence[Any]) -> float:
    """A number to compare: an int where one is accepted, else a float, infinite if it is too large."""
    if int in types and isinstance(value, Integral):
        return int(value)
    try:
        return float(value)
    except OverflowError:
        return math.inf


def check_int(name: str, value: object, low: int, high: int | None = None) -> int:
    """Return `value` as an int of the range low..high, or raise an error that names it."""
    check_value(name, value, (), (int,), Range(low, high))
    return int(cast(int, value))


def check_number(name: str, value: object, bounds: Range) -> float:
    """Return `value` as a finite float within bounds, or raise an error that names it."""
    check_value(name, value, (), (float,), bounds)
    return float(cast(float, value))


def check_range(name: str, value: Sequence[int]) -> tuple[int, int]:
    """Return a smallest and a largest number, from 1 on, or raise an error that names them."""
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise InputError(f"{name} must be a smallest and a largest number, got {value!r}")
    low = check_int(f"{name}[0]", value[0], 1)
    return low, check_int(f"{name}[1]", value[1], low)


def check_choice(name: str, value: object, choices: Sequence[str]) -> str:
    """Return `value` if it is one of some words, or raise an error that names it."""
    if not isinstance(value, str) or value not in choices:  # an array equals each word in part
        listed = ", ".join(f'"{choice}"' for choice in choices[:-1])
        raise InputError(f'{name} must be {listed} or "{choices[-1]}", got {value!r:.80}')
    return value


def check_flag(name: str, value: object) -> bool:
    """Return `value` if it is True or False, or raise an error that names it."""
    if not isinstance(value, bool):
        raise InputTypeError(f"{name} must be True or False, got {value!r:.80}")
    return value


def check_path(name: str, value: object) -> Path:
    """Return `value` as a path that the system can hold, or raise an error that names it."""
    if not isinstance(value, str | PathLike):
        raise InputTypeError(f"{name} must be a path (str or PathLike), got {type(value).__name__}")
    try:
        if b"\0" in os.fsencode(value):
            raise InputError(f"{name} must have no zero character, got {value!r:.80}")
    except UnicodeEncodeError as error:
        raise InputError(f"{name} must be a path that this system can write, got {value!r:.80}") from error
    return Path(value)
