"""Lengths of time as they are written and read."""

import math
import re
from numbers import Real

from coterie._errors import InputError

_UNITS = {"": 1, "s": 1, "min": 60, "h": 3600}
_WRITTEN = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*(s|min|h|)")


def seconds_of(value: object, name: str = "time_limit") -> float | None:
    """Seconds of a number of them, or of a text such as "90s", "10min" or "1.5h"; None for None.

    Raises
    ------
    InputError
        It is no such length, or not above 0.

    Examples
    --------
    >>> seconds_of("1.5h"), seconds_of("10 min"), seconds_of(90), seconds_of(None)
    (5400.0, 600.0, 90.0, None)
    """
    if value is None:
        return None
    seconds = math.nan
    if isinstance(value, Real) and not isinstance(value, bool):
        seconds = float(value)
    elif isinstance(value, str) and (found := _WRITTEN.fullmatch(value.strip())):
        seconds = float(found[1]) * _UNITS[found[2]]
    if not (math.isfinite(seconds) and seconds > 0):
        raise InputError(
            f"{name} must be a time above 0 such as '90s', '10min', '1.5h' or 90, or None, got {value!r}"
        )
    return seconds


def check_duration(name: str, value: object) -> None:
    """A length of time, or None."""
    seconds_of(value, name)


def in_words(seconds: float) -> str:
    """A length of time, rounded as one says it.

    Examples
    --------
    >>> [in_words(seconds) for seconds in (0.4, 41, 840, 7900)]
    ['1 s', '41 s', '14 min', '2 h 12 min']
    """
    if seconds < 100:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
