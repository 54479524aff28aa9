"""Tables of any width as rows of one width: gaps, constant columns, many columns, bad input."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from scipy.spatial.distance import pdist

from coterie import InputError, InputTypeError
from coterie.methods.table_rows import WIDTH, choose_count, table_rows


def table(n: int = 30, d: int = 4) -> Any:
    return np.random.default_rng(0).normal(size=(n, d))


def test_columns_are_standardised_and_filled_up() -> None:
    rows = table_rows(table())
    assert rows.shape == (30, WIDTH)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows[:, :4].std(axis=0), 1, rtol=1e-5)
    assert not rows[:, 4:].any()


@pytest.mark.parametrize(("shift", "scale"), [(1e6, 1.0), (0.0, 1e-30), (0.0, 1e300), (-1e9, 3.0)])
def test_shifts_and_scales_change_nothing(shift: float, scale: float) -> None:
    np.testing.assert_allclose(table_rows(table() * scale + shift), table_rows(table()), atol=1e-5)


def test_missing_values_become_the_median() -> None:
    X = table()
    X[0, 0] = X[1, 0] = np.nan
    filled = X.copy()
    filled[:2, 0] = np.median(X[2:, 0])
    assert np.array_equal(table_rows(X), table_rows(filled))


def test_constant_and_empty_columns_are_left_out() -> None:
    X = table()
    more = np.column_stack([np.full(30, 7.1), X[:, :2], np.full(30, np.nan), X[:, 2:]])
    np.testing.assert_allclose(table_rows(more), table_rows(X), atol=1e-6)
    assert not table_rows(np.full((5, 3), np.nan)).any()


@pytest.mark.parametrize(("n", "d"), [(40, 100), (200, 100)])
def test_many_columns_become_principal_components(n: int, d: int) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 3)) @ rng.normal(size=(3, d))
    standard = (X - X.mean(axis=0)) / X.std(axis=0)
    rows = table_rows(X)
    np.testing.assert_allclose(pdist(rows), pdist(standard), rtol=1e-3)
    np.testing.assert_allclose(rows.std(axis=0), rows.std(), rtol=1e-3)
    order = np.random.default_rng(1).permutation(n)
    np.testing.assert_allclose(table_rows(X[order]), rows[order], atol=1e-3)


def test_data_frames_are_tables() -> None:
    frame = pd.DataFrame(table(), columns=list("abcd"))
    assert np.array_equal(table_rows(frame), table_rows(table()))


@pytest.mark.parametrize(
    ("X", "error", "words"),
    [
        ([1.0, 2.0], InputError, "Expected 2D array"),
        (np.zeros((0, 3)), InputError, "at least one row"),
        ([[1.0, np.inf], [0.0, 1.0]], InputError, "got inf in row 0, column 1"),
        ([["a", "b"]], InputTypeError, "X must be a table of numbers"),
        ([[1.0], [1.0, 2.0]], InputTypeError, "X must be a table of numbers"),
        (csr_matrix(np.eye(3)), InputTypeError, "X must be dense"),
    ],
)
def test_bad_tables_are_named(X: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        table_rows(X)


@pytest.mark.parametrize(
    ("count_proba", "expected"),
    [([1.0], 1), ([0.8, 0.1, 0.1], 1), ([0.7, 0.1, 0.2], 3), ([0.4, 0.35, 0.25], 2), ([0.0, 1.0], 2)],
)
def test_one_cluster_needs_to_be_sure(count_proba: list[float], expected: int) -> None:
    assert choose_count(np.array(count_proba)) == expected
