"""What all figures share: where they are drawn, and numbers that can be drawn."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from coterie._errors import InputError


def axes_or_new(ax: Axes | None) -> Axes:
    """The axes given, or those of a new figure."""
    if ax is not None:
        return ax
    made: Axes = plt.subplots(layout="constrained")[1]
    return made


def finite(name: str, values: ArrayLike, ndim: int) -> npt.NDArray[Any]:
    """Values as an array, or an error where they are not finite numbers of so many axes."""
    array = np.asarray(values)
    if array.ndim != ndim or array.size == 0:
        raise InputError(f"{name} must have {ndim} axes and at least one value, got shape {array.shape}")
    if array.dtype.kind not in "biuf" or not np.isfinite(array).all():
        raise InputError(f"{name} must be finite, got NaN or infinity")
    return array
