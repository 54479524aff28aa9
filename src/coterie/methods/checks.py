"""Checks of parameters: one message form for all estimators."""

from __future__ import annotations

import warnings
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from sklearn.utils import check_random_state

from coterie._errors import CollapseWarning, InputError, InputTypeError
from coterie.data import Pairs
from coterie.data.labels import encode_labels
from coterie.data.pairs.cliques import different_samples

_SHOWN = 10


def as_random_state(value: Any) -> np.random.RandomState:
    """What ``random_state`` stands for; of a numpy Generator one that draws from the same bits."""
    if isinstance(value, np.random.Generator):
        return np.random.RandomState(value.bit_generator)
    return cast(np.random.RandomState, check_random_state(value))


def check_labels(y: object, n_samples: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
    """Codes of labels, one for each sample, and the classes that they stand for."""
    codes, classes = encode_labels(y)
    if len(codes) != n_samples:
        raise InputError(f"y must have one label per row of X, n_samples={n_samples}, got {len(codes)}")
    return codes, classes


def warn_of_classes(classes: npt.NDArray[Any], n_clusters: object) -> None:
    """Say that there are fewer clusters than classes are known; one alone cannot be a mistake."""
    if isinstance(n_clusters, int | np.integer) and len(classes) > n_clusters > 1:
        warnings.warn(
            f"n_clusters={n_clusters} must be >= {len(classes)} for each class of y to have its own cluster: "
            f"{_listed(classes)}",
            CollapseWarning,
            stacklevel=4,
        )


def warn_of_different(pairs: Pairs, n_clusters: object) -> None:
    """Say that more samples are known to be mutually different than there are clusters."""
    if not isinstance(n_clusters, int | np.integer) or not pairs.n_dissimilar:
        return
    samples = different_samples(pairs, int(n_clusters))
    if len(samples):
        warnings.warn(
            f"n_clusters={n_clusters} must be >= {len(samples)} to satisfy the pairs: the samples "
            f"{_listed(samples)} are known to be mutually different",
            CollapseWarning,
            stacklevel=4,
        )


def _listed(values: npt.NDArray[Any]) -> str:
    """The first few of some values."""
    shown = ", ".join(map(str, values[:_SHOWN].tolist()))
    return shown if len(values) <= _SHOWN else f"{shown}, ... ({len(values)} in all)"


def check_pairs(pairs: object, n_samples: int, n_clusters: object = None) -> Pairs:
    """Pairs of rows that are there and, where they are certain, do not contradict each other.

    Where a number of clusters is given that certain pairs cannot be satisfied with, a warning says so.
    """
    if not isinstance(pairs, Pairs):
        raise InputTypeError(
            f"pairs must be coterie.Pairs, for example Pairs(i, j, same), got {type(pairs).__name__}"
        )
    pairs.check_rows(n_samples)
    if pairs.hard:
        pairs.check_consistent()
        warn_of_different(pairs, n_clusters)
    return pairs


def pair_columns(pairs: Pairs | None) -> tuple[npt.NDArray[np.integer] | None, ...]:
    """The three arrays of pairs, for a digest of the supervision of a fit; three times None without pairs."""
    return (None, None, None) if pairs is None else (pairs.i, pairs.j, pairs.same)
