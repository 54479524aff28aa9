"""Checks that follow from a parameter's type and range, with one form of message."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from os import PathLike
from typing import Any

import numpy as np

from coterie._errors import InputError, InputTypeError

Check = Callable[[str, object], object]

_CALLED = {
    int: "an int",
    float: "a finite number",
    str: "a str",
    PathLike: "a path",
    dict: "a dict",
    Callable: "a callable",
}


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
        return math.isfinite(number) and (self.high is None or number <= self.high)

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
    if isinstance(value, str | bool | np.bool_ | None) and value in choices:
        return
    expected = describe(choices, types, bounds)
    if any(_is_a(value, kind) for kind in types):
        if not isinstance(value, Real) or float(value) in bounds:
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
        return isinstance(value, Integral if kind is int else Real) and not isinstance(value, bool | np.bool_)
    return callable(value) if kind is Callable else isinstance(value, kind)


def check_seed(name: str, value: object) -> None:
    """A seed, a source of random numbers, or None."""
    if isinstance(value, Integral) and not isinstance(value, bool) and 0 <= int(value) < 2**32:
        return
    if value is not None and not isinstance(value, np.random.RandomState | np.random.Generator):
        raise InputError(
            f"{name} must be an int in 0..2**32-1, a Generator, a RandomState or None, got {value!r}"
        )


def check_weights(*names: str) -> Check:
    """A check of weights by name: a dict of numbers from 0 on with these names, or None."""

    def check(name: str, value: object) -> None:
        if not isinstance(value, dict | None):
            raise InputTypeError(f"{name} must be a dict or None, got {value!r}")
        for key, weight in (value or {}).items():
            if key not in names:
                raise InputError(f"{name} must have names among {', '.join(names)}, got {key!r}")
            check_value(f"{name}[{key!r}]", weight, (), (float,), Range(0))

    return check


def check_device(name: str, value: object) -> None:
    """A device's name, or a torch.device, which is known by its class: torch is not imported here."""
    if not isinstance(value, str) and type(value).__name__ != "device":
        raise InputTypeError(f"{name} must be a str or a torch.device, got {value!r}")


def check_jobs(name: str, value: object) -> None:
    """A number of processes as scikit-learn counts them: not 0, negative from all cores, or None."""
    check_value(name, value, (None,), (int,), Range())
    if value == 0:
        raise InputError(f"{name} must be an int but 0, or None, got 0; -1 stands for all cores")
