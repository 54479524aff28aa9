"""The DDC paper's network for vectors, which gives its first layer's output for the bandwidth."""

from __future__ import annotations

from torch import Tensor, nn

from coterie.nn.ddc import DDCPerceptron
from coterie.nn.network import ClusterNetwork

FIRST = "first"


class FirstLayerNetwork(ClusterNetwork):
    """A cluster network that also gives the output of its first layer (section 4.6 of the DDC paper).

    Parameters
    ----------
    network : ClusterNetwork
        With a `DDCPerceptron` as its backbone; its weights are taken over, with their names.

    Examples
    --------
    >>> import torch
    >>> network = FirstLayerNetwork(ClusterNetwork(DDCPerceptron(10), 3))
    >>> [tuple(value.shape) for value in network(torch.zeros(4, 10))]
    [(4, 500), (4, 3), (4, 200)]
    """

    outputs = ("embedding", "logits", FIRST)

    def __init__(self, network: ClusterNetwork) -> None:
        nn.Module.__init__(self)
        assert isinstance(network.backbone, DDCPerceptron)
        self.backbone: DDCPerceptron = network.backbone
        self.hidden = network.hidden
        self.head = network.head

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Map x (b, ...) to the embedding (b, e), the logits (b, k) and the first layer's output (b, h)."""
        first = self.backbone.first(x)
        embedding = self.backbone.rest(first)
        return embedding, self.head(embedding), first
