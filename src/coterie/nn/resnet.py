"""Residual networks for small images: batch norm and ReLU in front of each convolution, or behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from torch import Tensor, nn
from torch.nn import functional

from coterie._errors import InputError
from coterie.nn.backbone import Backbone, image_shape, with_channel

_SMALLEST = 8
_STEM = 64
_WIDTHS = (64, 128, 256, 512)

# Depth -> blocks per stage, and whether a block is a bottleneck.
_DEPTHS: Mapping[int, tuple[tuple[int, ...], bool]] = MappingProxyType(
    {18: ((2, 2, 2, 2), False), 101: ((3, 4, 23, 3), True)}
)

_EMBEDDING = 64
# Form -> channels of each stage, blocks per stage, and whether it is cut from the form for large images.
_FORMS: Mapping[str, tuple[tuple[int, ...], int, bool]] = MappingProxyType(
    {
        "resnet20": ((16, 32, 64), 3, False),
        "resnet32": ((16, 32, 64), 5, False),
        "resnet-stl": ((32, 64, 128, 256), 3, True),
    }
)


class PreActResNet(Backbone):
    """Pre-activation residual network: 3x3 stem, four stages, batch norm, ReLU, global average.

    Parameters
    ----------
    sample_shape : sequence of int
        ``(h, w)`` or ``(c, h, w)``, at least 8 x 8.
    depth : 18 or 101
        18: two 3x3 convolutions per block, 512 features. 101: bottleneck blocks, 2048 features.

    Notes
    -----
    Source: He, Zhang, Ren and Sun, "Identity mappings in deep residual networks" (2016).

    Examples
    --------
    >>> import torch
    >>> network = PreActResNet((3, 32, 32), depth=18).eval()
    >>> tuple(network(torch.zeros(1, 3, 32, 32)).shape)
    (1, 512)
    """

    def __init__(self, sample_shape: Sequence[int], depth: int = 18) -> None:
        super().__init__()
        if depth not in _DEPTHS:
            raise InputError(f"depth={depth!r} must be 18 or 101")
        counts, bottleneck = _DEPTHS[depth]
        channels, _, _ = image_shape(sample_shape, f"preact{depth}", _SMALLEST)
        self.stem = nn.Conv2d(channels, _STEM, 3, padding=1, bias=False)
        before = _STEM
        blocks: list[nn.Module] = []
        for stage, (width, count) in enumerate(zip(_WIDTHS, counts, strict=True)):
            for position in range(count):
                stride = 2 if stage > 0 and position == 0 else 1
                blocks.append(_Block(before, width, stride, bottleneck=bottleneck))
                before = 4 * width if bottleneck else width
        self.blocks = nn.Sequential(*blocks)
        self.tail = nn.Sequential(nn.BatchNorm2d(before), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.out_features = before

    def forward(self, x: Tensor) -> Tensor:
        """Map x (b, h, w) or (b, c, h, w) to the embedding (b, out_features)."""
        embedding: Tensor = self.tail(self.blocks(self.stem(with_channel(x))))
        return embedding


class ResNet(Backbone):
    """Residual network with batch norm and ReLU behind each convolution, in the forms of the ADC paper.

    Parameters
    ----------
    sample_shape : sequence of int
        ``(h, w)`` or ``(c, h, w)``, at least 8 x 8.
    form : {"resnet20", "resnet32", "resnet-stl"}
        The first two: a 3x3 stem of 16 channels, three stages of 16, 32 and 64 channels with 3 or 5 blocks
        each, shortcuts without weights, and the global average, of 64 features, as the embedding.
        "resnet-stl": a 3x3 stem of stride 1, 2x2 max pooling, four stages of 32 to 256 channels with 3 blocks
        each, projected shortcuts, the global average and a linear layer to 64 features.

    Notes
    -----
    Sources: He, Zhang, Ren and Sun, "Deep residual learning for image recognition" (2016), sections 3.3 and
    4.2; Haeusser et al., "Associative deep clustering" (2018), section 3.1, whose changes to the large form
    are those of "resnet-stl"; it does not say whether blocks are bottlenecks, and they are not here.

    Examples
    --------
    >>> import torch
    >>> network = ResNet((3, 32, 32)).eval()
    >>> tuple(network(torch.zeros(1, 3, 32, 32)).shape)
    (1, 64)
    """

    def __init__(self, sample_shape: Sequence[int], form: str = "resnet20") -> None:
        super().__init__()
        if form not in _FORMS:
            raise InputError(f"form={form!r} must be one of {', '.join(_FORMS)}")
        widths, count, is_large = _FORMS[form]
        channels, _, _ = image_shape(sample_shape, form, _SMALLEST)
        self.stem = nn.Sequential(
            *_convolution_norm(channels, widths[0], 1),
            nn.ReLU(),
            *([nn.MaxPool2d(2)] if is_large else []),
        )
        before = widths[0]
        blocks: list[nn.Module] = []
        for stage, width in enumerate(widths):
            for position in range(count):
                stride = 2 if stage > 0 and position == 0 else 1
                blocks.append(_PostBlock(before, width, stride, projected=is_large))
                before = width
        self.blocks = nn.Sequential(*blocks)
        self.tail = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), *([nn.Linear(before, _EMBEDDING)] if is_large else [])
        )
        self.out_features = _EMBEDDING

    def forward(self, x: Tensor) -> Tensor:
        """Map x (b, h, w) or (b, c, h, w) to the embedding (b, out_features)."""
        embedding: Tensor = self.tail(self.blocks(self.stem(with_channel(x))))
        return embedding


class _PostBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut: (b, before, h, w) -> (b, width, h / stride, w / stride)."""

    def __init__(self, before: int, width: int, stride: int, *, projected: bool) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            *_convolution_norm(before, width, stride), nn.ReLU(), *_convolution_norm(width, width, 1)
        )
        changes_shape = stride != 1 or before != width
        self.shortcut = (
            nn.Sequential(nn.Conv2d(before, width, 1, stride=stride, bias=False), nn.BatchNorm2d(width))
            if projected and changes_shape
            else None
        )
        self.stride, self.added = stride, width - before

    def forward(self, x: Tensor) -> Tensor:
        """Add the residual; without weights, a shortcut skips pixels and fills new channels with zeros."""
        residual: Tensor = self.residual(x)
        if self.shortcut is not None:
            return functional.relu(residual + self.shortcut(x))
        kept = functional.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.added))
        return functional.relu(residual + kept)


def _convolution_norm(before: int, after: int, stride: int) -> list[nn.Module]:
    """A 3x3 convolution that keeps the size up to its stride, then batch norm."""
    convolution = nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=False)
    return [convolution, nn.BatchNorm2d(after)]


class _Block(nn.Module):
    """Residual block (b, before, h, w) -> (b, width or 4 width, h / stride, w / stride)."""

    def __init__(self, before: int, width: int, stride: int, *, bottleneck: bool) -> None:
        super().__init__()
        after = 4 * width if bottleneck else width
        self.first_norm = nn.Sequential(nn.BatchNorm2d(before), nn.ReLU())
        if bottleneck:
            self.residual = nn.Sequential(
                nn.Conv2d(before, width, 1, bias=False),
                *_norm_convolution(width, width, 3, stride),
                *_norm_convolution(width, after, 1, 1),
            )
        else:
            self.residual = nn.Sequential(
                nn.Conv2d(before, width, 3, stride=stride, padding=1, bias=False),
                *_norm_convolution(width, after, 3, 1),
            )
        changes_shape = stride != 1 or before != after
        self.shortcut = nn.Conv2d(before, after, 1, stride=stride, bias=False) if changes_shape else None

    def forward(self, x: Tensor) -> Tensor:
        """Add the residual; a projected shortcut starts from the activated input, an identity from x."""
        active = self.first_norm(x)
        residual: Tensor = self.residual(active)
        return residual + (x if self.shortcut is None else self.shortcut(active))


def _norm_convolution(before: int, after: int, kernel: int, stride: int) -> list[nn.Module]:
    """Batch norm, ReLU, then a convolution that keeps the size up to its stride."""
    convolution = nn.Conv2d(before, after, kernel, stride=stride, padding=kernel // 2, bias=False)
    return [nn.BatchNorm2d(before), nn.ReLU(), convolution]
