"""A backbone with a head of one output per cluster, and how it is built and laid out in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from coterie._errors import InputError
from coterie.nn.backbone import Backbone
from coterie.nn.build import BackboneSpec, build_backbone
from coterie.nn.distance_head import DistanceHead
from coterie.nn.pair_head import PairHead

_Module = TypeVar("_Module", bound=nn.Module)

_Headed = TypeVar("_Headed", "ClusterNetwork", "PairNetwork")

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
# of one layer's values outside training: channels that it is taken to have, bytes, and rows at the most
CHANNELS = 64
ROWS_BYTES = 256 * 2**20
MOST_ROWS = 1_000


class Network(nn.Module):
    """A network whose ``forward(samples)`` gives a tuple of tensors that have names.

    Attributes
    ----------
    outputs : tuple of str
        Their names, in order.
    shared_outputs : frozenset of str
        Names of those that do not have the batch on axis 0, such as a parameter that is given out so that
        it takes part in the forward pass; it is the same on every process.
    heads : tuple of str
        Names of heads that train side by side, each with its own loss; what the head "a" gives is named
        ``logits/a`` and the like. Of a finished run the engine keeps the head of lowest loss.
    """

    outputs: tuple[str, ...]
    shared_outputs: frozenset[str] = frozenset()
    heads: tuple[str, ...] = ()

    def named(self, values: Sequence[Tensor]) -> dict[str, Tensor]:
        """What a forward pass gave, by name."""
        return dict(zip(self.outputs, values, strict=True))

    def keep_head(self, head: str) -> None:
        """Predict by one of `heads` from now on, in place; networks that have heads override this."""
        raise NotImplementedError(f"{type(self).__name__} has heads and must define keep_head")


class ClusterNetwork(Network):
    """The clustering itself: a backbone and a linear head whose softmax assigns samples to clusters.

    Parameters
    ----------
    backbone : Backbone
    n_clusters : int
    hidden_features : int, default=0
        Width of a layer with batch norm and ReLU between the backbone and the head, whose output is then the
        embedding; 0: none.

    Attributes
    ----------
    backbone : Backbone
    hidden : nn.Module
        The identity where there is no hidden layer.
    head : nn.Linear

    Examples
    --------
    >>> from coterie.nn import MLP
    >>> embedding, logits = ClusterNetwork(MLP(10), 3)(torch.zeros(4, 10))
    >>> tuple(embedding.shape), tuple(logits.shape)
    ((4, 128), (4, 3))
    """

    outputs: tuple[str, ...] = ("embedding", "logits")

    def __init__(self, backbone: Backbone, n_clusters: int, hidden_features: int = 0) -> None:
        super().__init__()
        if n_clusters < 1:
            raise InputError(f"n_clusters={n_clusters} must be >= 1")
        self.backbone = backbone
        if hidden_features:
            self.hidden: nn.Module = _hidden_layer(backbone.out_features, hidden_features)
            self.head = nn.Linear(hidden_features, n_clusters)
        else:
            self.hidden = nn.Identity()
            self.head = backbone.make_head(n_clusters)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Map x ``(b, *sample_shape)`` to the embedding (b, e) and the logits (b, n_clusters)."""
        embedding = self.embed(x)
        return embedding, self.head(embedding)

    def embed(self, x: Tensor) -> Tensor:
        """Map x ``(b, *sample_shape)`` to the embedding (b, e) alone."""
        embedding: Tensor = self.hidden(self.backbone(x))
        return embedding

    def rename_clusters(self, names: npt.NDArray[np.int64]) -> None:
        """Give cluster c the number ``names[c]``, a permutation of shape (n_clusters,), in place."""
        for parameter in self.head.parameters():
            reorder(parameter, names)


def _hidden_layer(before: int, after: int) -> nn.Sequential:
    """Linear, batch norm, which would subtract a bias again, and ReLU."""
    return nn.Sequential(nn.Linear(before, after, bias=False), nn.BatchNorm1d(after), nn.ReLU())


def reorder(parameter: nn.Parameter, names: npt.NDArray[np.int64]) -> None:
    """Move row c of a parameter to row ``names[c]``, in place."""
    order = torch.from_numpy(np.argsort(names)).to(parameter.device)
    with torch.no_grad():
        parameter.copy_(parameter[order].clone())


class PairNetwork(Network):
    """A similarity network: a backbone, and a head that compares all rows of a batch with each other.

    Parameters
    ----------
    backbone : Backbone
    head : PairHead or DistanceHead
        Maps embeddings (b, e) to log odds (b, b).

    Attributes
    ----------
    backbone : Backbone
    head : PairHead or DistanceHead
    outputs : tuple of str

    Examples
    --------
    >>> from coterie.nn import MLP
    >>> embedding, log_odds = PairNetwork(MLP(10), PairHead(128, 64))(torch.randn(4, 10))
    >>> tuple(embedding.shape), tuple(log_odds.shape)
    ((4, 128), (4, 4))
    """

    outputs: tuple[str, ...] = ("embedding", "log_odds")

    def __init__(self, backbone: Backbone, head: PairHead | DistanceHead) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Map x ``(b, *sample_shape)`` to the embedding (b, e) and log odds of "same" of all pairs (b, b)."""
        embedding = self.embed(x)
        return embedding, self.head(embedding)

    def embed(self, x: Tensor) -> Tensor:
        """Map x ``(b, *sample_shape)`` to the embedding (b, e) alone."""
        embedding: Tensor = self.backbone(x)
        return embedding


def build_network(
    spec: BackboneSpec, sample_shape: Sequence[int], n_clusters: int, seed: int, hidden_features: int = 0
) -> ClusterNetwork:
    """Build a network whose initial weights depend on the seed alone; the head is always fresh.

    The global random number generators are left as they were. The head takes the dtype and device of
    the backbone, so that a given encoder in float64 or on a GPU works as it is.

    Parameters
    ----------
    spec : "auto", a name, an nn.Module or a callable
        As in `build_backbone`.
    sample_shape : sequence of int
    n_clusters : int
    seed : int
    hidden_features : int, default=0
        As in `ClusterNetwork`.

    Returns
    -------
    ClusterNetwork
        Parts of a given module keep their mode, all others are in training mode.

    Examples
    --------
    >>> first, second = (build_network("mlp", (4,), 3, seed=0) for _ in range(2))
    >>> torch.equal(first.head.weight, second.head.weight)
    True
    """
    return _from_seed(
        lambda: ClusterNetwork(build_backbone(spec, sample_shape), n_clusters, hidden_features), seed
    )


def build_pair_network(
    spec: BackboneSpec, sample_shape: Sequence[int], hidden_features: int | None, symmetric: bool, seed: int
) -> PairNetwork:
    """Build a similarity network whose initial weights depend on the seed alone; the head is always fresh.

    Parameters
    ----------
    spec : "auto", a name, an nn.Module or a callable
        As in `build_backbone`.
    sample_shape : sequence of int
    hidden_features : int or None
        Of the head; None: four times the width of the embedding, as in the paper.
    symmetric : bool
    seed : int

    Returns
    -------
    PairNetwork

    Examples
    --------
    >>> build_pair_network("mlp", (4,), None, True, seed=0).head.out.in_features
    512
    """

    def make() -> PairNetwork:
        backbone = build_backbone(spec, sample_shape)
        width = backbone.out_features
        return PairNetwork(backbone, PairHead(width, hidden_features or 4 * width, symmetric=symmetric))

    return _from_seed(make, seed)


def _from_seed(make: Callable[[], _Headed], seed: int) -> _Headed:
    """Make a network from a seed of its own, all of it with the dtype and on the device of its backbone."""
    with torch.random.fork_rng(devices=[]):
        # torch.manual_seed would seed the generators of all GPUs too, which are not restored here.
        torch.default_generator.manual_seed(int(seed))
        network = make()
    like = next((p for p in network.backbone.parameters() if p.is_floating_point()), None)
    if like is not None:
        for part in network.children():
            if part is not network.backbone:
                part.to(device=like.device, dtype=like.dtype)
    return network


def has_convolutions(network: nn.Module) -> bool:
    """Return whether any part of a network is a convolution.

    Parameters
    ----------
    network : nn.Module

    Returns
    -------
    bool

    Examples
    --------
    >>> has_convolutions(build_network("auto", (28, 28), 10, seed=0))
    True
    """
    return any(isinstance(part, _CONVOLUTIONS) for part in network.modules())


def rows_at_once(sample_shape: Sequence[int]) -> int:
    """Samples that go through a network together outside training, so many that memory stays bounded.

    Parameters
    ----------
    sample_shape : sequence of int

    Returns
    -------
    int
        A multiple of 8, at most 1,000.

    Examples
    --------
    >>> rows_at_once((28, 28)), rows_at_once((3, 128, 128)), rows_at_once((10,))
    (1000, 64, 1000)
    """
    # a convolution on the full grid holds about so many channels and copies
    pixels = sample_shape[-1] * sample_shape[-2] if len(sample_shape) > 1 else 1
    fitting = ROWS_BYTES // (4 * CHANNELS * pixels) // 8 * 8
    return max(8, min(MOST_ROWS, fitting))


def channels_last(network: _Module) -> _Module:
    """Lay the weights of a network of 2-D convolutions out with the channels last, in place.

    Values stay the same; a LeNet step on a CPU became 2 to 3 times faster. Other networks stay as they
    are.

    Parameters
    ----------
    network : nn.Module

    Returns
    -------
    nn.Module
        The same object.

    Examples
    --------
    >>> network = channels_last(build_network("vggs", (3, 32, 32), 10, seed=0))
    >>> network.backbone.features[4].weight.is_contiguous(memory_format=torch.channels_last)
    True
    """
    if any(isinstance(part, nn.Conv2d) for part in network.modules()):
        # The type of nn.Module.to does not know memory_format alone, so each weight is moved by itself.
        for weight in network.parameters():
            if weight.dim() == 4:
                weight.data = weight.data.contiguous(memory_format=torch.channels_last)
    return network
