"""Sets that come with what is known of each: their checks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from coterie._errors import InputError, InputTypeError
from coterie.data.labels import encode_labels
from coterie.losses.l2c import true_counts
from coterie.methods.samples import refuse_masked


def check_sets(
    sets: Any,
) -> tuple[tuple[npt.NDArray[Any], ...], tuple[npt.NDArray[np.int64], ...]]:
    """Samples of each set, and its codes (n,) or its matrix (n, n); see `L2C.fit_sets`.

    Raises
    ------
    InputError, InputTypeError
        They are no list of (X, known), or the samples of two sets differ in shape.
    """
    if not isinstance(sets, Sequence) or not sets:
        raise InputError("sets: a list of at least one (X, known) is expected")
    parts, known = zip(*(_check_set(number, one) for number, one in enumerate(sets)), strict=True)
    shapes = sorted({part.shape[1:] for part in parts})
    if len(shapes) > 1:
        raise InputError(
            f"sets: samples of shape {shapes[0]} and of shape {shapes[1]}; the same shape is expected"
        )
    return parts, known


def _check_set(number: int, one: Any) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
    """Samples of one set, and its codes (n,) or its matrix (n, n)."""
    try:
        X, known = one
    except (TypeError, ValueError) as error:
        raise InputTypeError(f"sets[{number}]: {type(one).__name__}; (X, known) is expected") from error
    refuse_masked(X, f"sets[{number}]: X")
    samples = np.asarray(X)
    if samples.ndim < 2 or len(samples) < 2:
        raise InputError(f"sets[{number}]: samples of shape {samples.shape}; at least 2 samples are expected")
    values = np.asarray(known)
    if values.ndim == 2 and values.shape[1] != 1:
        matrix = _check_matrix(number, values)
    else:
        matrix = encode_labels(known)[0]
    if len(matrix) != len(samples):
        raise InputError(
            f"sets[{number}]: {len(matrix)} labels for {len(samples)} samples; as many are expected"
        )
    return samples, matrix


def _check_matrix(number: int, values: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    good = values.shape[0] == values.shape[1] and bool(np.isin(values, (-1, 0, 1)).all())
    if not good or not bool((values == values.T).all()):
        raise InputError(
            f"sets[{number}]: a matrix of shape {values.shape}; a symmetric one of 1, -1 and 0 is expected"
        )
    matrix = values.astype(np.int64)
    np.fill_diagonal(matrix, 1)
    return matrix


def check_groups(number: int, known: npt.NDArray[np.int64], max_clusters: int) -> None:
    if known.ndim == 2:
        count = int(true_counts(torch.from_numpy(known)[None]))
    else:
        count = len(np.unique(known[known >= 0]))
    if count > max_clusters:
        raise InputError(f"sets[{number}]: {count} groups; at most max_clusters={max_clusters} are expected")
