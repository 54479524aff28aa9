"""Data frames as X: their columns become numbers by steps that the model keeps."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy.typing as npt
import pandas as pd
from sklearn.utils.validation import validate_data

from coterie._errors import InputError, InputTypeError, ReadingNote
from coterie.data.readers import Samples
from coterie.data.table_steps import TableSteps, apply_steps, fit_steps


def is_frame(X: Any) -> bool:
    """Whether X is a data frame of pandas, polars or the like."""
    return hasattr(X, "columns") and hasattr(X, "dtypes")


def encode_frame(estimator: Any, X: Any, reset: bool) -> npt.NDArray[Any] | None:
    """A data frame as numbers, by steps that are fitted when `reset`; None where it is of numbers alone.

    Warns of each column that does not stay as it is.
    """
    frame = _as_pandas(X)
    if not len(frame) or not len(frame.columns):
        return None  # scikit-learn's words say it best
    _check_names(estimator, X, reset)
    try:
        steps, frame, notes = _steps_for(estimator, frame, reset)
        if not steps.changes and _is_whole(frame):
            return None
        values, said = apply_steps(steps, frame)
    except (InputError, InputTypeError) as error:
        raise type(error)(f"X: {error}") from error
    _say([*notes, *said])
    return values


def _check_names(estimator: Any, X: Any, reset: bool) -> None:
    """Remember the names of the columns, or hold them against those of the fit."""
    try:
        validate_data(estimator, X, reset=reset, skip_check_array=True)
    except (TypeError, ValueError) as error:
        kind = InputTypeError if isinstance(error, TypeError) else InputError
        raise kind(f"X: {error}") from error


def frame_values(X: Any) -> Any:
    """A data frame as numbers on its own, where not all of its columns are; anything else unchanged."""
    if not is_frame(X):
        return X
    frame = _as_pandas(X)
    if _is_numeric(frame):
        return X
    steps, notes = fit_steps(frame)
    values, said = apply_steps(steps, frame)
    _say([*notes, *said])
    return values


def is_encoded(estimator: Any) -> bool:
    """Whether the columns of the fit became others: an array is then of those."""
    kept = getattr(estimator, "table_steps_", None)
    return kept is not None and TableSteps.from_json(kept).changes


def check_steps(estimator: Any, X: Any) -> None:
    """Raise where new samples were read by other steps than those of the fit."""
    kept = estimator.table_steps_
    steps = X.how.get("table_steps") if isinstance(X, Samples) else None
    if steps is None or kept is None or _without_medians(steps) == _without_medians(kept):
        return
    raise InputError(
        "X must be read as the samples of fit were: read_samples(path, ReadOptions(like=samples.reading)), "
        "where samples are those of fit"
    )


def _without_medians(steps: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Steps without what counts for missing values alone."""
    return [{**one, "median": 0} for one in steps]


def _say(notes: Sequence[str]) -> None:
    for note in notes:
        warnings.warn(f"X: {note}", ReadingNote, stacklevel=7)


def _steps_for(estimator: Any, frame: Any, reset: bool) -> tuple[TableSteps, Any, list[str]]:
    """The steps, the frame with its columns in their order, and the notes about new steps."""
    kept = None if reset else estimator.table_steps_
    if kept is not None:
        steps = TableSteps.from_json(kept)
        return steps, _in_order(estimator, frame, [step.column for step in steps.columns]), []
    steps, notes = fit_steps(frame)
    if reset:
        estimator.table_steps_ = steps.as_json()
    elif steps.changes:
        raise InputError(f"must hold only numbers, as in fit; {notes[0]}")
    return steps, frame, notes


def _in_order(estimator: Any, frame: Any, names: list[str]) -> Any:
    """The columns of a frame in the order of the fit, which a file gave names to where it had a header."""
    own = [str(name) for name in frame.columns]
    if len(own) != len(names):
        raise InputError(
            f"X has {len(own)} features, but {type(estimator).__name__} is expecting {len(names)} features "
            "as input"
        )
    if own == names or hasattr(estimator, "feature_names_in_") or all(name.isdecimal() for name in names):
        return frame
    if sorted(own) != sorted(names):
        raise InputError(f"must have the columns {', '.join(names)}, as in fit, got {', '.join(own)}")
    return frame.iloc[:, [own.index(name) for name in names]]


def _as_pandas(X: Any) -> Any:
    if isinstance(X, pd.DataFrame):
        return X
    return pd.DataFrame({str(name): _column(X[name]) for name in X.columns})


def _column(values: Any) -> Any:
    """A column of another library's frame."""
    found = values.to_numpy()
    return list(found) if found.ndim > 1 else found


def _is_numeric(frame: Any) -> bool:
    kinds = pd.api.types
    return all(kinds.is_numeric_dtype(dtype) or kinds.is_bool_dtype(dtype) for dtype in frame.dtypes)


def _is_whole(frame: Any) -> bool:
    return _is_numeric(frame) and not frame.isna().any(axis=None)
