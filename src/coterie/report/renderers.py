"""How samples of each kind are shown: as pictures, or as values where a kind has no renderer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy.typing as npt

from coterie.report.pictures import SIDE, is_pictorial, item_picture, value_range

Array = npt.NDArray[Any]
# maps samples (m, ...) and the side of a picture to m data addresses; None where it cannot show this shape
Renderer = Callable[[Array, int], list[str] | None]


def _show_images(values: Array, side: int) -> list[str] | None:
    if not is_pictorial(values.shape[1:]):
        return None
    limits = value_range(values)
    return [item_picture(value, limits, side) for value in values]


def _show_sounds(values: Array, side: int) -> list[str] | None:
    """Spectrograms with low frequencies below, as usual."""
    return _show_images(values[..., ::-1, :], side) if values.ndim > 2 else None


_RENDERERS: dict[str, Renderer] = {"image": _show_images, "sound": _show_sounds}


def register_renderer(modality: str, renderer: Renderer) -> None:
    """Let reports and label pages show samples of a modality by a function."""
    _RENDERERS[modality] = renderer


def pictures_of(modality: str, values: Array, side: int = SIDE) -> list[str] | None:
    """Samples as data addresses of pictures; None where their values are to be shown.

    Parameters
    ----------
    modality : str
    values : array of shape (m, ...)
    side : int, default=56
        Largest side of a picture in pixels.

    Examples
    --------
    >>> import numpy as np
    >>> pictures_of("table", np.zeros((2, 3))) is None
    True
    """
    show = _RENDERERS.get(modality)
    return None if show is None else show(values, side)
