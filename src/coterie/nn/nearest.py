"""A network that gives each sample what the nearest of some kept samples has."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from coterie.nn.build import build_backbone
from coterie.nn.network import ClusterNetwork

_NARROW = 64  # up to so many features, distances are summed exactly: a sample is then nearest to itself
_LEAST = 1e-12  # under the logarithms of probabilities
_MOST = torch.finfo(torch.float64).max


class NearestHead(nn.Module):
    """Kept samples and their clusters' probabilities; others follow the nearest of them.

    Parameters
    ----------
    n_samples, in_features, n_clusters : int

    Attributes
    ----------
    samples : tensor of shape (n_samples, in_features)
    log_proba : tensor of shape (n_samples, n_clusters)
    limits : float64 tensor of shape (n_clusters,)
        Distance to near kept samples above which a sample of each cluster is noise; at first the largest
        number, so that none is.

    Examples
    --------
    >>> head = NearestHead(2, 1, 2)
    >>> head.keep(torch.tensor([[0.0], [1.0]]), torch.eye(2))
    >>> head(torch.tensor([[0.9], [0.2]])).argmax(dim=1).tolist()
    [1, 0]
    """

    limits: Tensor

    def __init__(self, n_samples: int, in_features: int, n_clusters: int) -> None:
        super().__init__()
        self.in_features = in_features
        self.samples = nn.Parameter(torch.zeros(n_samples, in_features), requires_grad=False)
        self.log_proba = nn.Parameter(torch.zeros(n_samples, n_clusters), requires_grad=False)
        self.register_buffer("limits", torch.full((n_clusters,), _MOST, dtype=torch.float64))

    def keep(self, samples: Tensor, proba: Tensor) -> None:
        """Keep samples (n_samples, in_features) and probabilities (n_samples, n_clusters)."""
        self.samples.copy_(samples)
        self.log_proba.copy_(proba.clamp_min(_LEAST).log())

    def limit(self, limits: npt.NDArray[np.float64]) -> None:
        """Set `limits`; infinity, which no saved file holds, becomes the largest number."""
        self.limits.copy_(torch.from_numpy(limits).clamp_max(_MOST))

    def forward(self, embedding: Tensor) -> Tensor:
        """Map (b, in_features) to the log probabilities (b, n_clusters) of the nearest kept samples."""
        exact = self.in_features <= _NARROW
        mode = "donot_use_mm_for_euclid_dist" if exact else "use_mm_for_euclid_dist"
        nearest = torch.cdist(embedding, self.samples, compute_mode=mode).argmin(dim=1)
        return self.log_proba[nearest]


def build_nearest(sample_shape: Sequence[int], n_samples: int, n_clusters: int) -> ClusterNetwork:
    """A network for vectors of `sample_shape` whose head keeps so many samples, all 0 as yet."""
    network = ClusterNetwork(build_backbone("identity", sample_shape), n_clusters)
    head: nn.Module = NearestHead(n_samples, sample_shape[0], n_clusters)
    network.head = head  # type: ignore[assignment]  # it maps as a linear layer does
    return network
