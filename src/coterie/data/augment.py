"""Random views of a batch: drawn per sample, on the tensor's own device, from a generator."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch
from torch import Generator, Tensor
from torch.nn import functional

from coterie._joint import drawn

Augment = Callable[[Tensor, Generator], Tensor]


def is_by_rows(augment: Augment) -> bool:
    """Whether views of some rows are those of the whole batch: random numbers come from `drawn`.

    Such an augmentation has an attribute `by_rows` that is True. Of any other, several processes have to make
    the views of the whole batch.
    """
    return getattr(augment, "by_rows", False) is True


def uniform(shape: Sequence[int], axis: int, like: Tensor, generator: Generator) -> Tensor:
    """Numbers from [0, 1) of the type of `like`; `axis` counts the rows, see `drawn`."""
    return drawn(shape, axis, partial(torch.rand, generator=generator, device=like.device, dtype=like.dtype))


def normal(shape: Sequence[int], axis: int, like: Tensor, generator: Generator) -> Tensor:
    """Normal numbers of the type of `like`; `axis` counts the rows, see `drawn`."""
    return drawn(shape, axis, partial(torch.randn, generator=generator, device=like.device, dtype=like.dtype))


def warp(x: Tensor, matrices: Tensor) -> Tensor:
    """Resample images (b, c, h, w) or (b, h, w) by matrices (b, 2, 3); edges are repeated outwards.

    A matrix maps coordinates of the result to those of the image, both in [-1, 1] as in `affine_grid`.
    """
    images = x if x.dim() == 4 else x.unsqueeze(1)
    grid = functional.affine_grid(matrices, list(images.shape), align_corners=False)
    moved = functional.grid_sample(images, grid, padding_mode="border", align_corners=False)
    return moved.view_as(x)


@dataclass(frozen=True)
class AffineJitter:
    """Small random rotations, zooms and shifts of images.

    Parameters
    ----------
    degrees : float >= 0
        Largest rotation to either side.
    zoom : float in [0, 1)
        Largest change of size, as a share.
    shift : float >= 0
        Largest shift along each axis, as a share of the image's side.

    Examples
    --------
    >>> images = torch.zeros(2, 1, 28, 28)
    >>> AffineJitter()(images, torch.Generator().manual_seed(0)).shape
    torch.Size([2, 1, 28, 28])
    """

    by_rows: ClassVar[bool] = True

    degrees: float = 10.0
    zoom: float = 0.1
    shift: float = 2 / 28

    def __call__(self, x: Tensor, generator: Generator) -> Tensor:
        """Map images (b, c, h, w) or (b, h, w) to images of the same shape; edges are repeated outwards."""
        return warp(x, self._matrices(x, generator))

    def _matrices(self, x: Tensor, generator: Generator) -> Tensor:
        """One 2 x 3 matrix per image, in the coordinates [-1, 1] of `affine_grid`."""
        draws = uniform((4, len(x)), 1, x, generator) * 2 - 1
        angle, size = draws[0] * math.radians(self.degrees), 1 + draws[1] * self.zoom
        across, down = size * angle.cos(), size * angle.sin()
        shift = draws[2:] * 2 * self.shift
        tall = x.shape[-2] / x.shape[-1]  # a rotation is rigid in pixels, not in coordinates of [-1, 1]
        rows = [
            torch.stack([across, -down * tall, shift[0]], 1),
            torch.stack([down / tall, across, shift[1]], 1),
        ]
        return torch.stack(rows, 1)


@dataclass(frozen=True)
class FeatureJitter:
    """Normal noise on standardised features, and some of them set to their mean.

    Parameters
    ----------
    noise : float >= 0
        Standard deviation, in units of the scaled data, whose features have standard deviation 1.
    dropout : float in [0, 1)
        Chance of each value to be replaced by 0, the mean of its feature.

    Examples
    --------
    >>> FeatureJitter()(torch.zeros(2, 3), torch.Generator().manual_seed(0)).shape
    torch.Size([2, 3])
    """

    by_rows: ClassVar[bool] = True

    noise: float = 0.5
    dropout: float = 0.2

    def __call__(self, x: Tensor, generator: Generator) -> Tensor:
        """Map rows of any shape to rows of the same shape."""
        noise = normal(x.shape, 0, x, generator)
        kept = uniform(x.shape, 0, x, generator) >= self.dropout
        return (x + self.noise * noise) * kept


@dataclass(frozen=True)
class SignedPermutation:
    """Another order and other signs of the features, the same for all vectors of a batch.

    Lengths, distances and angles stay as they are. So a network that compares vectors learns from these
    alone, and not what single features say of the classes that it is trained on.

    Examples
    --------
    >>> views = SignedPermutation()(torch.eye(3), torch.Generator().manual_seed(0))
    >>> bool((views @ views.T == torch.eye(3)).all())
    True
    """

    def __call__(self, x: Tensor, generator: Generator) -> Tensor:
        """Map vectors (..., d) to vectors of the same shape."""
        order = torch.randperm(x.shape[-1], generator=generator, device=x.device)
        signs = torch.randint(2, order.shape, generator=generator, device=x.device) * 2 - 1
        return x[..., order] * signs.to(x.dtype)


@dataclass(frozen=True)
class AveragedViews:
    """Random views of images averaged over square blocks, each pixel of a view repeated over its block.

    A network that averages over the same blocks sees views of the small images, which cost a fraction of
    those of large ones.

    Parameters
    ----------
    augment : callable
        Of the small images.
    block : int
        Side of the blocks; those at the right and lower edge may be smaller.

    Examples
    --------
    >>> images = torch.rand(2, 3, 64, 64)
    >>> AveragedViews(AffineJitter(), 4)(images, torch.Generator().manual_seed(0)).shape
    torch.Size([2, 3, 64, 64])
    """

    augment: Augment
    block: int

    @property
    def by_rows(self) -> bool:
        """Whether the small views are."""
        return is_by_rows(self.augment)

    def __call__(self, x: Tensor, generator: Generator) -> Tensor:
        """Map images (..., h, w) to images of the same shape."""
        height, width = x.shape[-2:]
        flat = x.reshape(-1, 1, height, width)
        small = functional.avg_pool2d(flat, self.block, ceil_mode=True, count_include_pad=False)
        views = self.augment(small.view(*x.shape[:-2], *small.shape[-2:]), generator)
        wide = views.repeat_interleave(self.block, -2).repeat_interleave(self.block, -1)
        return wide[..., :height, :width]
