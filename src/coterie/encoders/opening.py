"""Items as encoders take them: pictures upright in RGB, sounds of one channel, texts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from coterie._errors import InputError
from coterie.data.items import IMAGE, TEXT, Item
from coterie.encoders.extras import need
from coterie.encoders.protocol import Sound

# a much larger JPEG is unpacked at a fraction of its size, no smaller than this
LARGEST_SIDE = 512
# bytes of one text in a file: more is no text that somebody wants clustered
MOST_TEXT = 10 * 2**20


def open_item(item: Item, modality: str) -> Any:
    """One sample as encoders of its modality take it.

    Raises
    ------
    InputError
        It cannot be read, or is empty.
    ImportError
        A package is missing.
    """
    if modality == IMAGE:
        return _picture(item)
    return _text(item) if modality == TEXT else _sound(item)


def text_of(item: Item) -> str:
    """A text, or that of a file in UTF-8."""
    if not isinstance(item, Path):
        return str(item)
    try:
        if item.stat().st_size > MOST_TEXT:
            raise InputError(f"it holds more than {MOST_TEXT // 2**20} MiB")
        return item.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"it is not UTF-8 ({error.reason} at byte {error.start})") from error
    except OSError as error:
        raise InputError(error.strerror or str(error)) from error


def _text(item: Item) -> str:
    found = text_of(item)
    if not found.strip():
        raise InputError("the text is empty")
    return found


def _picture(item: Item) -> Any:
    from coterie.data.readers.images import opened, upright

    if not isinstance(item, Path):
        values = np.asarray(item)
        shown = values if values.ndim == 2 else np.moveaxis(values, 0, 2)
        return need("PIL.Image", "'coterie[photos]'").fromarray(np.ascontiguousarray(shown)).convert("RGB")
    with opened(item) as image:
        return _rgb(upright(image, (LARGEST_SIDE // 2, LARGEST_SIDE // 2)))


def _rgb(image: Any) -> Any:
    """A picture of any mode in RGB; what is transparent becomes white."""
    from coterie.data.pixels import BYTES, picture_array

    if image.mode == "RGB":
        image.load()
        return image
    values = picture_array(image, None, True, BYTES)
    return need("PIL.Image", "'coterie[photos]'").fromarray(np.ascontiguousarray(np.moveaxis(values, 0, 2)))


def _sound(item: Item) -> Sound:
    from coterie.data.readers.sounds import read_sound

    samples, rate = read_sound(Path(str(item)))
    if not len(samples):
        raise InputError("the sound is empty")
    return Sound(samples, rate)
