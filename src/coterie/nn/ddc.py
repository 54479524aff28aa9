"""The networks of the DDC paper: batch norm behind the last ReLU, where the loss reads its kernel."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from coterie.nn.backbone import Backbone, image_shape, with_channel

# Below this side the unpadded convolutions leave no grid.
_UNPADDED = 16


class DDCConvolutions(Backbone):
    """Two blocks of 5x5 convolution, 2x2 max pooling and ReLU, then a wide layer with ReLU and batch norm.

    Parameters
    ----------
    sample_shape : sequence of int
        ``(h, w)`` or ``(c, h, w)``, at least 4 x 4. Sides below 16, which the paper has not, are padded by
        2 in both convolutions.
    hidden : int
        Width of the wide layer, which is the embedding.

    Notes
    -----
    Source: Kampffmeyer et al., "Deep divergence-based approach to clustering" (2019), section 3.3; weights
    are He-normal (section 4.6). The paper does not say on which side of the last ReLU the batch norm is;
    it is behind it, as in the authors' code.

    Examples
    --------
    >>> import torch
    >>> network = DDCConvolutions((28, 28))
    >>> tuple(network(torch.zeros(2, 28, 28)).shape), network.flat_features
    ((2, 100), 1024)
    """

    def __init__(self, sample_shape: Sequence[int], hidden: int = 100) -> None:
        super().__init__()
        channels, height, width = image_shape(sample_shape, "ddc-cnn", 4)
        padding = 0 if min(height, width) >= _UNPADDED else 2
        self.features = nn.Sequential(*_block(channels, 32, padding), *_block(32, 64, padding))
        self.flat_features = 64 * _pooled_twice(height, padding) * _pooled_twice(width, padding)
        self.wide = nn.Sequential(nn.Linear(self.flat_features, hidden), nn.ReLU(), nn.BatchNorm1d(hidden))
        self.out_features = hidden
        he_normal(self)

    def forward(self, x: Tensor) -> Tensor:
        """Map x (b, h, w) or (b, c, h, w) to the embedding (b, out_features)."""
        embedding: Tensor = self.wide(self.features(with_channel(x)).flatten(1))
        return embedding

    def make_head(self, n_clusters: int) -> nn.Linear:
        """A He-normal head."""
        head = super().make_head(n_clusters)
        he_normal(head)
        return head


class DDCPerceptron(Backbone):
    """Linear layers of 200, 200 and 500 units, each with ReLU, and batch norm behind the last.

    Parameters
    ----------
    n_features : int
        Numbers per sample after flattening.
    hidden : sequence of int
        Widths of the layers; the last one is the embedding.

    Notes
    -----
    Source: as `DDCConvolutions`.

    Examples
    --------
    >>> import torch
    >>> tuple(DDCPerceptron(10)(torch.zeros(4, 10)).shape)
    (4, 500)
    """

    def __init__(self, n_features: int, hidden: Sequence[int] = (200, 200, 500)) -> None:
        super().__init__()
        layers = [
            layer for before, after in pairwise((n_features, *hidden)) for layer in _linear(before, after)
        ]
        self.layers = nn.Sequential(*layers, nn.BatchNorm1d(hidden[-1]))
        self.out_features = hidden[-1]
        he_normal(self)

    def forward(self, x: Tensor) -> Tensor:
        """Map x (b, ...) with n_features numbers per sample to the embedding (b, out_features)."""
        return self.rest(self.first(x))

    def first(self, x: Tensor) -> Tensor:
        """Map x (b, ...) to the output of the first layer, behind its ReLU."""
        out: Tensor = self.layers[:2](x.flatten(1))
        return out

    def rest(self, first: Tensor) -> Tensor:
        """Map the output of the first layer to the embedding (b, out_features)."""
        embedding: Tensor = self.layers[2:](first)
        return embedding

    def make_head(self, n_clusters: int) -> nn.Linear:
        """A He-normal head."""
        head = super().make_head(n_clusters)
        he_normal(head)
        return head


def he_normal(network: nn.Module) -> None:
    """Draw new weights of convolutions and linear layers, N(0, 2 / fan_in), biases zero, in place."""
    for part in network.modules():
        if isinstance(part, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(part.weight, nonlinearity="relu")
            assert part.bias is not None
            nn.init.zeros_(part.bias)


def _block(before: int, after: int, padding: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(before, after, kernel_size=5, padding=padding), nn.MaxPool2d(2), nn.ReLU()


def _linear(before: int, after: int) -> tuple[nn.Module, ...]:
    return nn.Linear(before, after), nn.ReLU()


def _pooled_twice(size: int, padding: int) -> int:
    """Side length that is left after both blocks."""
    for _ in range(2):
        size = (size + 2 * padding - 4) // 2
    return size
