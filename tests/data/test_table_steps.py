"""Columns of any kind as numbers: words, flags, dates, missing values; fitted once, kept as JSON."""

from __future__ import annotations

import datetime
import decimal
import json
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from coterie._errors import InputError, InputTypeError
from coterie.data.table_steps import TableSteps, apply_steps, fit_steps

NAN = float("nan")


def encoded(frame: pd.DataFrame, new: pd.DataFrame | None = None, **options: Any) -> tuple[Any, list[str]]:
    steps, notes = fit_steps(frame, **options)
    kept = TableSteps.from_json(json.loads(json.dumps(steps.as_json())))
    assert kept == steps
    values, said = apply_steps(kept, frame if new is None else new)
    assert values.shape[1] == steps.n_columns
    return values, [*notes, *said]


@pytest.mark.parametrize(
    ("column", "values", "words"),
    [
        ([1, 2, 3], [[1], [2], [3]], None),
        ([1.5, 2, 3], [[1.5], [2], [3]], None),
        (pd.array([1, None, 3], dtype="Int64"), [[1, 0], [2, 1], [3, 0]], "1 of 3 values are missing"),
        ([True, False, True], [[1], [0], [1]], "True and False became 1 and 0"),
        (["yes", "no", "yes"], [[1], [0], [1]], "yes and no became 1 and 0"),
        (["TRUE", "false", "TRUE"], [[1], [0], [1]], "TRUE became 1 and 0|false and TRUE"),
        (["b", "a", "b"], [[0, 1], [1, 0], [0, 1]], r"2 words became columns of 0 and 1 \(a, b\)"),
        (["1", "2.5", " 3"], [[1], [2.5], [3]], "text became numbers"),
        ([decimal.Decimal("1.5"), decimal.Decimal(2), decimal.Decimal(3)], [[1.5], [2], [3]], None),
        (["1970-01-02", "1970-01-01", "1970-01-11"], [[1], [0], [10]], "dates became days since 1970"),
        (["02.01.1970", "31.01.1970", "11.01.1970"], [[1], [30], [10]], "dates became days"),
        (["01/31/1970", "01/01/1970", "01/11/1970"], [[30], [0], [10]], "dates became days"),
        (
            pd.to_datetime(["1970-01-01T12:00", "1970-01-02T00:00", "1970-01-03T00:00"]),
            [[0.5], [1], [2]],
            "dates",
        ),
        (
            pd.to_datetime(["1970-01-01T12:00+0200", "1970-01-02T02:00+0200", "1970-01-03T02:00+0200"]),
            [[10 / 24], [1], [2]],
            "dates",
        ),
        (
            [datetime.date(1970, 1, 1), datetime.date(1970, 1, 2), datetime.date(1970, 1, 3)],
            [[0], [1], [2]],
            "dates",
        ),
        (pd.to_timedelta([1, 2, 3], unit="D"), [[1], [2], [3]], "durations became days"),
        ([[1, 2], [3, 4], [5, 6]], [[1, 2], [3, 4], [5, 6]], None),
    ],
)
def test_kinds_of_columns(column: Any, values: Any, words: str | None) -> None:
    found, notes = encoded(pd.DataFrame({"a": column}))
    np.testing.assert_allclose(found, values, rtol=0, atol=1e-12)
    if words is None:
        assert notes == []
    else:
        assert re.search(words, notes[0])
        assert notes[0].startswith("column 'a': ")


def test_missing_values_become_the_median_and_more_than_5_percent_are_marked() -> None:
    frame = pd.DataFrame({"few": [NAN, *range(1, 40)], "many": [NAN, NAN, NAN, *range(37)]})
    values, notes = encoded(frame)
    assert values.shape == (40, 3)
    assert values[0].tolist() == [20, 18, 1]
    assert values[3].tolist() == [3, 0, 0]
    assert notes == [
        "column 'few': 1 of 40 values are missing: set to the median",
        "column 'many': 3 of 40 values are missing: set to the median, and marked by a further column",
    ]
    new, notes = encoded(frame, pd.DataFrame({"few": [5.0, NAN], "many": [NAN, 2.0]}))
    assert new.tolist() == [[5, 18, 1], [20, 2, 0]]


def test_exactly_5_percent_are_not_marked() -> None:
    assert encoded(pd.DataFrame({"a": [NAN, *range(19)]}))[0].shape == (20, 1)
    assert encoded(pd.DataFrame({"a": [NAN, *range(18)]}))[0].shape == (19, 2)


def test_missing_and_new_words_are_0_in_each_column() -> None:
    frame = pd.DataFrame({"a": ["x", "y", None, "x"]})
    assert encoded(frame)[0].tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0]]
    new, notes = encoded(frame, pd.DataFrame({"a": ["y", "z"]}))
    assert new.tolist() == [[0, 1, 0], [0, 0, 0]]
    assert "1 words were not there in the fit, such as 'z': 0 in each of its columns" in notes[-1]


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ([f"w{n}" for n in range(60)] * 2, "ignored, because it has 60 different words in 120 values"),
        ([f"w{n}" for n in range(40)] * 3, None),
        ([f"w{n}" for n in range(40)], "ignored, because it has 40 different words in 40 values"),
        ([None] * 40, "ignored, because it has no values"),
        (["01/02/2020", "03/04/2020"] * 5, "ignored, because its dates may be %m/%d/%Y or %d/%m/%Y"),
    ],
)
def test_columns_left_out(column: list[Any], words: str | None) -> None:
    frame = pd.DataFrame({"a": column, "b": np.arange(len(column)) % 7})
    values, notes = encoded(frame)
    if words is None:
        assert values.shape[1] == 41
    else:
        assert values.shape[1] == 1
        assert notes == [f"column 'a': {words}" + "; 2026-01-31 is clear" * ("dates" in words)]


def test_a_column_that_looks_like_ids_is_asked_about() -> None:
    frame = pd.DataFrame({"customer_id": [9, 5, 7], "size": [1, 2, 3], "grid": [1, 2, 4]})
    values, notes = encoded(frame)
    assert values.shape == (3, 3)
    (note,) = notes
    assert note.startswith("column 'customer_id': each value is another one")
    assert "--drop customer_id leaves it out" in note
    frame["customer_id"] = [9, 9, 7]
    assert encoded(frame)[1] == []


def test_dates_by_parts() -> None:
    days = pd.to_datetime(["1970-01-01T00", "1970-01-08T00", "1970-01-01T06"])
    values, _ = encoded(pd.DataFrame({"a": days}), cyclic_dates=True)
    assert values.shape == (3, 7)
    np.testing.assert_allclose(values[0], [0, 0, 0, 0, 1, 1, 1], atol=1e-12)
    np.testing.assert_allclose(values[1, 2], 0, atol=1e-12)  # a week later
    np.testing.assert_allclose(values[2, [3, 6]], [1, 0], atol=1e-12)  # a quarter of the day


@pytest.mark.parametrize(
    ("column", "kind", "words"),
    [
        (
            [1, 2, "x"],
            InputError,
            r"row 2, column 'a': must be a number, as most .*, got 'x' \(1 such values\).*--drop a",
        ),
        (["1", None, "x"], InputError, "row 2, column 'a': must be a number"),
        ([1.0, np.inf, 2.0], InputError, "row 1, column 'a': must be finite, got inf"),
        ([1j, 2j, 3j], InputTypeError, "column 'a' must hold real numbers, got complex128"),
        ([{}, {}, {}], InputTypeError, "column 'a' must hold numbers, words or dates, got dict"),
        ([[1], [1, 2], [3]], InputError, r"row 1, column 'a': must be a list of 1 numbers.*, got \[1, 2\]"),
        ([[1.0], [NAN], [3.0]], InputError, "row 1, column 'a': must hold finite numbers"),
        ([None, None, None], InputError, "columns a: none of them gives numbers .*no values"),
    ],
)
def test_what_means_no_number(column: Any, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        encoded(pd.DataFrame({"a": column}))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ([1, 2], ["x", "1"], "row 0, column 'a': must be a number, as in the fit, got 'x'"),
        ([True, False], ["maybe", "yes"], "row 0, column 'a': must be true or false, or yes or no"),
        (["2020-01-01", "2020-01-02"], ["2020-01-01", "soon"], "row 1, column 'a': must be a date"),
        (pd.to_timedelta([1, 2]), ["x", "y"], "must be a duration"),
        ([[1, 2], [3, 4]], [[1], [2]], "row 0, column 'a': must be a list of 2 numbers"),
    ],
)
def test_new_values_of_another_kind(old: Any, new: Any, words: str) -> None:
    steps, _ = fit_steps(pd.DataFrame({"a": old}))
    with pytest.raises(InputError, match=words):
        apply_steps(steps, pd.DataFrame({"a": new}))


@pytest.mark.parametrize(
    "found",
    [
        1,
        [1],
        [{}],
        [{"column": 1, "kind": "number"}],
        [{"column": "a", "kind": "smell"}],
        [{"column": "a"}],
        [{"column": "a", "kind": "number", "median": NAN}],
        [{"column": "a", "kind": "list", "width": 10**9}],
        [{"column": "a", "kind": "words", "words": [1]}],
        [{"column": "a", "kind": "number", "other": 1}],
        {"a": 1},
    ],
)
def test_steps_that_no_fit_writes(found: Any) -> None:
    with pytest.raises(InputError, match="steps must be those of a table"):
        TableSteps.from_json(found)


COLUMNS = {
    "number": st.one_of(st.none(), st.floats(-1e6, 1e6)),
    "word": st.one_of(st.none(), st.sampled_from(["red", "green", "blue"])),
    "flag": st.one_of(st.none(), st.sampled_from(["yes", "no"])),
    "day": st.one_of(st.none(), st.dates(datetime.date(1900, 1, 1), datetime.date(2100, 1, 1)).map(str)),
}


@settings(deadline=None)
@given(data=st.data(), kinds=st.lists(st.sampled_from(sorted(COLUMNS)), min_size=1, max_size=4))
def test_rows_are_encoded_one_by_one(data: st.DataObject, kinds: list[str]) -> None:
    """A fitted table gives each row the same numbers alone as among others, finite ones."""
    n = data.draw(st.integers(3, 8))
    frame = pd.DataFrame(
        {
            f"{kind}{place}": data.draw(st.lists(COLUMNS[kind], min_size=n, max_size=n))
            for place, kind in enumerate(kinds)
        }
    )
    assume(any(frame[name].nunique() > 1 for name in frame if frame[name].nunique() < frame[name].count()))
    steps, _ = fit_steps(frame)
    values, said = apply_steps(steps, frame)
    assert said == []
    assert np.isfinite(values).all()
    for row in range(n):
        np.testing.assert_array_equal(apply_steps(steps, frame.iloc[[row]])[0], values[[row]])
