"""A network over whole sets: one that embeds each sample, and one that clusters the embeddings of a set."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from coterie._errors import InputError
from coterie.nn.averaged import Averaged, AveragedBackbone, averaged_shape
from coterie.nn.backbone import Backbone, Shape, flat_size, image_shape, with_channel
from coterie.nn.build import BackboneSpec, build_backbone
from coterie.nn.network import Network
from coterie.nn.set_attention import SetAttention
from coterie.nn.set_lstm import DISTANCES, SetLSTM
from coterie.nn.set_table import TableAttention

SET_NETWORKS = ("attention", "lstm", "table")
# Layers that attend from sample to sample: what few groups teach fits into fewer.
SIZES = {"large": {"width": 96, "depth": 6, "heads": 8}, "small": {"width": 64, "depth": 2, "heads": 4}}
_SLOPE = 0.3


class SetNetwork(Network):
    """Embeds each sample by itself and clusters each set of embeddings.

    Parameters
    ----------
    backbone : Backbone
    clusterer : SetAttention, SetLSTM or TableAttention

    Examples
    --------
    >>> network = SetNetwork(ItemVectors((2,)), SetAttention(2, max_clusters=3, width=16, depth=1, heads=2))
    >>> count_logits, assignments, _ = network(torch.zeros(4, 7, 2))
    >>> tuple(count_logits.shape), tuple(assignments.shape)
    ((4, 3), (4, 7, 6))
    """

    def __init__(self, backbone: Backbone, clusterer: SetAttention | SetLSTM | TableAttention) -> None:
        super().__init__()
        self.backbone = backbone
        self.clusterer = clusterer
        self.outputs = clusterer.outputs

    def forward(self, sets: Tensor) -> tuple[Tensor, ...]:
        """Map sets ``(b, n, *sample_shape)`` to the outputs of the clusterer."""
        embedding = self.embed(sets.flatten(0, 1)).reshape(*sets.shape[:2], -1)
        values: tuple[Tensor, ...] = self.clusterer(embedding)
        return values

    def embed(self, samples: Tensor) -> Tensor:
        """Map samples ``(b, *sample_shape)``, each by itself, to embeddings (b, e)."""
        embedding: Tensor = self.backbone(samples)
        return embedding


class ItemVectors(Backbone):
    """Samples as they are, flattened: vectors need no embedding network.

    Parameters
    ----------
    sample_shape : sequence of int

    Examples
    --------
    >>> tuple(ItemVectors((2, 3))(torch.zeros(4, 2, 3)).shape)
    (4, 6)
    """

    def __init__(self, sample_shape: Sequence[int]) -> None:
        super().__init__()
        self.out_features = flat_size(sample_shape)

    def forward(self, x: Tensor) -> Tensor:
        """Map x ``(b, *sample_shape)`` to (b, out_features)."""
        return x.flatten(1)


class ItemCNN(Backbone):
    """The L2C paper's embedding network for images and spectrograms: three convolutions, two FC layers.

    Each 3 x 3 convolution (32, 64, 128 channels) is followed by LeakyReLU, batch norm and max pooling, each
    FC layer of 256 by LeakyReLU and batch norm.

    Parameters
    ----------
    sample_shape : sequence of int
        ``(h, w)`` or ``(c, h, w)``, at least 8 x 8.

    Examples
    --------
    >>> tuple(ItemCNN((3, 32, 32))(torch.zeros(4, 3, 32, 32)).shape)
    (4, 256)
    """

    def __init__(self, sample_shape: Sequence[int]) -> None:
        super().__init__()
        channels, height, width = image_shape(sample_shape, "set-cnn", 8)
        widths = (channels, 32, 64, 128)
        parts: list[nn.Module] = []
        for before, after in pairwise(widths):
            convolution = nn.Conv2d(before, after, 3, padding=1)
            parts += [convolution, nn.LeakyReLU(_SLOPE, inplace=True), nn.BatchNorm2d(after), nn.MaxPool2d(2)]
        flat = widths[-1] * (height // 8) * (width // 8)
        parts.append(nn.Flatten())
        for before in (flat, 256):
            parts += [nn.Linear(before, 256), nn.LeakyReLU(_SLOPE), nn.BatchNorm1d(256)]
        self.layers = nn.Sequential(*parts)
        self.out_features = 256

    def forward(self, x: Tensor) -> Tensor:
        """Map x (b, c, h, w) or (b, h, w) to (b, 256)."""
        embedding: Tensor = self.layers(with_channel(x))
        return embedding


def build_item_network(spec: BackboneSpec, sample_shape: Shape) -> Backbone:
    """A network for single samples: with "auto" none for vectors and the paper's CNN for images.

    Parameters
    ----------
    spec : "auto", a name, an nn.Module or a callable
        As in `build_backbone`.
    sample_shape : sequence of int

    Returns
    -------
    Backbone

    Examples
    --------
    >>> build_item_network("auto", (2,)).out_features
    2
    """
    if isinstance(spec, str) and spec == "auto":
        return ItemVectors(sample_shape) if len(sample_shape) == 1 else ItemCNN(sample_shape)
    if isinstance(spec, Averaged) and spec.name == "auto":
        return AveragedBackbone(ItemCNN(averaged_shape(sample_shape, spec.block)), spec.block)
    return build_backbone(spec, sample_shape)


def build_set_network(  # noqa: PLR0913 - what is embedded, and how it is clustered
    spec: BackboneSpec,
    sample_shape: Shape,
    max_clusters: int,
    seed: int,
    *,
    kind: str = "attention",
    distance: str = "implicit",
    n_samples: int | None = None,
    rescale: bool | str = "auto",
    size: str = "large",
) -> SetNetwork:
    """Build a network over sets whose initial weights depend on the seed alone.

    Parameters
    ----------
    spec : "auto", a name, an nn.Module or a callable
        The network for single samples.
    sample_shape : sequence of int
    max_clusters : int
    seed : int
    kind : {"attention", "lstm", "table"}
    distance : {"implicit", "euclidean", "diagonal", "full"}
        Of the LSTM stack.
    n_samples : int or None
        Size of the sets, for explicit distances.
    rescale : bool or "auto"
        Whether "attention" divides each set by its own spread; "auto": where samples are not embedded.
    size : {"large", "small"}
        Of "attention".

    Returns
    -------
    SetNetwork

    Raises
    ------
    InputError
        For an unknown name, or explicit distances without the LSTM stack.

    Examples
    --------
    >>> network = build_set_network("auto", (2,), 3, seed=0)
    >>> tuple(network(torch.zeros(1, 5, 2))[0].shape)
    (1, 3)
    """
    if kind not in SET_NETWORKS:
        raise InputError(f"network={kind!r} must be one of {', '.join(map(repr, SET_NETWORKS))}")
    if kind != "lstm" and distance != "implicit" and distance in DISTANCES:
        raise InputError(f"distance={distance!r} must be 'implicit' with network={kind!r}")
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(int(seed))
        backbone = build_item_network(spec, sample_shape)
        width = backbone.out_features
        if kind == "lstm":
            return SetNetwork(backbone, SetLSTM(width, max_clusters, distance=distance, n_samples=n_samples))
        if kind == "table":
            return SetNetwork(backbone, TableAttention(max_clusters, **SIZES[size]))
        own_scale = isinstance(backbone, ItemVectors) if rescale == "auto" else bool(rescale)
        return SetNetwork(backbone, SetAttention(width, max_clusters, rescale=own_scale, **SIZES[size]))
