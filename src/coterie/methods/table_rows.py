"""A table with any number of columns as rows of one fixed width, for networks that cluster any table."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.linalg import hadamard

from coterie._errors import InputError, InputTypeError

WIDTH = 64
SURE_OF_ONE = 0.75
_CONSTANT = 1e-9  # spread of a column, relative to its largest value, below which it counts as constant

Numbers = npt.NDArray[np.float64]


def table_rows(X: Any) -> npt.NDArray[np.float32]:
    """Standardise the columns of a table and bring them to a fixed number.

    Missing values become the column's median. Constant and empty columns say nothing and are dropped. More
    than 64 columns are replaced by their first 64 principal components, turned. Fewer are filled up with
    zeros, which a table network ignores.

    Parameters
    ----------
    X : array-like of shape (n, d)
        Numbers; NaN: missing.

    Returns
    -------
    float32 array of shape (n, 64)

    Raises
    ------
    InputError, InputTypeError
        X is no table of numbers, is empty, or has infinite values.

    Examples
    --------
    >>> table_rows([[1.0, 7.0, float("nan")], [3.0, 7.0, 0.0]])[:, :2].tolist()
    [[-1.0, 0.0], [1.0, 0.0]]
    """
    columns = _standardise(_impute(_as_table(X)))
    if columns.shape[1] > WIDTH:
        columns = _principal(columns)
    return np.pad(columns, ((0, 0), (0, WIDTH - columns.shape[1]))).astype(np.float32)


def choose_count(count_proba: npt.NDArray[np.float64]) -> int:
    """The number of clusters to answer with, given P(k) of k = 1..K.

    The most probable one of at least two; one cluster only where its probability is above 0.75, a number
    chosen on the 37 development sets. A table in which the number is unclear spreads P(k) over many k: the
    largest value is then often that of k = 1, although several clusters are as probable.

    Examples
    --------
    >>> choose_count(np.array([0.3, 0.2, 0.25, 0.25])), choose_count(np.array([0.8, 0.2]))
    (3, 1)
    """
    if len(count_proba) == 1 or count_proba[0] > SURE_OF_ONE:
        return 1
    return 2 + int(count_proba[1:].argmax())


def _as_table(X: Any) -> Numbers:
    if hasattr(X, "toarray"):
        raise InputTypeError("X must be dense, got a sparse matrix; X.toarray() is dense")
    try:
        table = np.array(X, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputTypeError(f"X must be a table of numbers; {error}") from error
    if table.ndim != 2:
        raise InputError(
            f"X: Expected 2D array, got {table.ndim}D array instead. Reshape your data with "
            "X.reshape(-1, 1) for one column"
        )
    if 0 in table.shape:
        raise InputError(f"X must have at least one row and one column, got shape {table.shape}")
    if np.isinf(table).any():
        row, column = np.argwhere(np.isinf(table))[0]
        raise InputError(
            f"X must be finite or NaN, got {table[row, column]} in row {row}, column {column}; "
            "replace infinite values by NaN if they are missing"
        )
    return table


def _impute(table: Numbers) -> Numbers:
    """NaN as the median of its column, in place; 0 in a column without values."""
    missing = np.isnan(table)
    for column in np.flatnonzero(missing.any(axis=0)):
        known = table[~missing[:, column], column]
        table[missing[:, column], column] = np.median(known) if len(known) else 0.0
    return table


def _standardise(table: Numbers) -> Numbers:
    """Columns with mean 0 and standard deviation 1, without constant ones; at least one column."""
    largest = np.abs(table).max(axis=0)
    # a power of two brings the largest value near 1, so that squares stay finite, and changes no digits
    scaled = np.ldexp(table, -np.frexp(np.where(largest > 0, largest, 1.0))[1])
    centred = scaled - scaled.mean(axis=0)
    spread = centred.std(axis=0)
    used = spread > _CONSTANT
    return centred[:, used] / spread[used] if used.any() else np.zeros((len(table), 1))


def _principal(columns: Numbers) -> Numbers:
    """The first 64 principal components, turned so that all columns have the same spread.

    A network standardises columns: as they are, weak components would come to count as much as strong ones.
    All entries of a Hadamard matrix are alike, so each turned column holds the same share of each component.
    """
    few_rows = len(columns) <= columns.shape[1]
    values, vectors = np.linalg.eigh(columns @ columns.T if few_rows else columns.T @ columns)
    vectors, values = vectors[:, : -WIDTH - 1 : -1], values[: -WIDTH - 1 : -1].clip(0)
    components = vectors * np.sqrt(values) if few_rows else columns @ vectors
    # signs that do not depend on the order of rows or columns
    components *= np.where((components**3).sum(axis=0) < 0, -1.0, 1.0)
    padded = np.pad(components, ((0, 0), (0, WIDTH - components.shape[1])))
    return np.asarray(padded @ hadamard(WIDTH) / np.sqrt(WIDTH))
