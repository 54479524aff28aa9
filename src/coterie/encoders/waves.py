"""Sounds at another rate."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from coterie.encoders.protocol import Sound


def at_rate(sound: Sound, rate: int) -> npt.NDArray[np.float32]:
    """The samples of a sound at a rate, float32 of shape (t,).

    >>> at_rate(Sound(np.zeros(8000, np.float32), 8000), 16000).shape
    (16000,)
    """
    from coterie.data.readers.sounds import resampled

    return resampled(sound.samples, sound.rate, rate)
