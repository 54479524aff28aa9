"""Log-mel spectrograms, as librosa defines them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from coterie._checks import check_int
from coterie._errors import InputError, InputTypeError

Floats = npt.NDArray[np.float64]

# Slaney's scale (Auditory Toolbox, 1998): linear below 1 kHz, logarithmic above
_LINEAR_STEP = 200 / 3
_BREAK_HZ = 1000.0
_BREAK_MEL = _BREAK_HZ / _LINEAR_STEP
_LOG_STEP = np.log(6.4) / 27

# power_to_db's: the smallest power that counts, and the range kept below the loudest point
_SMALLEST_POWER = 1e-10
_RANGE_DB = 80.0


def hz_to_mel(hz: npt.ArrayLike) -> Floats:
    """Frequencies on Slaney's mel scale.

    Parameters
    ----------
    hz : array-like
        At least 0.

    Returns
    -------
    float64 array of the same shape

    Examples
    --------
    >>> hz_to_mel([0.0, 1000.0, 6400.0]).round(6).tolist()
    [0.0, 15.0, 42.0]
    """
    hertz = np.asarray(hz, dtype=np.float64)
    above = _BREAK_MEL + np.log(np.maximum(hertz, _BREAK_HZ) / _BREAK_HZ) / _LOG_STEP
    return np.where(hertz < _BREAK_HZ, hertz / _LINEAR_STEP, above)


def mel_to_hz(mel: npt.ArrayLike) -> Floats:
    """Frequencies of Slaney's mels: the inverse of `hz_to_mel`.

    Examples
    --------
    >>> mel_to_hz([0.0, 15.0, 42.0]).round(6).tolist()
    [0.0, 1000.0, 6400.0]
    """
    mels = np.asarray(mel, dtype=np.float64)
    above = _BREAK_HZ * np.exp(_LOG_STEP * (np.maximum(mels, _BREAK_MEL) - _BREAK_MEL))
    return np.where(mels < _BREAK_MEL, mels * _LINEAR_STEP, above)


def mel_matrix(rate: int, n_fft: int, n_mels: int) -> Floats:
    """Triangular filters, each of unit area, at equal distances in mel from 0 to half the rate.

    Parameters
    ----------
    rate : int
        Samples a second.
    n_fft : int
    n_mels : int

    Returns
    -------
    float64 array of shape (n_mels, n_fft // 2 + 1), at least 0
        What ``librosa.filters.mel`` gives with its defaults (Slaney's scale and norm).

    Examples
    --------
    >>> mel_matrix(16000, 512, 40).shape
    (40, 257)
    """
    check_int("rate", rate, 1)
    check_int("n_fft", n_fft, 2)
    check_int("n_mels", n_mels, 1)
    bins = np.arange(n_fft // 2 + 1) * rate / n_fft
    corners = mel_to_hz(np.linspace(0, float(hz_to_mel(rate / 2)), n_mels + 2))
    width = np.diff(corners)
    rising = (bins - corners[:-2, None]) / width[:-1, None]
    falling = (corners[2:, None] - bins) / width[1:, None]
    filters = np.maximum(0, np.minimum(rising, falling))
    return np.asarray(filters * (2 / (corners[2:] - corners[:-2]))[:, None])


def log_mel(waves: Tensor, rate: int, *, n_fft: int = 512, hop: int = 256, n_mels: int = 40) -> Tensor:
    """Mel spectrograms in decibels.

    Power of a short-time Fourier transform (periodic Hann window, centred frames, silence beyond the ends),
    through `mel_matrix`, as ``10 log10``; powers below 1e-10 count as 1e-10, and what is more than 80 dB
    below the loudest point of the same sound is raised to that. This is librosa's
    ``power_to_db(feature.melspectrogram(...))``.

    Parameters
    ----------
    waves : tensor of shape (t,) or (b, t), float32 or float64
    rate : int
        Samples a second.
    n_fft, hop, n_mels : int

    Returns
    -------
    tensor of shape (n_mels, t // hop + 1), or (b, n_mels, t // hop + 1), of the type of `waves`

    Raises
    ------
    InputError, InputTypeError
        `waves` is empty, of another shape, or not of real floats.

    Examples
    --------
    >>> log_mel(torch.sin(torch.arange(16000) / 5), 16000).shape
    torch.Size([40, 63])
    """
    power = mel_power(waves, rate, n_fft=n_fft, hop=hop, n_mels=n_mels)
    decibels = 10 * torch.log10(power.clamp_min(_SMALLEST_POWER))
    return torch.maximum(decibels, decibels.amax(dim=(-2, -1), keepdim=True) - _RANGE_DB)


def mel_power(waves: Tensor, rate: int, *, n_fft: int = 512, hop: int = 256, n_mels: int = 40) -> Tensor:
    """Mel spectrograms of power, as librosa's ``feature.melspectrogram``: see `log_mel`.

    Parameters
    ----------
    waves : tensor of shape (t,) or (b, t), float32 or float64
    rate : int
        Samples a second.
    n_fft, hop, n_mels : int

    Returns
    -------
    tensor of shape (n_mels, t // hop + 1), or (b, n_mels, t // hop + 1), of the type of `waves`, at least 0

    Raises
    ------
    InputError, InputTypeError
        `waves` is empty, of another shape, or not of real floats.

    Examples
    --------
    >>> mel_power(torch.zeros(16000), 16000, n_fft=400, hop=160).shape
    torch.Size([40, 101])
    """
    if waves.dtype not in (torch.float32, torch.float64):
        raise InputTypeError(f"waves must be float32 or float64, got {waves.dtype}")
    if waves.dim() not in (1, 2) or waves.numel() == 0:
        raise InputError(f"waves must have shape (t,) or (b, t), got shape {tuple(waves.shape)}")
    check_int("hop", hop, 1)
    filters = torch.from_numpy(mel_matrix(rate, n_fft, n_mels)).to(waves)
    window = torch.hann_window(n_fft, dtype=waves.dtype, device=waves.device)
    spectrum = torch.stft(
        waves, n_fft, hop, window=window, center=True, pad_mode="constant", return_complex=True
    )
    return filters @ (spectrum.real**2 + spectrum.imag**2)
