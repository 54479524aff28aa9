"""X as an estimator takes it: read by scikit-learn's rules, with errors that name X."""

from __future__ import annotations

from typing import Any, cast

import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from coterie._errors import InputError, InputTypeError
from coterie.data.arrays import SampleArray, from_tensor, is_dataset, read_dataset


def check_samples(estimator: BaseEstimator, X: Any, reset: bool) -> SampleArray:
    """X as rows of numbers, an array of at least two axes or a data set; remembers names when `reset`."""
    X = from_tensor(X)
    return read_dataset(X) if is_dataset(X) else _check_array(estimator, X, reset)


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
    raise InputError(f"X: samples of shape {shape}; shape {expected} as in fit is expected")


def _check_array(estimator: BaseEstimator, X: Any, reset: bool) -> npt.NDArray[Any]:
    try:
        samples = validate_data(estimator, X, reset=reset, ensure_2d=False, allow_nd=True, dtype="numeric")
    except (TypeError, ValueError) as error:
        kind = InputTypeError if isinstance(error, TypeError) else InputError
        raise kind(_name_x(str(error))) from error
    if samples.ndim < 2:
        raise InputError(
            f"X: Expected 2D array, got {samples.ndim}D array instead. Reshape your data with "
            "X.reshape(-1, 1) for one feature or X.reshape(1, -1) for one sample"
        )
    return cast(npt.NDArray[Any], samples)


def _name_x(text: str) -> str:
    """scikit-learn's error about X, with X named and without advice on other estimators."""
    reason = text if "feature names" in text else text.partition("\n")[0]
    if "parse" in reason:
        reason += "; X.toarray() is dense, and so is what TruncatedSVD or PCA makes of it"
    return f"X: {reason}"
