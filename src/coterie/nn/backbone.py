"""What every backbone shares: a known embedding width, and the reading of a sample shape as an image."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor, nn

from coterie._errors import InputError

Shape = tuple[int, ...]


class Backbone(nn.Module):
    """Abstract: a network without its head, mapping ``(b, *sample_shape)`` to an embedding (b, out_features).

    Attributes
    ----------
    out_features : int
        Width of the embedding.
    """

    out_features: int

    def make_head(self, n_clusters: int) -> nn.Linear:
        """A fresh linear layer (out_features -> n_clusters) whose softmax is the clustering."""
        return nn.Linear(self.out_features, n_clusters)


def sample_shape_of(sample_shape: Sequence[int]) -> Shape:
    """Check the shape of one sample and return it as a tuple.

    Parameters
    ----------
    sample_shape : sequence of int
        ``(d,)``, ``(h, w)`` or ``(c, h, w)``; your own module may take any other shape.

    Returns
    -------
    tuple of int

    Examples
    --------
    >>> sample_shape_of([1, 28, 28])
    (1, 28, 28)
    """
    shape = tuple(int(size) for size in sample_shape)
    if not shape or min(shape) < 1:
        raise InputError(f"sample_shape must be one or more positive sizes, got {tuple(sample_shape)}")
    return shape


def flat_size(sample_shape: Sequence[int]) -> int:
    """Count the numbers in one sample.

    Parameters
    ----------
    sample_shape : sequence of int

    Returns
    -------
    int

    Examples
    --------
    >>> flat_size((3, 32, 32))
    3072
    """
    return math.prod(sample_shape_of(sample_shape))


def image_shape(sample_shape: Sequence[int], network: str, smallest: int) -> tuple[int, int, int]:
    """Read a sample shape as (channels, height, width), or say why the network cannot take it.

    Parameters
    ----------
    sample_shape : sequence of int
        ``(h, w)``, read as one channel, or ``(c, h, w)``.
    network : str
        Name for the message.
    smallest : int
        Smallest height and width that the network can take.

    Returns
    -------
    tuple of 3 int

    Raises
    ------
    InputError
        When samples are no images, or are smaller than ``smallest``.

    Examples
    --------
    >>> image_shape((28, 28), "lenet", 16)
    (1, 28, 28)
    """
    shape = sample_shape_of(sample_shape)
    if len(shape) not in (2, 3):
        raise InputError(
            f"backbone: {network!r} needs images of shape (h, w) or (c, h, w), got samples of shape {shape}; "
            "'mlp' takes vectors"
        )
    channels, height, width = shape if len(shape) == 3 else (1, *shape)
    if min(height, width) < smallest:
        raise InputError(
            f"backbone: {network!r} needs images of at least {smallest} x {smallest}, "
            f"got samples of shape {shape}; 'mlp' takes images of every size"
        )
    return channels, height, width


def with_channel(x: Tensor) -> Tensor:
    """Add a channel axis to images that lack one, and use the memory layout in which convolutions are fast.

    Contiguous images of one channel fit both memory layouts by their strides; torch then takes the slower
    one (a LeNet step took 1.35 times as long). These say that channels come last.

    Parameters
    ----------
    x : tensor of shape (b, h, w) or (b, c, h, w)

    Returns
    -------
    tensor of shape (b, 1, h, w) or (b, c, h, w)

    Examples
    --------
    >>> import torch
    >>> tuple(with_channel(torch.zeros(2, 8, 8)).shape)
    (2, 1, 8, 8)
    """
    if x.dim() == 4 and x.shape[1] == 1:
        x = x.squeeze(1)
    return x.unsqueeze(-1).permute(0, 3, 1, 2) if x.dim() == 3 else x
