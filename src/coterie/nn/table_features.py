"""What a network for tables sees of a set of rows: pair distances, hierarchies, and the rows' own profiles.

All of it is a function of standardised columns and, but for the cells of `column_cells`, of the rows'
distances alone: the order of the columns, their shifts and their scales change nothing, and rotations of the
standardised table nearly nothing.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from scipy.cluster.hierarchy import cophenet, linkage
from scipy.spatial.distance import squareform
from torch import Tensor

SMALL = 1e-6  # under square roots and logarithms of distances: two rows may coincide
_CONSTANT = 1e-6  # spread of a column, relative to its largest value, below which it counts as constant
_NEIGHBOUR = 4  # the distance to this neighbour is a row's own scale
_CORE = 8  # the distance to this neighbour is the least reach of a row in the density hierarchy
_FLOOR = 0.05  # least share of the mean variance that a direction has where the table is whitened
PROFILE_RANKS = (1, 2, 4, 8, 16)
PROFILE_SHARES = (0.1, 0.25, 0.5, 0.75)
# the hierarchies: single linkage, single linkage by mutual reachability, average linkage, Ward
N_HIERARCHIES = 4
PAIR_FEATURES = 3 + 1 + 2 * N_HIERARCHIES
PROFILE_FEATURES = len(PROFILE_RANKS) + len(PROFILE_SHARES)
CELL_FEATURES = 3


def standard_columns(tables: Tensor) -> tuple[Tensor, Tensor]:
    """Columns with mean 0 and standard deviation 1, constant ones 0, and which are not constant.

    Parameters
    ----------
    tables : float tensor of shape (b, n, d)

    Returns
    -------
    standard : tensor of shape (b, n, d)
    used : bool tensor of shape (b, d)
    """
    centred = tables - tables.mean(dim=1, keepdim=True)
    spread = centred.square().mean(dim=1, keepdim=True).sqrt()
    used = spread > _CONSTANT * tables.abs().amax(dim=1, keepdim=True) + torch.finfo(tables.dtype).tiny
    return torch.where(used, centred / spread.clamp_min(torch.finfo(spread.dtype).tiny), 0), used.squeeze(1)


def log_distances(items: Tensor) -> Tensor:
    """Logarithms of Euclidean distances: (b, n, d) -> (b, n, n); rows that coincide have log(0.001).

    Distances are sums of squared differences: with inner products, rounding would decide what the distance of
    a row to itself or to an equal row is.
    """
    distances = torch.cdist(items, items, compute_mode="donot_use_mm_for_euclid_dist")
    return (distances.square() + SMALL).log() / 2


def whitened(items: Tensor) -> Tensor:
    """Rows in which every direction has about the same variance; weak directions stay weaker."""
    covariance = items.mT @ items / items.shape[1]
    values, vectors = torch.linalg.eigh(covariance)
    values = values.clamp_min(0)
    mean = values.sum(dim=1, keepdim=True) / (values > SMALL).sum(dim=1, keepdim=True).clamp_min(1)
    turned: Tensor = (items @ vectors) / (values + _FLOOR * mean + SMALL).sqrt().unsqueeze(1)
    return turned / (turned.square().sum(dim=2).mean(dim=1) + SMALL).sqrt()[:, None, None]


def row_profiles(logs: Tensor) -> Tensor:
    """Log distances of each row to its neighbours of some ranks: (b, n, n) -> (b, n, PROFILE_FEATURES)."""
    n = logs.shape[1]
    ordered = logs.sort(dim=2).values
    ranks = [min(rank, n - 1) for rank in PROFILE_RANKS] + [int(share * (n - 1)) for share in PROFILE_SHARES]
    return ordered[:, :, ranks]


def pair_features(items: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What is known of pairs of rows.

    Parameters
    ----------
    items : float tensor of shape (b, n, d)
        Standard columns, divided by the root of their number.

    Returns
    -------
    features : tensor of shape (b, n, n, PAIR_FEATURES)
        Log distances, also relative to the scale of either row; those of the whitened table; and, for each
        hierarchy, the log height at which two rows are joined and the log number of clusters at which they
        are parted.
    profiles : tensor of shape (b, n, PROFILE_FEATURES)
    heights : tensor of shape (b, N_HIERARCHIES, n - 1)
        Log heights of the joins of each hierarchy, the highest first.
    """
    logs = log_distances(items)
    neighbour = min(_NEIGHBOUR, items.shape[1] - 1) + 1
    own = logs.kthvalue(neighbour, dim=2).values
    plain = [logs, logs - own.unsqueeze(2), logs - own.unsqueeze(1), log_distances(whitened(items))]
    found = [_hierarchies(one) for one in logs.exp().double().cpu().numpy()]
    joined = torch.from_numpy(np.stack([pairs for pairs, _ in found])).to(items)
    heights = torch.from_numpy(np.stack([heights for _, heights in found])).to(items)
    return torch.cat([torch.stack(plain, dim=-1), joined], dim=-1), row_profiles(logs), heights


Numbers = npt.NDArray[np.float64]


def _hierarchies(distances: Numbers) -> tuple[Numbers, Numbers]:
    """Pair features (n, n, 2 N_HIERARCHIES) and log heights (N_HIERARCHIES, n - 1) of one set."""
    n = len(distances)
    distances = (distances + distances.T) / 2
    np.fill_diagonal(distances, 0)
    flat = squareform(distances, checks=False)
    core = np.partition(distances, min(_CORE, n - 1), axis=1)[:, min(_CORE, n - 1)]
    reach = squareform(np.maximum(distances, np.maximum(core[:, None], core)), checks=False)
    pairs, heights = [], []
    for values, method, power in (
        (flat, "single", 1.0),
        (reach, "single", 1.0),
        (flat, "average", 1.0),
        (flat, "ward", n**-0.5),
    ):
        joins = linkage(values, method)
        logs = np.log(joins[:, 2] * power + SMALL)
        order = joins.copy()
        order[:, 2] = np.arange(n - 1)
        when = cophenet(order).astype(np.int64)
        pairs += [_square(logs[when], np.log(SMALL) / 2), _square(np.log(n - when), np.log(n))]
        heights.append(logs[::-1])
    return np.stack(pairs, axis=-1), np.stack(heights)


def _square(flat: Numbers, diagonal: float) -> Numbers:
    found: Numbers = squareform(flat, checks=False)
    np.fill_diagonal(found, diagonal)
    return found


def column_cells(standard: Tensor) -> Tensor:
    """What each cell says alone: its value bounded, its rank, the log density of its column about it.

    (b, n, d) -> (b, n, d, CELL_FEATURES).
    """
    n = standard.shape[1]
    ordered, order = standard.sort(dim=1)
    ranks = torch.argsort(order, dim=1)
    reach = max(1, n // 16)
    high, low = (ranks + reach).clamp_max(n - 1), (ranks - reach).clamp_min(0)
    width = ordered.gather(1, high) - ordered.gather(1, low)
    density = ((high - low) / n / (width + 0.01)).log()
    # the mean rank of equal cells, so that the order of rows says nothing
    first = torch.searchsorted(ordered.mT.contiguous(), standard.mT.contiguous(), right=False)
    last = torch.searchsorted(ordered.mT.contiguous(), standard.mT.contiguous(), right=True)
    rank = ((first + last).mT / n - 1).to(standard.dtype)
    return torch.stack([standard.clamp(-5, 5), rank, density], dim=-1)
