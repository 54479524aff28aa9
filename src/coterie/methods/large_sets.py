"""Sets too large for one pass: subsets merged into one clustering, or a sample that the other rows follow."""

from __future__ import annotations

from collections.abc import Callable

import torch
from sklearn.metrics import pairwise_distances_argmin
from torch import Tensor

from coterie.nn.set_attention import choose_seeds

# rows (s, m) -> P(k) (s, K) and the K assignments (s, m, k)
ClusterSubsets = Callable[[Tensor], tuple[Tensor, list[Tensor]]]
_TOGETHER = 4  # subsets in one forward pass


def merge_subsets(
    cluster: ClusterSubsets, n_samples: int, subset_size: int, seed: int = 0
) -> tuple[Tensor, list[Tensor]]:
    """Cluster subsets that share a core of samples, and merge them through who is together in the core.

    Half of every subset is the same random core, the other halves share out the rest. For each k, the
    core's co-assignment (the mean over the subsets of P_ij) is clustered like a network's similarities, and
    each subset's clusters are carried over to the result by the core samples that they hold.

    Parameters
    ----------
    cluster : callable
        Clusters subsets, rows (s, m).
    n_samples : int
        Above `subset_size`.
    subset_size : int
        Samples of a subset, at least 4.
    seed : int

    Returns
    -------
    count_proba : tensor of shape (K,)
        Mean over the subsets.
    assignments : list of tensors
        The k-th of shape (n_samples, k), rows that sum to 1.

    Examples
    --------
    >>> truth = torch.arange(100) % 2
    >>> def by_truth(rows):
    ...     return torch.tensor([[0.1, 0.9]]), [torch.ones(*rows.shape, 1), torch.eye(2)[truth[rows]]]
    >>> count_proba, assignments = merge_subsets(by_truth, 100, 20)
    >>> found = assignments[1].argmax(dim=1)
    >>> bool((found == truth).all() or (found != truth).all())
    True
    """
    core, rows = _subsets(n_samples, subset_size, seed)
    clustered = [cluster(some) for some in torch.split(rows, _TOGETHER)]
    count_proba = torch.cat([count for count, _ in clustered]).double().mean(dim=0)
    by_k = zip(*(parts for _, parts in clustered), strict=True)
    return count_proba, [_merge(torch.cat(parts).double(), rows, core, n_samples) for parts in by_k]


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


def _subsets(n_samples: int, subset_size: int, seed: int) -> tuple[int, Tensor]:
    """Size of the core, and rows (s, m) that begin with it; others' samples fill up the last subset."""
    order = torch.randperm(n_samples, generator=torch.Generator().manual_seed(seed))
    core = subset_size // 2
    rest, share = order[core:], subset_size - core
    missing = -len(rest) % share
    rest = torch.cat([rest, rest[:missing]]).view(-1, share)
    return core, torch.cat([order[:core].expand(len(rest), -1), rest], dim=1)


def _merge(parts: Tensor, rows: Tensor, core: int, n_samples: int) -> Tensor:
    """Assignments (s, m, k) of subsets as one assignment (n, k)."""
    k = parts.shape[2]
    in_core = parts[:, :core]
    together = (in_core @ in_core.mT).mean(dim=0)
    seeds, _ = choose_seeds(together.unsqueeze(0), k)
    shares = _rows_to_one(together[:, seeds[0]])
    carried = _rows_to_one(in_core.mT @ shares)  # (s, k, k): a subset's cluster as clusters of the result
    merged = torch.zeros(n_samples, k, dtype=parts.dtype)
    merged.index_add_(0, rows.flatten(), (parts @ carried).flatten(0, 1))
    return _rows_to_one(merged)


def _rows_to_one(values: Tensor) -> Tensor:
    """Nonnegative rows divided by their sums; a row of zeros becomes uniform."""
    values = values + torch.finfo(values.dtype).tiny
    return values / values.sum(dim=-1, keepdim=True)
