"""Pictures as arrays of one size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

# Pillow's number of bicubic interpolation, with which most encoders were trained
BICUBIC = 3


def pixels(batch: Sequence[Any], side: int) -> npt.NDArray[np.float32]:
    """RGB pictures resized to squares: float32 of shape (n, side, side, 3), in [0, 255].

    The whole picture is kept: its shape changes, but nothing at its edges is lost.
    """
    resized = [picture.convert("RGB").resize((side, side), BICUBIC) for picture in batch]
    return np.stack([np.asarray(picture, dtype=np.float32) for picture in resized])
