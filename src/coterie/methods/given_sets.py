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
        raise InputError("sets must be a list of at least one (X, known)")
    parts, known = zip(*(_check_set(number, one) for number, one in enumerate(sets)), strict=True)
    shapes = sorted({part.shape[1:] for part in parts})
    if len(shapes) > 1:
        raise InputError(f"sets must hold samples of one shape, got {shapes[0]} and {shapes[1]}")
    return parts, known


def _check_set(number: int, one: Any) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
    """Samples of one set, and its codes (n,) or its matrix (n, n)."""
    try:
        X, known = one
    except (TypeError, ValueError) as error:
        raise InputTypeError(
            f"sets[{number}] must be a tuple (X, known), got {type(one).__name__}"
        ) from error
    refuse_masked(X, f"sets[{number}]: X")
    samples = np.asarray(X)
    if samples.ndim < 2 or len(samples) < 2:
        raise InputError(f"sets[{number}] must hold at least 2 samples, got shape {samples.shape}")
    values = np.asarray(known)
    if values.ndim == 2 and values.shape[1] != 1:
        matrix = _check_matrix(number, values)
    else:
        matrix = encode_labels(known)[0]
    if len(matrix) != len(samples):
        raise InputError(
            f"sets[{number}] must have one label per sample, got {len(matrix)} for {len(samples)} samples"
        )
    return samples, matrix


def _check_matrix(number: int, values: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    good = values.shape[0] == values.shape[1] and bool(np.isin(values, (-1, 0, 1)).all())
    if not good or not bool((values == values.T).all()):
        raise InputError(
            f"sets[{number}]: the matrix must be symmetric, of 1, -1 and 0, got shape {values.shape}"
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
        raise InputError(f"sets[{number}] must have at most max_clusters={max_clusters} groups, got {count}")
