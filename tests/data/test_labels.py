"""Labels of every type become codes, and what is unknown stays unknown."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import DataConversionWarning

from coterie import InputError, InputTypeError
from coterie.data.labels import encode_labels

NAN = float("nan")


@pytest.mark.parametrize(
    ("y", "codes", "classes"),
    [
        ([3, 1, 3, -1], [1, 0, 1, -1], [1, 3]),
        ([3.0, NAN, -1.0, 1.0], [1, -1, -1, 0], [1.0, 3.0]),
        ([-2, 5], [0, 1], [-2, 5]),
        (["b", "a", "b"], [1, 0, 1], ["a", "b"]),
        (["b", NAN, "a"], [1, -1, 0], ["a", "b"]),
        (("b", None, "a", -1), [1, -1, 0, -1], ["a", "b"]),
        (["b", np.float32("nan"), -1.0], [0, -1, -1], ["b"]),
        (["b", "", "a"], [1, -1, 0], ["a", "b"]),
        (np.array(["b", "", "a"]), [1, -1, 0], ["a", "b"]),
        (np.array([b"b", b"", b"a"]), [1, -1, 0], [b"a", b"b"]),
        (pd.Series(["b", "", "a"]), [1, -1, 0], ["a", "b"]),
        (np.ma.masked_array([3, 1, 7], [False, False, True]), [1, 0, -1], [1, 3]),
        (np.ma.masked_array([3.0, 1.0, np.inf], [False, False, True]), [1, 0, -1], [1.0, 3.0]),
        (np.ma.masked_array(["a", "b", "?"], [False, False, True]), [0, 1, -1], ["a", "b"]),
        ([None, 2, 1], [-1, 1, 0], [1, 2]),
        ([True, False, True], [1, 0, 1], [False, True]),
        ([True, None], [0, -1], [True]),
        ([pd.NA, "a"], [-1, 0], ["a"]),
        ([pd.NA, 7, pd.NaT], [-1, 0, -1], [7]),
        ([b"b", b"a", None], [1, 0, -1], [b"a", b"b"]),
        (np.array([2, 250], dtype=np.uint8), [0, 1], [2, 250]),
        (np.array(["b", None, NAN, -1], dtype=object), [0, -1, -1, -1], ["b"]),
        (pd.Series([1, None, 2, pd.NA], dtype="Int64"), [0, -1, 1, -1], [1, 2]),
        (pd.Series(["a", pd.NA], dtype="string"), [0, -1], ["a"]),
        (pd.Series(["b", None, "a"], dtype="category"), [1, -1, 0], ["a", "b"]),
        (pd.Series(["b", None, "a"]), [1, -1, 0], ["a", "b"]),
    ],
)
def test_codes_and_classes(y: Any, codes: list[int], classes: list[Any]) -> None:
    found, known = encode_labels(y)
    assert found.dtype == np.int64
    assert found.tolist() == codes
    assert known.tolist() == classes


@pytest.mark.parametrize("text", ["-1", "nan", "NaN", "?", "None", "<NA>"])
def test_texts_that_may_be_meant_as_unknown_draw_a_warning(text: str) -> None:
    with pytest.warns(
        UserWarning, match=f"y: the text {re.escape(repr(text))} is read as a class; write None"
    ):
        codes, classes = encode_labels(["b", text, "c"])
    assert (len(set(codes.tolist())), text in classes) == (3, True)


def test_dates_without_a_value_are_unknown() -> None:
    codes, classes = encode_labels(np.array(["2021-01-01", "NaT", "2020-01-01"], dtype="M8[D]"))
    assert codes.tolist() == [1, -1, 0]
    assert len(classes) == 2


def test_one_column_is_taken_with_scikit_learn_s_warning() -> None:
    with pytest.warns(DataConversionWarning):
        codes, _ = encode_labels(np.array([[4], [-1], [2]]))
    assert codes.tolist() == [1, -1, 0]


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([], "y must hold one label per row of X, got none"),
        ([-1, -1], "y must have at least one known label, but all 2 are unknown"),
        ([None, None], "y must have at least one known label, but all 2 are unknown"),
        ([NAN, -1], "y must have at least one known label, but all 2 are unknown"),
        (np.zeros((3, 2)), r"got ndarray .*\(3, 2\)"),
        (5, "got int"),
        ("abc", "got str"),
        ({"a": 1}, "got dict"),
        ([(1, 2), (1, 2)], "got list"),
        ([[1], [1, 2]], "got list"),
        ([1.0, np.inf], "Input y contains infinity"),
        (np.array([1j, 2]), "got ndarray .*[Cc]omplex"),
    ],
)
def test_what_is_no_column_of_labels(y: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        encode_labels(y)


@pytest.mark.parametrize("y", [[1, "a"], [True, "a"], np.array([1, "a"], dtype=object)])
def test_types_that_do_not_sort(y: Any) -> None:
    with pytest.raises(InputTypeError, match="y must hold labels of one type"):
        encode_labels(y)
