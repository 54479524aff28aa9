"""Checks of parameters: one message form for all estimators."""

from __future__ import annotations

import math
import numbers
import os
from collections.abc import Collection
from typing import Any, cast

import numpy as np
from sklearn.utils import check_random_state

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


def check_path(name: str, value: object) -> None:
    """A path or None."""
    if not isinstance(value, str | os.PathLike | None):
        raise InputTypeError(f"{name}: {value!r} of type {type(value).__name__}; a path is expected")


def as_random_state(value: Any) -> np.random.RandomState:
    """What ``random_state`` stands for."""
    try:
        return cast(np.random.RandomState, check_random_state(value))
    except ValueError as error:
        raise InputError(
            f"random_state: {value!r}; an int in 0..2**32-1, a numpy RandomState or None is expected"
        ) from error
