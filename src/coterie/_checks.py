"""Checks of numbers for all floors; an error names the argument, what it must be, and what it got."""

from __future__ import annotations

import math
from numbers import Integral, Real

from coterie._errors import InputError, InputTypeError


def check_int(name: str, value: object, *, low: int, high: int | None = None) -> int:
    """Return `value` as an int of the range low..high, or raise an error that names it."""
    expected = f"an int >= {low}" if high is None else f"an int in {low}..{high}"
    if not isinstance(value, Integral) or isinstance(value, bool):
        raise InputTypeError(f"{name} must be {expected}, got {value!r}")
    number = int(value)
    if number < low or (high is not None and number > high):
        raise InputError(f"{name} must be {expected}, got {number}")
    return number


def check_number(name: str, value: object, *, positive: bool) -> float:
    """Return `value` as a finite float > 0 (>= 0 if not `positive`), or raise an error that names it."""
    expected = f"a finite number {'> 0' if positive else '>= 0'}"
    if not isinstance(value, Real) or isinstance(value, bool):
        raise InputTypeError(f"{name} must be {expected}, got {value!r}")
    number = float(value)
    if not math.isfinite(number) or number < 0 or (positive and number == 0):
        raise InputError(f"{name} must be {expected}, got {value}")
    return number
