"""Random views of sounds: spectrograms shifted in time, with bands of time and of frequency masked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator, Tensor

from coterie._checks import Range, check_number
from coterie._errors import InputError
from coterie.data.augment import uniform


@dataclass(frozen=True)
class SoundViews:
    """Random views of spectrograms, whose last axis is time and whose last but one is frequency.

    Each spectrogram is shifted in time, its ends repeated, and one band of frames and one of frequencies are
    set to its mean (Park et al., "SpecAugment", Interspeech 2019). Neither its pitch nor its direction
    changes.

    Parameters
    ----------
    shift : float in [0, 1)
        Largest shift to either side, as a share of the length.
    time_mask, frequency_mask : float in [0, 1)
        Largest width of the masked band, as a share of the length and of the frequencies.

    Raises
    ------
    InputError
        A strength is out of its range; or, when called, samples are no spectrograms.

    Examples
    --------
    >>> SoundViews()(torch.zeros(2, 40, 64), torch.Generator().manual_seed(0)).shape
    torch.Size([2, 40, 64])
    """

    by_rows: ClassVar[bool] = True

    shift: float = 0.15
    time_mask: float = 0.2
    frequency_mask: float = 0.2

    def __post_init__(self) -> None:
        for name in ("shift", "time_mask", "frequency_mask"):
            value = getattr(self, name)
            check_number(name, value, Range(0))
            if value >= 1:
                raise InputError(f"{name}={value} must be < 1")

    def __call__(self, x: Tensor, generator: Generator) -> Tensor:
        """Map spectrograms (b, f, t) or (b, c, f, t) to spectrograms of the same shape."""
        self.check_shape(tuple(x.shape[1:]))
        draws = uniform((5, len(x)), 1, x, generator)
        moved = _shifted(x, (draws[0] * 2 - 1) * self.shift)
        masked = _band(moved.shape[-1], draws[1] * self.time_mask, draws[2])[:, None, :]
        masked = masked | _band(moved.shape[-2], draws[3] * self.frequency_mask, draws[4])[:, :, None]
        masked = masked if x.dim() == 3 else masked.unsqueeze(1)
        mean = moved.mean(dim=tuple(range(1, x.dim())), keepdim=True)
        return torch.where(masked, mean, moved)

    def check_shape(self, sample_shape: Sequence[int]) -> None:
        """Raise where samples of this shape are no spectrograms."""
        if len(sample_shape) not in (2, 3):
            raise InputError(
                "augment='sounds' must be used with spectrograms (frequencies, frames), got samples of "
                f"shape {tuple(sample_shape)}"
            )


def _shifted(x: Tensor, shares: Tensor) -> Tensor:
    """Each sample moved along its last axis by a share of its length; the ends are repeated."""
    length = x.shape[-1]
    frames = torch.arange(length, device=x.device)
    places = (frames - (shares * length).round().long()[:, None]).clamp(0, length - 1)
    places = places.view(len(x), *[1] * (x.dim() - 2), length)
    return x.gather(-1, places.expand_as(x))


def _band(length: int, widths: Tensor, starts: Tensor) -> Tensor:
    """One band of each sample along an axis, (b, length): widths are shares of it, starts of the rest."""
    places = (torch.arange(length, device=widths.device) + 0.5) / length
    first = (starts * (1 - widths))[:, None]
    return (places >= first) & (places < first + widths[:, None])
