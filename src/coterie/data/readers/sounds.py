"""A folder of sounds as one array of log-mel pictures of one length."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from coterie._errors import InputError, ReadingNote
from coterie.data.audio import log_mel
from coterie.data.file_rows import read_rows
from coterie.data.readers.options import Broken, ReadOptions, Samples

SUFFIXES = (".aif", ".aiff", ".au", ".flac", ".mp3", ".ogg", ".opus", ".wav")
N_MELS = 40
WINDOW_SECONDS = 0.032
# more frames than this are averaged in blocks, so that a small network suffices
MOST_FRAMES = 64
MOST_STEPS = 20_000


def read_sounds(folder: Path, files: Sequence[Path], options: ReadOptions) -> Samples:
    """Read sounds as log-mel spectrograms of one length.

    Channels are averaged. Sounds of several rates are resampled to the lowest; all are cut at both ends, or
    filled up with silence, to the median length. Spectrograms of more than 64 frames are averaged over blocks
    of neighbouring frames.

    Parameters
    ----------
    folder : Path
    files : sequence of Path
        Sounds in it, at least one.
    options : ReadOptions

    Returns
    -------
    Samples
        Samples (n, 40, frames), float32, in decibels. The ids are the paths in the folder.

    Raises
    ------
    InputError
        Files are broken and may not be skipped, or rates or lengths differ and `strict` was asked for.
    """
    soundfile = _soundfile()
    broken = Broken()
    names = broken.named(folder, files)
    headers: dict[str, tuple[int, int]] = {}
    for name, file in names.items():
        with broken.noting(name, soundfile.LibsndfileError):
            found = soundfile.info(str(file))
            headers[name] = (found.samplerate, found.frames)
    broken.check(folder, len(files), options.skip_broken)
    rate, length = _common_form(folder, list(headers.values()), options)
    decode = DecodeSound(rate, length)
    rows, kept = read_rows(folder, list(headers), decode, broken.noting, options.skip_broken)
    broken.check(folder, len(files), options.skip_broken)
    broken.warn(folder, len(files))
    how = {"rate": rate, "length": length}
    return Samples(rows, tuple(kept), how, tuple(broken.reasons), "sound")


@dataclass(frozen=True)
class DecodeSound:
    """Decodes a sound file to a log-mel picture of one length.

    Attributes
    ----------
    rate, length : int
        Samples a second, and samples.
    """

    rate: int
    length: int

    def __call__(self, path: Path) -> npt.NDArray[np.float32]:
        samples, own = read_sound(path)
        return spectrogram(_fit(resampled(samples, own, self.rate), self.length), self.rate)


def read_sound(file: Path) -> tuple[npt.NDArray[np.float32], int]:
    """The samples of a file, channels averaged, and their number a second.

    Raises
    ------
    InputError
        It is no sound, or its samples are not finite.
    """
    soundfile = _soundfile()
    try:
        samples, rate = soundfile.read(str(file), dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise InputError(str(error)) from error
    if not np.isfinite(samples).all():
        raise InputError("its samples must be finite")
    return samples.mean(axis=1), int(rate)


def _soundfile() -> Any:
    try:
        import soundfile
    except ImportError as error:
        raise ImportError(
            "sound files need soundfile, which is not installed: pip install '.[audio]'"
        ) from error
    return soundfile


def _common_form(folder: Path, headers: Sequence[tuple[int, int]], options: ReadOptions) -> tuple[int, int]:
    """Rate and number of samples of all sounds; says where they have to be changed."""
    like = options.like or {}
    rate = int(like.get("rate", min(own for own, _ in headers)))
    lengths = [round(count * rate / own) for own, count in headers]
    length = int(like.get("length", max(1, round(float(np.median(lengths))))))
    changed = sum(own != rate or count != length for own, count in headers)
    if not changed or like:
        return rate, length
    said = _differences(headers, rate, length)
    if options.strict:
        raise InputError(f"{folder}: all sounds must be alike with --strict, but {said}")
    warnings.warn(f"{folder}: {said}", ReadingNote, stacklevel=4)
    return rate, length


def _differences(headers: Sequence[tuple[int, int]], rate: int, length: int) -> str:
    """How sounds differ in length and rate, and what is done about it."""
    seconds = [count / own for own, count in headers]
    rates = {own for own, _ in headers}
    said = []
    if min(seconds) < max(seconds) or min(seconds) * rate != length:
        said.append(
            f"sounds last {min(seconds):.3g} to {max(seconds):.3g} s; each is cut at both ends, or filled up "
            f"with silence, to the median of {length / rate:.3g} s"
        )
    if len(rates) > 1:
        said.append(f"rates of {min(rates)} to {max(rates)} Hz become {rate} Hz")
    return "; ".join(said)


def resampled(samples: npt.NDArray[np.float32], own: int, rate: int) -> npt.NDArray[np.float32]:
    """Samples at another rate, float32."""
    if not np.isfinite(samples).all():
        raise InputError("its samples must be finite")
    if own == rate or not len(samples):
        return samples
    from scipy.signal import resample_poly  # a tenth of a second, which no other kind of data needs

    up, down = _resampling_factors(own, rate)
    return np.asarray(resample_poly(samples, up, down), dtype=np.float32)


def _resampling_factors(own: int, rate: int) -> tuple[int, int]:
    """Factors of nearly the ratio of two rates, of at most `MOST_STEPS`: a filter is as long as they are.

    >>> _resampling_factors(44100, 8000), _resampling_factors(2_000_000_011, 8000)
    ((80, 441), (1, 250000))
    """
    low, high = min(own, rate), max(own, rate)
    ratio = Fraction(high, low).limit_denominator(max(1, MOST_STEPS * low // high))
    large, small = ratio.numerator, ratio.denominator
    return (small, large) if own > rate else (large, small)


def _fit(samples: npt.NDArray[np.float32], length: int) -> npt.NDArray[np.float32]:
    """The middle of a longer sound; a shorter one between silence."""
    spare = length - len(samples)
    if spare < 0:
        return samples[-spare // 2 :][:length]
    return np.pad(samples, (spare // 2, spare - spare // 2))


def spectrogram(samples: npt.NDArray[np.float32], rate: int) -> npt.NDArray[np.float32]:
    """Log-mel spectrogram of one sound, of at most `MOST_FRAMES` frames."""
    n_fft = 2 ** max(6, round(math.log2(rate * WINDOW_SECONDS)))
    frames = log_mel(torch.from_numpy(samples), rate, n_fft=n_fft, hop=n_fft // 2, n_mels=N_MELS)
    block = -(-frames.shape[1] // MOST_FRAMES)
    whole = frames[:, : frames.shape[1] // block * block]
    return whole.reshape(N_MELS, -1, block).mean(dim=2).numpy()
