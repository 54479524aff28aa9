"""Sound as log-mel spectrograms: torch.stft and a matrix of mel filters."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch

from coterie._checks import check_int, check_number
from coterie._errors import InputError

# Slaney's scale: linear below 1,000 Hz with 200/3 Hz a mel, above it 27 mels for a factor of 6.4
_LINEAR_STEP = 200.0 / 3
_BORDER_HZ = 1000.0
_LOG_STEP = math.log(6.4) / 27
_LEAST_POWER = 1e-10


def log_mel(
    waves: npt.ArrayLike,
    sampling_rate: float,
    *,
    n_mels: int = 128,
    window: int = 1024,
    hop: int = 160,
    decibels: float = 80.0,
) -> npt.NDArray[np.float32]:
    """Log-mel spectrograms of waves of equal length.

    Parameters
    ----------
    waves : array-like of shape (n, samples)
        Numbers of any scale.
    sampling_rate : float
        Samples a second.
    n_mels : int, default=128
        Mel bands from 0 Hz to half the sampling rate.
    window, hop : int, default=1024, 160
        Samples of a Hann window, and between the starts of two; the waves are padded by reflection.
    decibels : float, default=80.0
        Power below the loudest of each wave by more than this is cut off.

    Returns
    -------
    float32 array of shape (n, n_mels, 1 + samples // hop)
        Decibels above the cut, divided by `decibels`: in [0, 1].

    Raises
    ------
    InputError, InputTypeError
        The waves are not finite or shorter than half a window, or a number is out of its range.

    Examples
    --------
    >>> second = np.arange(16_000) / 16_000
    >>> image = log_mel([np.sin(2 * np.pi * 1000 * second)], 16_000, n_mels=40)
    >>> image.shape, int(image[0, :, 50].argmax())
    ((1, 40, 101), 13)
    """
    rate = check_number("sampling_rate", sampling_rate, positive=True)
    check_int("n_mels", n_mels, low=1)
    check_int("window", window, low=2)
    check_int("hop", hop, low=1)
    limit = check_number("decibels", decibels, positive=True)
    values = np.asarray(waves, dtype=np.float32)
    if values.ndim != 2 or values.shape[1] <= window // 2:
        raise InputError(
            f"waves: shape {values.shape}; (n, samples) with more than window // 2 = {window // 2} samples "
            "is expected"
        )
    if not np.isfinite(values).all():
        raise InputError("waves: NaN or infinity; finite values are expected")
    spectrum = torch.stft(
        torch.from_numpy(values),
        window,
        hop,
        window=torch.hann_window(window),
        return_complex=True,
        pad_mode="reflect",
    )
    filters = torch.from_numpy(mel_filters(rate, window, n_mels))
    power = 10 * (filters @ spectrum.abs().square()).clamp_min(_LEAST_POWER).log10()
    above = power - power.amax(dim=(1, 2), keepdim=True) + limit
    found: npt.NDArray[np.float32] = (above.clamp_min(0) / limit).numpy()
    return found


def mel_filters(sampling_rate: float, window: int, n_mels: int) -> npt.NDArray[np.float32]:
    """Triangular filters of equal area on Slaney's mel scale, over the bins of a spectrum.

    Parameters
    ----------
    sampling_rate : float
    window : int
    n_mels : int

    Returns
    -------
    float32 array of shape (n_mels, 1 + window // 2)

    Examples
    --------
    >>> mel_filters(16_000, 512, 40).shape
    (40, 257)
    """
    bins = np.linspace(0, sampling_rate / 2, 1 + window // 2)
    edges = mel_frequencies(n_mels + 2, sampling_rate / 2)
    below, centre, above = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (bins - below) / (centre - below), (above - bins) / (above - centre)
    triangles = np.maximum(0, np.minimum(rising, falling))
    return (triangles * 2 / (above - below)).astype(np.float32)


def mel_frequencies(n: int, highest: float) -> npt.NDArray[np.float64]:
    """n frequencies from 0 Hz to the highest one, evenly spaced on Slaney's mel scale.

    Examples
    --------
    >>> mel_frequencies(40, 11_025.0)[[1, 11, 12, 38]].round(3).tolist()
    [85.317, 938.49, 1024.856, 10096.408]
    """
    border = _BORDER_HZ / _LINEAR_STEP
    top = highest / _LINEAR_STEP
    if highest > _BORDER_HZ:
        top = border + math.log(highest / _BORDER_HZ) / _LOG_STEP
    mels = np.linspace(0, top, n)
    return np.where(
        mels < border,
        mels * _LINEAR_STEP,
        _BORDER_HZ * np.exp(_LOG_STEP * (np.maximum(mels, border) - border)),
    )
