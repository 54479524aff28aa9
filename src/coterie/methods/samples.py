"""X as an estimator takes it: read by scikit-learn's rules, with errors that name X."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_array, validate_data

from coterie._errors import InputError, InputTypeError
from coterie.data.arrays import SampleArray, from_tensor, is_dataset, read_dataset
from coterie.data.file_rows import FileRows
from coterie.data.modality import find_modality, modality_of_shape
from coterie.data.readers import Samples
from coterie.methods.embedded import embed_x
from coterie.methods.tables import check_steps, encode_frame, is_encoded, is_frame


def take_samples(estimator: Any, X: Any, reset: bool) -> SampleArray:
    """X as rows of numbers, through the encoder where it holds files or texts.

    Remembers its shape and its modality when `reset`, and holds new X against them otherwise.
    """
    X = embed_x(estimator, X, reset)
    samples = check_samples(estimator, X, reset)
    if reset:
        estimator.sample_shape_, estimator.n_features_in_ = samples.shape[1:], samples.shape[1]
        if estimator.table_steps_ is not None:
            estimator.n_features_in_ = len(estimator.table_steps_)
        estimator.modality_ = modality_of(X, estimator.sample_shape_)
    else:
        check_modality(X, estimator.modality_)
        check_sample_shape(estimator, samples, estimator.sample_shape_)
    return samples


def check_samples(estimator: Any, X: Any, reset: bool) -> SampleArray:
    """X as rows of numbers, an array of at least two axes or a data set; remembers names when `reset`."""
    if reset:
        estimator.table_steps_ = X.how.get("table_steps") if isinstance(X, Samples) else None
    else:
        check_steps(estimator, X)
    values = from_tensor(X.X if isinstance(X, Samples) else X)
    if is_frame(values):
        encoded = encode_frame(estimator, values, reset)
        if encoded is not None:
            return encoded
    named = reset or not (isinstance(X, Samples) or is_encoded(estimator))
    samples = _read_rows(values) if is_dataset(values) else _check_array(estimator, values, reset, named)
    if reset:
        _refuse_channels_last(samples.shape)
    return samples


def _read_rows(values: Any) -> SampleArray:
    """Rows that are read when they are drawn: a reader's own, or those of a data set."""
    return values if isinstance(values, FileRows) else read_dataset(values)


def modality_of(X: Any, sample_shape: tuple[int, ...]) -> str:
    """What X holds: what its reader says, a frame's rows, or what samples of this shape are taken for."""
    if isinstance(X, Samples):
        return find_modality(X.modality).name
    return "table" if is_frame(X) else modality_of_shape(sample_shape)


def check_modality(X: Any, expected: str) -> None:
    """Raise where a reader says that new samples are of another kind than those of the fit."""
    if isinstance(X, Samples) and X.modality != expected:
        raise InputError(
            f"X must hold {find_modality(expected).plural}, as in fit, got {find_modality(X.modality).plural}"
        )


def change_values(change: Callable[[Any], Any], X: Any) -> Any:
    """X with its values changed, and its modality and what is known of its encoder kept."""
    if not isinstance(X, Samples):
        return change(X)
    how = {name: value for name, value in X.how.items() if name == "encoder"}
    return dataclasses.replace(X, X=change(X.X), how=how)


def check_sample_shape(estimator: BaseEstimator, samples: SampleArray, expected: tuple[int, ...]) -> None:
    """Raise where new samples are not shaped as those of the fit."""
    shape = samples.shape[1:]
    if shape == expected:
        return
    if len(shape) == len(expected) == 1:
        # scikit-learn's words
        raise InputError(
            f"X has {shape[0]} features, but {type(estimator).__name__} is expecting {expected[0]} "
            "features as input"
        )
    raise InputError(f"X must hold samples of shape {expected}, as in fit, got {shape}")


def _check_array(estimator: BaseEstimator, X: Any, reset: bool, named: bool) -> npt.NDArray[Any]:
    """X as an array; where it is `named`, its features are held against those that `fit` remembers."""
    refuse_masked(X)
    _refuse_dates(X)
    try:
        rules = {"ensure_2d": False, "allow_nd": True, "dtype": "numeric"}
        samples = (
            validate_data(estimator, X, reset=reset, **rules)
            if named
            else check_array(X, input_name="X", estimator=estimator, **rules)
        )
    except (TypeError, ValueError) as error:
        kind = InputTypeError if isinstance(error, TypeError) else InputError
        raise kind(_name_x(str(error))) from error
    if samples.ndim < 2:
        raise InputError(
            f"X: Expected 2D array, got {samples.ndim}D array instead. Reshape your data with "
            "X.reshape(-1, 1) for one feature or X.reshape(1, -1) for one sample"
        )
    return cast(npt.NDArray[Any], samples)


def refuse_masked(X: Any, name: str = "X") -> None:
    """Raise where values are masked: numpy would hand over what lies below the mask."""
    if np.ma.is_masked(X):
        raise InputError(
            f"{name} must have a value in each entry, got {int(np.ma.getmaskarray(X).sum())} masked entries. "
            "X.filled(value) fills them"
        )


def _refuse_dates(X: Any) -> None:
    """Raise where values are dates or durations, whose unit and origin are the caller's to choose."""
    if isinstance(X, np.ndarray) and X.dtype.kind in "Mm":
        way = "(x - start) / np.timedelta64(1, 'D')" if X.dtype.kind == "M" else "x / np.timedelta64(1, 'D')"
        raise InputTypeError(f"X must hold numbers, got dtype {X.dtype}. {way} gives days")


def _refuse_channels_last(shape: tuple[int, ...]) -> None:
    """Raise where images have their colours last: their rows would be taken as channels."""
    if len(shape) == 4 and shape[3] in (1, 3, 4) and min(shape[1:3]) > 4:
        raise InputError(
            f"X must have shape (n, channels, height, width), got {shape}, which looks like channels last: "
            "np.moveaxis(X, -1, 1) moves them; X.reshape(len(X), -1) gives vectors"
        )


def _name_x(text: str) -> str:
    """scikit-learn's error about X, with X named and without advice on other estimators."""
    reason = text if "feature names" in text else text.partition("\n")[0]
    if "parse" in reason:
        reason += "; X.toarray() is dense, and so is what TruncatedSVD or PCA makes of it"
    return f"X: {reason}"
