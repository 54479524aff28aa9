"""VGG networks in the form used for small images: 3x3 convolutions with batch norm, no wide layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from torch import Tensor, nn

from coterie._errors import InputError
from coterie.nn.backbone import Backbone, image_shape, with_channel

# Channels per convolution, one inner tuple per stage; each stage ends in a 2x2 max pooling.
_STAGES: Mapping[str, tuple[tuple[int, ...], ...]] = MappingProxyType(
    {
        "vggxs": ((32,), (64,), (128,), (256,)),
        "vggs": ((64,), (128,), (256,), (256,)),
        "vgg8": ((64,), (128,), (256,), (512,), (512,)),
        "vgg11": ((64,), (128,), (256, 256), (512, 512), (512, 512)),
        "vgg16": ((64, 64), (128, 128), (256,) * 3, (512,) * 3, (512,) * 3),
    }
)
_KEEPS_GRID = ("vggs", "vggxs")


class VGG(Backbone):
    """Stages of 3x3 convolution, batch norm and ReLU, each stage closed by a 2x2 max pooling.

    ``vgg8``, ``vgg11`` and ``vgg16`` end in 512 x 1 x 1 at 32 x 32 and average whatever larger images
    leave to that size. ``vggs``, the small network of the similarity prediction, keeps its last grid:
    256 x 2 x 2 = 1024 features at 32 x 32. ``vggxs`` has as many from half the channels below, at less than
    half the cost.

    Parameters
    ----------
    sample_shape : sequence of int
        ``(h, w)`` or ``(c, h, w)``; at least 32 x 32, for ``vggs`` and ``vggxs`` 16 x 16.
    name : "vgg8", "vgg11", "vgg16", "vggs" or "vggxs"

    Notes
    -----
    Sources: Simonyan and Zisserman, "Very deep convolutional networks for large-scale image recognition"
    (2015); the 8-layer forms are those of Hsu, Lv and Kira (2018) and Hsu et al. (2019).

    Examples
    --------
    >>> import torch
    >>> network = VGG((3, 32, 32), "vggs")
    >>> tuple(network(torch.zeros(2, 3, 32, 32)).shape)
    (2, 1024)
    """

    def __init__(self, sample_shape: Sequence[int], name: str = "vgg8") -> None:
        super().__init__()
        if name not in _STAGES:
            raise InputError(f"name={name!r} must be one of {', '.join(_STAGES)}")
        stages = _STAGES[name]
        shrink = 2 ** len(stages)
        channels, height, width = image_shape(sample_shape, name, shrink)
        layers: list[nn.Module] = []
        for stage in stages:
            for after in stage:
                layers += _convolution(channels, after)
                channels = after
            layers.append(nn.MaxPool2d(2))
        if name in _KEEPS_GRID:
            self.out_features = channels * (height // shrink) * (width // shrink)
        else:
            layers.append(nn.AdaptiveAvgPool2d(1))
            self.out_features = channels
        self.features = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Map x (b, h, w) or (b, c, h, w) to the embedding (b, out_features)."""
        features: Tensor = self.features(with_channel(x))
        return features.flatten(1)


def _convolution(before: int, after: int) -> list[nn.Module]:
    """Convolution without a bias, which its batch norm would subtract again, then ReLU."""
    return [nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
