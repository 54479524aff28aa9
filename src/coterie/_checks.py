"""Checks of values for all floors; an error names the argument, what it must be, and what it got."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from numbers import Integral, Real
from pathlib import Path

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
    if not isinstance(value, str | os.PathLike):
        raise InputTypeError(f"{name} must be a path (str or os.PathLike), got {type(value).__name__}")
    try:
        if b"\0" in os.fsencode(value):
            raise InputError(f"{name} must have no zero character, got {value!r:.80}")
    except UnicodeEncodeError as error:
        raise InputError(f"{name} must be a path that this system can write, got {value!r:.80}") from error
    return Path(value)
