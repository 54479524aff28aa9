"""The LeNet of the NNclustering paper: two convolutions and one wide layer."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from coterie._errors import InputError
from coterie.nn.backbone import Backbone, image_shape, with_channel

_SMALLEST = {0: 16, 2: 4}


class LeNet(Backbone):
    """Two blocks of 5x5 convolution, batch norm, ReLU and 2x2 max pooling, then a wide layer with ReLU.

    Parameters
    ----------
    sample_shape : sequence of int
        ``(h, w)`` or ``(c, h, w)``; at least 16 x 16, or 4 x 4 with padding 2.
    padding : 0 or 2
        0 as in the paper (800 features reach the wide layer on 28 x 28, 1250 on 32 x 32); 2 as in the
        authors' later PyTorch code (2450 on 28 x 28).
    fc_batch_norm : bool
        Whether the wide layer has a batch norm too, as in both released codes but not in the paper.
    hidden : int
        Width of the wide layer, which is the embedding.

    Notes
    -----
    Source: Hsu and Kira, "Neural network-based clustering using pairwise constraints" (2015).

    Examples
    --------
    >>> import torch
    >>> network = LeNet((28, 28))
    >>> tuple(network(torch.zeros(2, 28, 28)).shape), network.flat_features
    ((2, 500), 800)
    """

    def __init__(
        self,
        sample_shape: Sequence[int],
        *,
        padding: int = 0,
        fc_batch_norm: bool = False,
        hidden: int = 500,
    ) -> None:
        super().__init__()
        if padding not in _SMALLEST:
            raise InputError(f"padding={padding!r} must be 0 or 2")
        channels, height, width = image_shape(sample_shape, "lenet", _SMALLEST[padding])
        self.features = nn.Sequential(
            *_convolution(channels, 20, padding),
            *_convolution(20, 50, padding),
        )
        self.flat_features = 50 * _pooled_twice(height, padding) * _pooled_twice(width, padding)
        self.wide = nn.Sequential(
            nn.Linear(self.flat_features, hidden, bias=not fc_batch_norm),
            *([nn.BatchNorm1d(hidden)] if fc_batch_norm else []),
            nn.ReLU(),
        )
        self.out_features = hidden

    def forward(self, x: Tensor) -> Tensor:
        """Map x (b, h, w) or (b, c, h, w) to the embedding (b, out_features)."""
        embedding: Tensor = self.wide(self.features(with_channel(x)).flatten(1))
        return embedding


def _convolution(before: int, after: int, padding: int) -> tuple[nn.Module, ...]:
    """One block; the batch norm makes a bias of the convolution superfluous."""
    convolution = nn.Conv2d(before, after, kernel_size=5, padding=padding, bias=False)
    return convolution, nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(2)


def _pooled_twice(size: int, padding: int) -> int:
    """Side length that is left after both blocks."""
    for _ in range(2):
        size = (size + 2 * padding - 4) // 2
    return size
