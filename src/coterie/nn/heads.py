"""A cluster network with several heads that train side by side, of which one is kept."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from coterie.nn.backbone import Backbone
from coterie.nn.build import BackboneSpec
from coterie.nn.network import ClusterNetwork, build_network


class HeadsNetwork(ClusterNetwork):
    """A backbone, linear heads that see its embedding with some values dropped, and the head that predicts.

    Parameters
    ----------
    backbone : Backbone
    n_clusters : int
    heads : sequence of str
        Their names.
    dropout : float in [0, 1)
        Share of the embedding's values that training sets to 0.

    Attributes
    ----------
    head : nn.Linear
        Predicts, and is not trained: `keep_head` copies one of the others into it.
    all_heads : nn.Linear
        The heads, one after another.

    Examples
    --------
    >>> from coterie.nn import MLP
    >>> values = HeadsNetwork(MLP(10), 3, ("a", "b"))(torch.zeros(4, 10))
    >>> [tuple(value.shape) for value in values]
    [(4, 128), (4, 3), (4, 3), (4, 3)]
    """

    def __init__(
        self, backbone: Backbone, n_clusters: int, heads: Sequence[str], dropout: float = 0.0
    ) -> None:
        super().__init__(backbone, n_clusters)
        self.heads = tuple(heads)
        self.outputs = ("embedding", "logits", *(f"logits/{name}" for name in self.heads))
        self.head.requires_grad_(False)
        self.all_heads = backbone.make_head(len(self.heads) * n_clusters)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Map x to the embedding (b, e), the kept head's logits (b, k) and those of each head (b, k)."""
        embedding = self.embed(x)
        each: Sequence[Tensor] = self.all_heads(self.dropout(embedding)).chunk(len(self.heads), dim=1)
        return embedding, self.head(embedding), *each

    def keep_head(self, head: str) -> None:
        """Predict by one of the heads from now on, in place."""
        place = self.heads.index(head)
        with torch.no_grad():
            self.head.weight.copy_(self.all_heads.weight.chunk(len(self.heads))[place])
            self.head.bias.copy_(self.all_heads.bias.chunk(len(self.heads))[place])


def build_heads_network(
    spec: BackboneSpec,
    sample_shape: Sequence[int],
    n_clusters: int,
    seed: int,
    *,
    heads: Sequence[str],
    dropout: float,
) -> HeadsNetwork:
    """Build a network with heads whose initial weights depend on the seed alone: see `build_network`.

    Examples
    --------
    >>> first, second = (build_heads_network("mlp", (4,), 3, 0, heads=("a",), dropout=0.5) for _ in "ab")
    >>> torch.equal(first.all_heads.weight, second.all_heads.weight)
    True
    """
    plain = build_network(spec, sample_shape, n_clusters, seed)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(int(seed))
        network = HeadsNetwork(plain.backbone, n_clusters, heads, dropout)
    return network.to(device=plain.head.weight.device, dtype=plain.head.weight.dtype)
