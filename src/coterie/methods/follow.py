"""A clustering of a random sample of a large table, which all other rows follow."""

from __future__ import annotations

import torch
from sklearn.metrics import pairwise_distances_argmin
from torch import Tensor

from coterie.methods.merge import ClusterSubsets


def follow_sample(
    cluster: ClusterSubsets, points: Tensor, sample_size: int, seed: int = 0
) -> tuple[Tensor, list[Tensor]]:
    """Cluster a random sample in one pass; every other row takes over what its nearest sampled row has.

    Parameters
    ----------
    cluster : callable
        Clusters sets of rows (s, m).
    points : tensor of shape (n, d)
        What the distance of two rows is measured by.
    sample_size : int
        Below n.
    seed : int

    Returns
    -------
    count_proba : tensor of shape (K,)
        Of the sample.
    assignments : list of tensors
        The k-th of shape (n, k), rows that sum to 1.

    Examples
    --------
    >>> points = torch.arange(100.0).unsqueeze(1)
    >>> def by_half(rows):
    ...     return torch.tensor([[0.1, 0.9]]), [torch.ones(*rows.shape, 1), torch.eye(2)[rows // 50]]
    >>> count_proba, assignments = follow_sample(by_half, points, 20)
    >>> int((assignments[1].argmax(dim=1) == torch.arange(100) // 50).sum()) > 90
    True
    """
    rows = torch.randperm(len(points), generator=torch.Generator().manual_seed(seed))[:sample_size]
    count_proba, assignments = cluster(rows.unsqueeze(0))
    values = points.cpu().numpy()
    nearest = pairwise_distances_argmin(values, values[rows.numpy()])
    return count_proba[0], [part[0][torch.from_numpy(nearest)] for part in assignments]
