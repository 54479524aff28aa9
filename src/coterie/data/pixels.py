"""Pillow images as arrays, whatever their mode."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from coterie._errors import InputError

BYTES, WIDE, FLOATS = 8, 16, 32  # bits of a value
_GREY = ("1", "L", "LA", "La", "I", "F")


def is_picture(value: object) -> bool:
    """Whether a value is a pillow image, judged by its attributes: pillow itself may be missing."""
    return all(hasattr(value, name) for name in ("mode", "convert", "resize", "getbands"))


def has_colour(image: Any) -> bool:
    """Whether a pillow image's mode has colours."""
    return not (image.mode in _GREY or image.mode.startswith("I;16"))


def depth_of(image: Any) -> int:
    """Bits of a pillow image's values: `BYTES`, `WIDE` or `FLOATS`."""
    return FLOATS if image.mode == "F" else WIDE if image.mode.startswith("I") else BYTES


def picture_array(
    image: Any, size: tuple[int, int] | None, colour: bool, depth: int
) -> npt.NDArray[np.uint8] | npt.NDArray[np.float32]:
    """A pillow image as an array.

    Parameters
    ----------
    image : PIL.Image.Image
        Of any mode; where it is transparent it becomes white.
    size : (height, width) or None
        Size to which it is resized; None leaves it.
    colour : bool
    depth : {8, 16, 32}
        8: bytes; 16: values from 0 to 255 with fractions; 32: floats as they are.

    Returns
    -------
    uint8 or float32 array of shape (h, w), or (3, h, w) in colour

    Raises
    ------
    InputError
        Pixels are not finite.
    """
    if depth_of(image) == BYTES:
        values = _bytes_of(image, size, colour)
        return values if depth == BYTES else values.astype(np.float32)
    image = _resized(_as_floats(image), size)
    grey = np.asarray(image, dtype=np.float32)
    grey = np.broadcast_to(grey, (3, *grey.shape)) if colour else grey
    return np.clip(np.rint(grey), 0, 255).astype(np.uint8) if depth == BYTES else np.array(grey)


def _bytes_of(image: Any, size: tuple[int, int] | None, colour: bool) -> npt.NDArray[np.uint8]:
    if "A" in image.mode.upper().replace("LAB", "") or "transparency" in image.info:
        image = _on_white(image.convert("RGBA"))
    values: npt.NDArray[np.uint8] = np.asarray(
        _resized(image.convert("RGB" if colour else "L"), size), dtype=np.uint8
    )
    return np.moveaxis(values, 2, 0) if colour else values


def _as_floats(image: Any) -> Any:
    """A grey image of more than 8 bits as one of floats; whole numbers of 16 bits from 0 to 255."""
    values = np.asarray(image, dtype=np.float64)
    if not np.isfinite(values).all():
        raise InputError("its pixels must be finite")
    if depth_of(image) == WIDE:
        values = values / 257
    floats = image.convert("L").convert("F")
    floats.frombytes(values.astype(np.float32).tobytes())
    return floats


def _resized(image: Any, size: tuple[int, int] | None) -> Any:
    return image if size is None or image.size == size[::-1] else image.resize(size[::-1])


def _on_white(image: Any) -> Any:
    """An RGBA image on a white ground."""
    white = image.copy()
    white.paste((255, 255, 255, 255), (0, 0, *image.size))
    white.alpha_composite(image)
    return white.convert("RGB")
