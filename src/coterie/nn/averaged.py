"""Networks that see images at a working size: averaged over blocks of pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional

from coterie.nn.backbone import Backbone, sample_shape_of, with_channel


@dataclass(frozen=True)
class Averaged:
    """A named network for images that are averaged over square blocks first.

    Attributes
    ----------
    name : str
        A key of ``BACKBONES``.
    block : int
        Side of the blocks in pixels, at least 2.
    """

    name: str
    block: int


class AveragedBackbone(Backbone):
    """Averages images over square blocks, then applies a backbone for images of that size.

    Parameters
    ----------
    backbone : Backbone
        For images of the shape that `averaged_shape` gives.
    block : int
        Side of the blocks; those at the right and lower edge may be smaller.

    Examples
    --------
    >>> import torch
    >>> from coterie.nn import VCNN
    >>> tuple(AveragedBackbone(VCNN((3, 16, 16)), 4)(torch.zeros(2, 3, 64, 64)).shape)
    (2, 128)
    """

    def __init__(self, backbone: Backbone, block: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.block = block
        self.out_features = backbone.out_features

    def forward(self, x: Tensor) -> Tensor:
        """Map x (b, h, w) or (b, c, h, w) to the embedding (b, out_features)."""
        small = functional.avg_pool2d(with_channel(x), self.block, ceil_mode=True, count_include_pad=False)
        embedding: Tensor = self.backbone(small)
        return embedding

    def make_head(self, n_clusters: int) -> nn.Linear:
        """The head of the backbone inside."""
        return self.backbone.make_head(n_clusters)


def block_for(sample_shape: Sequence[int], max_pixels: int | None) -> int:
    """Side of the smallest blocks whose averages are at most `max_pixels`; 1 for samples that are no images.

    Parameters
    ----------
    sample_shape : sequence of int
    max_pixels : int or None
        None: no bound.

    Returns
    -------
    int

    Examples
    --------
    >>> [block_for(shape, 1024) for shape in ((28, 28), (3, 64, 64), (40, 64), (5000,))]
    [1, 2, 2, 1]
    """
    shape = sample_shape_of(sample_shape)
    block = 1
    if max_pixels is None or len(shape) not in (2, 3):
        return block
    while _parts(shape[-2], block) * _parts(shape[-1], block) > max_pixels:
        block += 1
    return block


def averaged_shape(sample_shape: Sequence[int], block: int) -> tuple[int, ...]:
    """Shape of images after averaging over blocks.

    Examples
    --------
    >>> averaged_shape((3, 65, 64), 4)
    (3, 17, 16)
    """
    shape = sample_shape_of(sample_shape)
    if block == 1:
        return shape
    return (*shape[:-2], _parts(shape[-2], block), _parts(shape[-1], block))


def _parts(side: int, block: int) -> int:
    return -(-side // block)
