"""Checks of parameters: one message form for all estimators."""

from __future__ import annotations

import math
import numbers
from collections.abc import Collection

from coterie._errors import InputError, InputTypeError


def check_number(name: str, value: object, low: float, *, above: bool = False) -> float:
    """A finite real number of at least `low` (above: greater than it)."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise InputTypeError(f"{name}: {value!r} of type {type(value).__name__}; a number is expected")
    number = float(value)
    if not math.isfinite(number) or number < low or (above and number == low):
        relation = "above" if above else "of at least"
        raise InputError(f"{name}: {value!r}; a finite number {relation} {low:g} is expected")
    return number


def check_integer(name: str, value: object, low: int) -> int:
    """An integer of at least `low`."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise InputTypeError(f"{name}: {value!r} of type {type(value).__name__}; an integer is expected")
    if value < low:
        raise InputError(f"{name}: {value}; an integer of at least {low} is expected")
    return int(value)


def check_choice(name: str, value: object, choices: Collection[object]) -> None:
    """One of a few values."""
    if not any(value is choice or value == choice for choice in choices):
        raise InputError(f"{name}: {value!r}; one of {', '.join(map(repr, choices))} is expected")
