"""A cluster network whose parameters hold centroids in the space of its embeddings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from coterie._errors import InputError
from coterie.nn.backbone import Backbone
from coterie.nn.build import BackboneSpec
from coterie.nn.network import ClusterNetwork, build_network, reorder

# Of the released code's start, in each coordinate.
_CENTRE_SPREAD, _CENTROID_SPREAD = 0.3, 0.01


class CentroidNetwork(ClusterNetwork):
    """A backbone, a linear head, and centroids that pass through the same head.

    Parameters
    ----------
    backbone : Backbone
    n_clusters : int
    per_cluster : int
        Centroids of each cluster.
    close : bool
        Whether those of a cluster begin around one centre, as in the released code: the centre from
        N(0, 0.3^2), its centroids within 0.01 of it in each coordinate. Otherwise each begins at random.

    Attributes
    ----------
    centroids : parameter of shape (n_clusters * per_cluster, e)
        Those of one cluster follow each other.

    Examples
    --------
    >>> from coterie.nn import MLP
    >>> network = CentroidNetwork(MLP(10), 3, per_cluster=2)
    >>> [tuple(value.shape) for value in network(torch.zeros(4, 10))]
    [(4, 128), (4, 3), (6, 128), (6, 3)]
    """

    outputs = ("embedding", "logits", "centroids", "centroid_logits")
    shared_outputs = frozenset({"centroids", "centroid_logits"})

    def __init__(
        self, backbone: Backbone, n_clusters: int, per_cluster: int = 1, close: bool = False
    ) -> None:
        super().__init__(backbone, n_clusters)
        if per_cluster < 1:
            raise InputError(f"per_cluster={per_cluster} must be >= 1")
        width = backbone.out_features
        if close:
            centroids = _around_centres(n_clusters, per_cluster, width)
        else:
            centroids = torch.randn(n_clusters * per_cluster, width) / width**0.5
        self.centroids = nn.Parameter(centroids)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Map x ``(b, *sample_shape)`` to embedding (b, e), logits (b, k), centroids (m, e), their logits."""
        embedding = self.embed(x)
        # given out here, the centroids take part in the forward pass that several processes synchronise
        centroids = self.centroids + 0.0
        return embedding, self.head(embedding), centroids, self.head(centroids)

    def rename_clusters(self, names: npt.NDArray[np.int64]) -> None:
        """Give cluster c the number ``names[c]``, in place: its outputs and its centroids."""
        super().rename_clusters(names)
        per_cluster = len(self.centroids) // len(names)
        places = names[:, None] * per_cluster + np.arange(per_cluster)
        reorder(self.centroids, places.ravel())


def _around_centres(n_clusters: int, per_cluster: int, width: int) -> Tensor:
    """Centroids (n_clusters * per_cluster, width), those of each cluster close to each other."""
    centres = _CENTRE_SPREAD * torch.randn(n_clusters, 1, width)
    offsets = _CENTROID_SPREAD * (2 * torch.rand(n_clusters, per_cluster, width) - 1)
    return (centres + offsets).flatten(0, 1)


def build_centroid_network(
    spec: BackboneSpec,
    sample_shape: Sequence[int],
    n_clusters: int,
    seed: int,
    per_cluster: int = 1,
    close: bool = False,
) -> CentroidNetwork:
    """Build a network with centroids whose initial weights depend on the seed alone: see `build_network`.

    Examples
    --------
    >>> first, second = (build_centroid_network("mlp", (4,), 3, seed=0) for _ in range(2))
    >>> torch.equal(first.centroids, second.centroids)
    True
    """
    plain = build_network(spec, sample_shape, n_clusters, seed)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(int(seed))
        network = CentroidNetwork(plain.backbone, n_clusters, per_cluster, close)
    network.head.load_state_dict(plain.head.state_dict())
    like = plain.head.weight
    return network.to(device=like.device, dtype=like.dtype)
