"""Pillow images as arrays, whatever their mode."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from coterie._errors import InputError

_GREY = ("1", "L", "LA", "La", "I", "F")


def is_picture(value: object) -> bool:
    """Whether a value is a pillow image, told by what it can do: pillow itself may be missing."""
    return all(hasattr(value, name) for name in ("mode", "convert", "resize", "getbands"))


def has_colour(image: Any) -> bool:
    """Whether a pillow image's mode has colours."""
    return not (image.mode in _GREY or image.mode.startswith("I;16"))


def picture_array(image: Any, size: tuple[int, int] | None, colour: bool) -> npt.NDArray[np.uint8]:
    """A pillow image as bytes.

    Parameters
    ----------
    image : PIL.Image.Image
        Of any mode; where it is transparent it becomes white.
    size : (height, width) or None
        Size to which it is resized; None leaves it.
    colour : bool

    Returns
    -------
    uint8 array of shape (h, w), or (3, h, w) in colour
    """
    if image.mode.startswith("I") or image.mode == "F":
        grey = _bytes_of_wide(image)
        image = image.convert("L")
        image.frombytes(grey.tobytes())
    if "A" in image.mode.upper().replace("LAB", "") or "transparency" in image.info:
        image = _on_white(image.convert("RGBA"))
    image = image.convert("RGB" if colour else "L")
    if size is not None and image.size != size[::-1]:
        image = image.resize(size[::-1])
    values: npt.NDArray[np.uint8] = np.asarray(image, dtype=np.uint8)
    return np.moveaxis(values, 2, 0) if colour else values


def _bytes_of_wide(image: Any) -> npt.NDArray[np.uint8]:
    """Grey values of 16 or 32 bits and floats as bytes, by the range that their values need."""
    values = np.asarray(image, dtype=np.float64)
    if not np.isfinite(values).all():
        raise InputError("its pixels are not finite")
    largest = values.max(initial=0)
    if image.mode == "F" and largest <= 1:
        values = values * 255
    elif image.mode.startswith("I;16") or largest > 255:
        values = values / 257
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _on_white(image: Any) -> Any:
    """An RGBA image on a white ground."""
    white = image.copy()
    white.paste((255, 255, 255, 255), (0, 0, *image.size))
    white.alpha_composite(image)
    return white.convert("RGB")
