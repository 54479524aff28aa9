"""Random views of images with colour: crop, flip and rotation in one resampling, colours in one product."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

import torch
from torch import Generator, Tensor

from coterie._checks import Range, check_number
from coterie._errors import InputError
from coterie._joint import value_range
from coterie.data.augment import normal, uniform, warp

# Luma of ITU-R BT.601, and its YIQ colour axes, whose rotation changes the hue alone.
_LUMA = (0.299, 0.587, 0.114)
_YIQ = (_LUMA, (0.596, -0.274, -0.322), (0.211, -0.523, 0.312))


@dataclass(frozen=True)
class ImageViews:
    """Random views of images: cropped, mirrored, turned, recoloured and noisy, each image by its own draws.

    Strengths of brightness and noise are shares of the batch's range of values, and views are clipped to
    that range, so that they mean the same however the images are scaled.

    Parameters
    ----------
    crop : float in [0, 1)
        Largest share of the sides that is cut off; the rest, from anywhere, is resized to the full size.
    flip : bool
        Mirror every second image on average.
    degrees : float >= 0
        Largest rotation to either side.
    brightness : float >= 0
        Largest change of all values, as a share of the batch's range.
    contrast, saturation : (low, high) with 0 <= low <= high
        Range of factors of the distance from the image's mean, and from its grey.
    hue : float >= 0
        Largest turn of the colours to either side, as a share of the full circle: a rotation in YIQ space.
    noise : float >= 0
        Standard deviation, as a share of the batch's range.

    Raises
    ------
    InputError
        A strength is out of its range; or, when called, colours are asked of images that have not three
        channels.

    Examples
    --------
    >>> images = torch.rand(2, 3, 32, 32)
    >>> ImageViews(crop=0.2, flip=True, hue=0.1)(images, torch.Generator().manual_seed(0)).shape
    torch.Size([2, 3, 32, 32])
    """

    by_rows: ClassVar[bool] = True

    crop: float = 0.0
    flip: bool = False
    degrees: float = 0.0
    brightness: float = 0.0
    contrast: tuple[float, float] = (1.0, 1.0)
    saturation: tuple[float, float] = (1.0, 1.0)
    hue: float = 0.0
    noise: float = 0.0

    def __post_init__(self) -> None:
        for name in ("crop", "degrees", "brightness", "hue", "noise"):
            check_number(name, getattr(self, name), Range(0))
        if self.crop >= 1:
            raise InputError(f"crop must be below 1, got {self.crop}")
        for name in ("contrast", "saturation"):
            low, high = getattr(self, name)
            if not 0 <= low <= high < math.inf:
                raise InputError(f"{name} must be (low, high) with 0 <= low <= high, got {(low, high)}")

    @property
    def needs_colour(self) -> bool:
        """Whether images must have three channels."""
        return self.hue > 0 or self.saturation != (1.0, 1.0)

    def __call__(self, x: Tensor, generator: Generator) -> Tensor:
        """Map images (b, c, h, w) or (b, h, w) to images of the same shape."""
        self.check_shape(tuple(x.shape[1:]))
        low, high = value_range(x)
        moves = bool(self.crop or self.flip or self.degrees)
        views = warp(x, self._matrices(x, generator)) if moves else x.clone()
        shape = views.shape
        pixels = views.view(len(x), -1, shape[-2] * shape[-1])
        pixels = self._recoloured(pixels, high - low, generator)
        if self.noise:
            noise = normal(pixels.shape, 0, x, generator)
            pixels = pixels.add_(noise.mul_(self.noise * (high - low)))
        return pixels.clamp_(low, high).view(shape)

    def check_shape(self, sample_shape: Sequence[int]) -> None:
        """Raise where samples of this shape are no images, or lack the colours that the views change."""
        if len(sample_shape) not in (2, 3):
            raise InputError(
                f"augment needs images of shape (h, w) or (c, h, w), got shape {tuple(sample_shape)}"
            )
        channels = sample_shape[0] if len(sample_shape) == 3 else 1
        if self.needs_colour and channels != 3:
            raise InputError(
                f"augment needs images of 3 channels to change hue and saturation, got {channels}; "
                "'digits' accepts any number of channels"
            )

    def _matrices(self, x: Tensor, generator: Generator) -> Tensor:
        """Crop, mirror and rotation of each image as one matrix for `warp`, shape (b, 2, 3)."""
        n, tall = len(x), x.shape[-2] / x.shape[-1]  # a rotation is rigid in pixels, not in [-1, 1]
        draws = uniform((5, n), 1, x, generator)
        size = 1 - self.crop * draws[0]
        angle = (draws[1] * 2 - 1) * math.radians(self.degrees)
        shift = (draws[2:4] * 2 - 1) * (1 - size)
        side = 1 - 2 * (draws[4] < 0.5).to(x.dtype) if self.flip else torch.ones_like(size)
        across, down = size * angle.cos(), size * angle.sin()
        rows = [
            torch.stack([across * side, -down * tall, shift[0]], 1),
            torch.stack([down / tall * side, across, shift[1]], 1),
        ]
        return torch.stack(rows, 1)

    def _recoloured(self, pixels: Tensor, span: Tensor, generator: Generator) -> Tensor:
        """Brightness, contrast, saturation and hue of pixels (b, c, h w) as one affine map of channels."""
        if not (self.brightness or self.needs_colour or self.contrast != (1.0, 1.0)):
            return pixels
        n = len(pixels)
        draws = uniform((4, n, 1), 1, pixels, generator)
        factor = _between(self.contrast, draws[0])
        added = (draws[1] * 2 - 1) * (self.brightness * span)
        if not self.needs_colour:
            mean = pixels.mean(dim=2) if self.contrast != (1.0, 1.0) else torch.zeros_like(factor)
            return pixels.mul_(factor[:, :, None]).add_((mean * (1 - factor) + added)[:, :, None])
        mixing = self._mixing(draws[2:, :, 0])
        mean = (mixing @ pixels.mean(dim=2, keepdim=True)).squeeze(2)
        offset = mean * (1 - factor) + added
        return torch.baddbmm(offset[:, :, None], mixing * factor[:, :, None], pixels)

    def _mixing(self, draws: Tensor) -> Tensor:
        """Saturation and hue as matrices of the three channels: draws (2, b) in [0, 1] -> (b, 3, 3)."""
        axes, inverse = _colour_axes(draws.device, draws.dtype)
        factor = _between(self.saturation, draws[0])
        angle = (draws[1] * 2 - 1) * (2 * math.pi * self.hue)
        # in YIQ, saturation scales the plane of the two colour axes and hue turns it
        cos, sin, still = factor * angle.cos(), factor * angle.sin(), torch.zeros_like(angle)
        turned = torch.stack([still + 1, still, still, still, cos, -sin, still, sin, cos], 1)
        return inverse @ turned.view(-1, 3, 3) @ axes


@functools.cache
def _colour_axes(device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """The matrix of the YIQ axes and its inverse; made once, since a GPU waits for both."""
    axes = torch.tensor(_YIQ, dtype=dtype)
    return axes.to(device), torch.linalg.inv(axes).to(device)


def _between(limits: tuple[float, float], draws: Tensor) -> Tensor:
    low, high = limits
    return low + (high - low) * draws


# "digits-paper" and "objects" have the strengths of the ADC paper, for MNIST and for CIFAR-10; "digits" was
# chosen on MNIST images that no result is reported on.
RECIPES: Mapping[str, ImageViews] = MappingProxyType(
    {
        "digits": ImageViews(crop=0.3, degrees=25, brightness=0.25, noise=0.025),
        "digits-paper": ImageViews(crop=0.2, degrees=15, brightness=0.25, noise=0.025),
        "objects": ImageViews(
            crop=0.2, flip=True, degrees=10, contrast=(0.4, 1.8), saturation=(0.7, 1.3), hue=0.2
        ),
    }
)
