"""What is scored, as arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from coterie._errors import InputError


def as_labels(name: str, labels: npt.ArrayLike) -> npt.NDArray[Any]:
    """Labels as an array, or an error that names them: of ragged lists, or of tensors without values."""
    try:
        return np.asarray(labels)
    except (ValueError, TypeError, RuntimeError) as error:
        raise InputError(f"{name} must be a regular array; {error}") from error
