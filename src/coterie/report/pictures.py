"""Samples as small pictures within a page, and figures too: nothing a page would have to ask for."""

from __future__ import annotations

import base64
import io
import re
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from PIL import Image

# matplotlib itself needs pillow, so that it is there without the extra
SIDE = 56


def is_pictorial(sample_shape: tuple[int, ...]) -> bool:
    """Whether samples of this shape can be shown: (h, w), or (c, h, w) with 1 or 3 channels."""
    return len(sample_shape) == 2 or (len(sample_shape) == 3 and sample_shape[0] in (1, 3))


def value_range(samples: npt.NDArray[Any]) -> tuple[float, float]:
    """The values of black and white: of bytes their range, else nearly the extremes."""
    if samples.dtype == np.uint8:
        return 0.0, 255.0
    low, high = np.quantile(samples.astype(np.float64), [0.005, 0.995])
    return float(low), float(max(high, low + 1e-12))


def item_picture(sample: npt.NDArray[Any], limits: tuple[float, float], side: int = SIDE) -> str:
    """One sample as a data address.

    Parameters
    ----------
    sample : array of shape (h, w) or (c, h, w)
    limits : (float, float)
        Values of black and white.
    side : int, default=56
        Larger pictures are made to fit; smaller ones stay as they are.

    Returns
    -------
    str
        A PNG if grey, a JPEG, which is smaller, in colour.

    Examples
    --------
    >>> item_picture(np.zeros((8, 8), dtype=np.uint8), (0, 255))[:22]
    'data:image/png;base64,'
    """
    low, high = limits
    scaled = np.clip((np.asarray(sample, dtype=np.float64) - low) / (high - low), 0, 1)
    values = np.rint(scaled * 255).astype(np.uint8)
    if values.ndim == 3:
        values = np.moveaxis(values, 0, 2) if values.shape[0] == 3 else values[0]
    image = Image.fromarray(values)
    image.thumbnail((side, side))
    buffer = io.BytesIO()
    grey = values.ndim == 2
    image.save(buffer, "PNG" if grey else "JPEG", optimize=True, **({} if grey else {"quality": 85}))
    return _data_address(buffer, "png" if grey else "jpeg")


def figure_png(figure: Figure) -> str:
    """A figure of many points as a data address."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return _data_address(buffer, "png")


def figure_svg(figure: Figure) -> str:
    """A figure of a few lines as an svg element, the same for the same figure."""
    buffer = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "coterie"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    return re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL).strip()


def _data_address(buffer: io.BytesIO, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"
