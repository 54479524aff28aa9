"""A multilayer perceptron for tables, precomputed embeddings and tiny images."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from coterie._errors import InputError
from coterie.nn.backbone import Backbone


class MLP(Backbone):
    """Stack of Linear, batch norm and ReLU; samples of more than one axis are flattened.

    The default widths halve once, from 256 to 128. 256 suffices to mix the columns of a table or the
    coordinates of a pretrained embedding, 128 stays above the usual number of clusters, and a step of
    this size still takes milliseconds on one core, so that restarts are cheap.

    Parameters
    ----------
    n_features : int
        Numbers per sample after flattening.
    hidden : sequence of int
        Widths of the layers; the last one is the embedding.
    batch_norm : bool
        Whether a batch norm stands between each Linear and its ReLU.

    Examples
    --------
    >>> import torch
    >>> network = MLP(10, hidden=(32, 16))
    >>> tuple(network(torch.zeros(4, 10)).shape), network.out_features
    ((4, 16), 16)
    """

    def __init__(
        self, n_features: int, hidden: Sequence[int] = (256, 128), *, batch_norm: bool = True
    ) -> None:
        super().__init__()
        widths = (int(n_features), *(int(width) for width in hidden))
        if len(widths) < 2 or min(widths) < 1:
            raise InputError(
                "n_features must be positive, and hidden must be one or more positive widths, "
                f"got {n_features} and {tuple(hidden)}"
            )
        self.layers = nn.Sequential(
            *(_layer(before, after, batch_norm=batch_norm) for before, after in pairwise(widths))
        )
        self.out_features = widths[-1]

    def forward(self, x: Tensor) -> Tensor:
        """Map x (b, ...) with n_features numbers per sample to the embedding (b, out_features)."""
        embedding: Tensor = self.layers(x.flatten(1))
        return embedding


def _layer(before: int, after: int, *, batch_norm: bool) -> nn.Sequential:
    """Linear, batch norm if wanted, ReLU."""
    # A bias in front of a batch norm is subtracted again by it.
    linear = nn.Linear(before, after, bias=not batch_norm)
    return nn.Sequential(linear, *([nn.BatchNorm1d(after)] if batch_norm else []), nn.ReLU())
