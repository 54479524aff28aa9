"""Labels of any type as class codes, unknown ones as -1."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils import column_or_1d

from coterie._errors import InputError, InputTypeError

# texts by which people and programs say that nothing is known
_LIKE_UNKNOWN = ("-1", "nan", "?", "none", "null", "n/a", "<na>")


def similar_share(codes: npt.NDArray[np.int64]) -> float:
    """Share of the pairs of labelled samples that are of one class; 0 where there is no pair.

    Parameters
    ----------
    codes : int64 array of shape (n,)
        Classes, negative where unknown.

    Examples
    --------
    >>> similar_share(np.array([0, 0, 1, -1]))
    0.3333333333333333
    """
    counts = np.bincount(codes[codes >= 0])
    total = int(counts.sum())
    return float((counts * (counts - 1)).sum()) / max(1, total * (total - 1))


def encode_labels(y: Any) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
    """Class codes of labels, in the sorted order of the classes.

    Parameters
    ----------
    y : array-like of shape (n,)
        Numbers, strings or objects; -1, None, NaN, what else pandas calls missing, masked entries and empty
        text are unknown. The texts "-1", "nan" and "?" are classes, with a warning.

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
        raise InputError("y must hold one label per row of X, got none")
    known = ~(_unknown(values) | _masked(y, len(values)))
    if values.dtype.kind == "f" and np.isinf(values[known]).any():
        raise InputError("Input y contains infinity or a value too large for dtype('float64').")
    if not known.any():
        raise InputError(
            f"y must have at least one known label, but all {len(values)} are unknown (-1, None or NaN)"
        )
    codes = np.full(len(values), -1, dtype=np.int64)
    try:
        classes, codes[known] = np.unique(values[known], return_inverse=True)
    except TypeError as error:
        raise InputTypeError(f"y must hold labels of one type, which can be sorted ({error})") from error
    _warn_of_texts(classes)
    return codes, classes


def _as_column(y: Any) -> npt.NDArray[Any]:
    """y as an array of one axis, its entries of the types given."""
    kind = type(y).__name__
    if isinstance(y, list | tuple) and any(isinstance(value, str | bytes) for value in y):
        # as an array of text, a NaN or a number among strings would become the string "nan" or "1"
        values = np.empty(len(y), dtype=object)
        values[:] = y
        y = values
    try:
        return np.asarray(column_or_1d(y, warn=True))
    except (TypeError, ValueError, RuntimeError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"y must hold one label per row of X, shape (n,), got {kind} ({reason})") from error


def _masked(y: Any, n: int) -> npt.NDArray[np.bool_]:
    """Which entries numpy masks."""
    if not isinstance(y, np.ma.MaskedArray):
        return np.zeros(n, dtype=bool)
    return np.asarray(np.ma.getmaskarray(y)).reshape(-1)


def _warn_of_texts(classes: npt.NDArray[Any]) -> None:
    """Say that a text is a class where it may be meant as unknown."""
    texts = [value for value in classes.tolist() if isinstance(value, str) and value.lower() in _LIKE_UNKNOWN]
    if texts:
        warnings.warn(
            f"y: the text {texts[0]!r} is read as a class; write None, NaN or the number -1 for an unknown "
            "label",
            stacklevel=3,
        )


def _unknown(values: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    if values.dtype.kind == "f":
        return np.asarray(np.isnan(values) | (values == -1))
    if values.dtype.kind in "iu":
        return np.asarray(values == -1)
    if values.dtype.kind in "mM":
        return np.asarray(np.isnat(values))
    if values.dtype.kind in "US":
        return np.asarray(values == values.dtype.type())
    if values.dtype.kind == "O":
        return np.array([_is_unknown(value) for value in values])
    return np.zeros(len(values), dtype=bool)


def _is_unknown(value: object) -> bool:
    if value is None or type(value).__name__ in ("NAType", "NaTType"):  # pandas need not be there
        return True
    if isinstance(value, str | bytes):
        return not value
    if isinstance(value, float | np.floating) and bool(np.isnan(value)):
        return True
    return isinstance(value, int | float | np.number) and not isinstance(value, bool) and bool(value == -1)
