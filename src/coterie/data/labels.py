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
        Numbers, strings or objects; -1, None, NaN and what else pandas calls missing are unknown.

    Returns
    -------
    codes : int64 array of shape (n,)
        In 0..len(classes)-1, -1 where unknown.
    classes : array
        The distinct known labels.

    Raises
    ------
    InputError
        y is no column of labels, is empty, holds infinity, or no label is known.
    InputTypeError
        y mixes types that cannot be sorted together.

    Examples
    --------
    >>> codes, classes = encode_labels(["b", None, "a"])
    >>> codes.tolist(), classes.tolist()
    ([1, -1, 0], ['a', 'b'])
    """
    values = _as_column(y)
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


def _as_column(y: Any) -> npt.NDArray[Any]:
    """y as an array of one axis, its entries of the types that came."""
    kind = type(y).__name__
    if isinstance(y, list | tuple) and any(isinstance(value, str | bytes) for value in y):
        # as an array of text, a NaN or a number beside strings would become the string "nan" or "1"
        values = np.empty(len(y), dtype=object)
        values[:] = y
        y = values
    try:
        return np.asarray(column_or_1d(y, warn=True))
    except (TypeError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"y: {kind} ({reason}); one label per row of X, shape (n,), is expected") from error


def _unknown(values: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    if values.dtype.kind == "f":
        return np.asarray(np.isnan(values) | (values == -1))
    if values.dtype.kind in "iu":
        return np.asarray(values == -1)
    if values.dtype.kind in "mM":
        return np.asarray(np.isnat(values))
    if values.dtype.kind == "O":
        return np.array([_is_unknown(value) for value in values])
    return np.zeros(len(values), dtype=bool)


def _is_unknown(value: object) -> bool:
    if value is None or type(value).__name__ in ("NAType", "NaTType"):  # pandas need not be there
        return True
    if isinstance(value, float | np.floating) and bool(np.isnan(value)):
        return True
    return isinstance(value, int | float | np.number) and not isinstance(value, bool) and bool(value == -1)
