"""How features scatter within classes or clusters, and the map under which they scatter alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from coterie.data import Pairs
from coterie.methods.neighbor_graphs import Ints

_TINY = 1e-12


@dataclass(frozen=True)
class Scatter:
    """Principal axes of the scatter within classes.

    Attributes
    ----------
    values : float64 tensor of shape (d,)
        Variance along each axis.
    vectors : float64 tensor of shape (d, d)
        The axes, as columns.
    """

    values: Tensor
    vectors: Tensor

    @classmethod
    def of(cls, rows: Tensor) -> Scatter:
        """That of deviations (m, d)."""
        values, vectors = torch.linalg.eigh((rows.T @ rows / len(rows)).double())
        # the floor: classes of equal samples have no variance
        return cls(values.clamp_min(0) + _TINY, vectors)

    def scales(self, shrinkage: float) -> Tensor:
        """Factors (d,) along the axes that make the variance alike, the more so the less it is shrunk."""
        return ((1 - shrinkage) * self.values + shrinkage * self.values.mean()).rsqrt()

    def whitening(self, shrinkage: float) -> Tensor:
        """The same as a symmetric map (d, d).

        Examples
        --------
        >>> rows = torch.tensor([[2.0, 0.0], [-2.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
        >>> wide, narrow = Scatter.of(rows).whitening(0.01).diagonal().tolist()
        >>> round(narrow / wide, 1)
        2.0
        """
        whitening: Tensor = (self.vectors * self.scales(shrinkage)) @ self.vectors.T
        return whitening


def deviations(features: Tensor, known: Ints | Pairs) -> Tensor:
    """Rows (m, d) whose outer products have the scatter of features (n, d) within classes as their mean.

    Of labels, deviations from the means of classes; of pairs, differences of similar samples.
    """
    if isinstance(known, Pairs):
        similar = known.same > 0
        i, j = (torch.from_numpy(part[similar]) for part in (known.i, known.j))
        return (features[i] - features[j]) / 2**0.5
    rows = np.flatnonzero(known >= 0)
    used, codes = np.unique(known[rows], return_inverse=True)
    own = features[torch.from_numpy(rows)]
    of_row = torch.from_numpy(codes).to(own.device)
    sums = own.new_zeros(len(used), own.shape[1]).index_add_(0, of_row, own)
    found: Tensor = own - (sums / of_row.bincount(minlength=len(used))[:, None])[of_row]
    return found
