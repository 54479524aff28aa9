"""Labels of any type as class codes, unknown ones as -1."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils import column_or_1d

from coterie._errors import InputError, InputTypeError


def encode_labels(y: Any) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
    """Class codes of labels, in the sorted order of the classes.

    Parameters
    ----------
    y : array-like of shape (n,)
        Numbers, strings or objects; -1, None and NaN are unknown.

    Returns
    -------
    codes : int64 array of shape (n,)
        In 0..len(classes)-1, -1 where unknown.
    classes : array
        The distinct known labels.

    Raises
    ------
    InputError
        y is empty, holds infinity, or no label is known.
    InputTypeError
        y mixes types that cannot be sorted together.

    Examples
    --------
    >>> codes, classes = encode_labels(["b", None, "a"])
    >>> codes.tolist(), classes.tolist()
    ([1, -1, 0], ['a', 'b'])
    """
    values = column_or_1d(y, warn=True)
    if len(values) == 0:
        raise InputError("y: empty; one label per row of X is expected")
    if values.dtype.kind == "f" and np.isinf(values).any():
        raise InputError("Input y contains infinity or a value too large for dtype('float64').")
    known = ~_unknown(values)
    if not known.any():
        raise InputError(f"y: none of its {len(values)} labels is known (-1, None and NaN mean unknown)")
    codes = np.full(len(values), -1, dtype=np.int64)
    try:
        classes, codes[known] = np.unique(values[known], return_inverse=True)
    except TypeError as error:
        raise InputTypeError(f"y: labels of types that cannot be sorted together ({error})") from error
    return codes, classes


def _unknown(values: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    if values.dtype.kind == "f":
        return np.asarray(np.isnan(values) | (values == -1))
    if values.dtype.kind in "iu":
        return np.asarray(values == -1)
    if values.dtype.kind == "O":
        return np.array([_is_unknown(value) for value in values])
    return np.zeros(len(values), dtype=bool)


def _is_unknown(value: object) -> bool:
    is_nan = isinstance(value, float | np.floating) and bool(np.isnan(value))
    is_minus_one = isinstance(value, int | float | np.number) and not isinstance(value, bool) and value == -1
    return value is None or is_nan or bool(is_minus_one)
