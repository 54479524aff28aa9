"""The VCNN of associative deep clustering: six 3x3 convolutions with ELU and no batch norm."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from coterie.nn.backbone import Backbone, image_shape, with_channel

_SMALLEST = 8
_DROPPED = 0.2


class VCNN(Backbone):
    """Three pairs of 3x3 convolutions, each pair before a 2x2 max pooling, then a wide layer; all with ELU.

    Dropout of 0.2 stands behind the first two poolings. Images of less than 16 pixels go without the third
    pooling, which would leave them next to no grid.

    Parameters
    ----------
    sample_shape : sequence of int
        ``(h, w)`` or ``(c, h, w)``, at least 8 x 8.
    widths : sequence of 3 int
        Channels of each pair of convolutions; the paper's SVHN network repeats each width three times.
    hidden : int
        Width of the wide layer, which is the embedding.
    repeats : int
        Convolutions before each pooling: 2 in the paper's MNIST network, 3 in its SVHN network.

    Notes
    -----
    Source: Haeusser, Mordvintsev and Cremers, "Learning by association" (2017), used by Haeusser et al.,
    "Associative deep clustering" (2018).

    Examples
    --------
    >>> import torch
    >>> network = VCNN((28, 28))
    >>> tuple(network(torch.zeros(2, 28, 28)).shape), network.flat_features
    ((2, 128), 1152)
    """

    def __init__(
        self,
        sample_shape: Sequence[int],
        *,
        widths: Sequence[int] = (32, 64, 128),
        hidden: int = 128,
        repeats: int = 2,
    ) -> None:
        super().__init__()
        before, height, width = image_shape(sample_shape, "vcnn", _SMALLEST)
        side = min(height, width)
        poolings = 3 if side >= 2 * _SMALLEST else 2
        layers: list[nn.Module] = []
        for stage, channels in enumerate(widths):
            for _ in range(repeats):
                layers += [nn.Conv2d(before, channels, 3, padding=1), nn.ELU(inplace=True)]
                before = channels
            if stage < poolings:  # before the ELU, which is monotonic: it has a quarter of the numbers to map
                layers.insert(-1, nn.MaxPool2d(2))
            if stage < 2:
                layers.append(nn.Dropout(_DROPPED))
        self.features = nn.Sequential(*layers)
        self.flat_features = before * (height >> poolings) * (width >> poolings)
        self.wide = nn.Sequential(nn.Linear(self.flat_features, hidden), nn.ELU(inplace=True))
        self.out_features = hidden
        self.apply(_start)

    def forward(self, x: Tensor) -> Tensor:
        """Map x (b, h, w) or (b, c, h, w) to the embedding (b, out_features)."""
        embedding: Tensor = self.wide(self.features(with_channel(x)).flatten(1))
        return embedding


def _start(layer: nn.Module) -> None:
    """Glorot-uniform weights and biases of zero: torch's own start fades the signal layer by layer."""
    if isinstance(layer, nn.Conv2d | nn.Linear):
        nn.init.xavier_uniform_(layer.weight)
        assert layer.bias is not None
        nn.init.zeros_(layer.bias)
