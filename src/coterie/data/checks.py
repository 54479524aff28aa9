"""Checks of arguments that several files of this floor share; each error names the argument."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from coterie._checks import check_int
from coterie._errors import InputError

RandomState = int | np.random.Generator | np.random.RandomState | None


def generator(random_state: RandomState) -> np.random.Generator:
    """Return the generator that `random_state` stands for: itself, or a new one."""
    if isinstance(random_state, np.random.Generator):
        return random_state
    if isinstance(random_state, np.random.RandomState):
        return np.random.default_rng(random_state.randint(2**32, size=4, dtype=np.uint32))
    if random_state is None:
        return np.random.default_rng()
    return np.random.default_rng(check_int("random_state", random_state, 0))


def as_array(name: str, values: npt.ArrayLike) -> npt.NDArray[Any]:
    """Return an array; objects become what numpy makes of their values."""
    try:
        array = np.asarray(values)
        # lists of Python numbers may arrive as objects, from a DataFrame for one
        return np.asarray(array.tolist()) if array.dtype.kind == "O" else array
    except (ValueError, TypeError, RuntimeError) as error:  # ragged lists, tensors without values
        raise InputError(f"{name} must be a regular array; {error}") from error


def one_dim(name: str, values: npt.ArrayLike) -> npt.NDArray[Any]:
    """Return an array of one axis, or raise an error that names it."""
    array = as_array(name, values)
    if array.ndim != 1:
        raise InputError(f"{name} must have shape (m,), got shape {array.shape}")
    return array
