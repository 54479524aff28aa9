"""How samples of each kind are shown: as pictures, or as values where a kind has no renderer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from coterie._errors import InputError
from coterie.data.items import IMAGE, SOUND, Items
from coterie.data.readers.sounds import spectrogram
from coterie.encoders.opening import open_item, text_of
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
    """Samples as data addresses of pictures; None if their values are shown instead.

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


class Shown(NamedTuple):
    """A sample as a page shows it: a picture, or else a text.

    Attributes
    ----------
    picture : str
        The picture as a `data:` URL, or an empty string for a sample without a picture.
    text : str
    """

    picture: str = ""
    text: str = ""


# characters of a text that a page shows
MOST_TEXT = 400


def shown_items(items: Items, rows: Iterable[int], side: int = SIDE) -> list[Shown]:
    """Some files or texts as they are to be seen.

    Parameters
    ----------
    items : Items
    rows : iterable of int
    side : int, default=56
        Largest side of a picture in pixels.

    Examples
    --------
    >>> shown_items(Items(["a cat"], "text"), [0])
    [Shown(picture='', text='a cat')]
    """
    return [_shown(items, int(row), side) for row in rows]


def _shown(items: Items, row: int, side: int) -> Shown:
    """One of them; what cannot be read any more is named."""
    item = items.values[row]
    try:
        if items.modality == IMAGE:
            pixels = np.moveaxis(np.asarray(open_item(item, IMAGE)), 2, 0)
            return Shown(item_picture(pixels, (0, 255), side))
        if items.modality == SOUND:
            sound = open_item(item, SOUND)
            values = spectrogram(sound.samples, sound.rate)[::-1]
            return Shown(item_picture(values, value_range(values), side))
        text = " ".join(text_of(item).split())
    except (InputError, OSError) as error:
        return Shown(text=f"(cannot be read: {error})")
    return Shown(text=text if len(text) <= MOST_TEXT else f"{text[:MOST_TEXT]} ...")
