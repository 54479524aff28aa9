"""Width of a model that does not state it."""

from __future__ import annotations

from typing import Any

import numpy as np

from coterie.encoders.extras import need
from coterie.encoders.protocol import Sound

_PHOTOS = "'coterie[photos]'"


def width_of(encoder: Any) -> int:
    """Numbers in a vector, from that of a sample without content."""
    return int(encoder.embed([_sample(encoder.modality)]).shape[1])


def _sample(modality: str) -> Any:
    if modality == "text":
        return "a"
    if modality == "sound":
        return Sound(np.sin(np.arange(16_000) / 5).astype(np.float32), 16_000)
    return need("PIL.Image", _PHOTOS).new("RGB", (32, 32), "grey")
