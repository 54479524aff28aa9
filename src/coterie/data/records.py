"""Samples that are records of named values, as Hugging Face data sets give them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from coterie._errors import InputError
from coterie.data.pixels import is_picture

Record = Mapping[str, Any]

# of several columns with vectors or images the first of these is meant
_USUAL = ("image", "img", "pixel_values", "embedding", "embeddings", "features", "x")
_NO_FEATURES = ("id", "idx", "index", "label", "labels", "y")


def sample_columns(record: Record) -> tuple[str, ...]:
    """Names of the columns that make a sample: one with images or vectors, else all that hold a number.

    Parameters
    ----------
    record : mapping
        The data set's first sample.

    Raises
    ------
    InputError
        No column holds numbers, or several could be meant.

    Examples
    --------
    >>> sample_columns({"text": "a cat", "embedding": [0.1, 0.2], "label": 3})
    ('embedding',)
    >>> sample_columns({"id": 7, "width": 2.5, "height": 1, "label": 3})
    ('width', 'height')
    """
    vectors = [name for name, value in record.items() if _is_vector(value)]
    usual = [name for wanted in _USUAL for name in vectors if name.lower() == wanted]
    if len(vectors) > 1 and not usual:
        raise InputError(
            f"X must have one column of vectors, or one called {', '.join(_USUAL)}, got "
            f"{', '.join(vectors)}; choose one with X.select_columns([...])"
        )
    if vectors:
        return ((usual or vectors)[0],)
    numbers = [
        name for name, value in record.items() if _is_number(value) and name.lower() not in _NO_FEATURES
    ]
    if not numbers:
        raise InputError(f"X must have a column of numbers, got {', '.join(record)}")
    return tuple(numbers)


def record_values(record: Record, columns: tuple[str, ...]) -> Any:
    """What stands in the columns: an image or vector as it is, numbers as a vector."""
    if len(columns) == 1 and _is_vector(record[columns[0]]):
        return record[columns[0]]
    return np.array([record[name] for name in columns], dtype=np.float64)


def _is_vector(value: object) -> bool:
    if is_picture(value):
        return True
    if isinstance(value, list | tuple):
        return bool(value) and all(_is_number(entry) or _is_vector(entry) for entry in value)
    return hasattr(value, "__array__") and np.ndim(value) > 0


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)
