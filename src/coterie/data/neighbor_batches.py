"""Batches of rows, each with one of its nearest neighbors."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from coterie._types import BatchPlan, Rows
from coterie.data.batches import RowBatches
from coterie.data.orders import as_matrix, unique_in_order
from coterie.data.pairs import Pairs

_NEIGHBOR_STREAM = 3  # `Order` and the other batches draw from streams 0 to 2
_EVALUATION_SEED = 0


class NeighborBatches:
    """The rows of `RowBatches`, one neighbor of each drawn at random, and the ends of known pairs.

    Parameters
    ----------
    neighbors : int64 array of shape (n, m)
        Rows that are near each row; m = 0 takes each row as its own neighbor.
    batch_size : int, at least 2
        Rows drawn for a batch, which then has up to twice as many.
    pairs : Pairs, optional
        As in `RowBatches`.

    Attributes
    ----------
    n_steps : int
        Steps in one epoch.

    Examples
    --------
    >>> batches = NeighborBatches(np.array([[1], [0], [3], [2]]), batch_size=2)
    >>> plan = batches.plan(seed=0, epoch=0, step=0)
    >>> bool((plan.rows[plan.neighbors] == plan.rows[: plan.n_drawn] ^ 1).all())
    True
    """

    def __init__(self, neighbors: Rows, batch_size: int, *, pairs: Pairs | None = None) -> None:
        self._neighbors = neighbors
        self._rows = RowBatches(len(neighbors), batch_size, pairs=pairs)

    @property
    def n_steps(self) -> int:
        """Steps in one epoch."""
        return self._rows.n_steps

    def plan(self, seed: int, epoch: int, step: int) -> BatchPlan:
        """Return the rows of one step, see `Sampler`."""
        rng = np.random.default_rng([seed, epoch, step, _NEIGHBOR_STREAM])
        return self._with_neighbors(self._rows.plan(seed, epoch, step), rng)

    def evaluation_plans(self) -> Iterator[BatchPlan]:
        """Yield every row once, with the same neighbor each time, in the order of `RowBatches`."""
        rng = np.random.default_rng(_EVALUATION_SEED)
        for plan in self._rows.evaluation_plans():
            yield self._with_neighbors(plan, rng)

    def _with_neighbors(self, plan: BatchPlan, rng: np.random.Generator) -> BatchPlan:
        drawn = plan.rows[: plan.n_drawn]
        near = drawn
        if self._neighbors.shape[1]:
            near = self._neighbors[drawn, rng.integers(self._neighbors.shape[1], size=len(drawn))]
        rows, places = unique_in_order(np.concatenate([plan.rows, near]))
        same = None
        if plan.same is not None:
            i, j = np.nonzero(plan.same)
            same = as_matrix(np.stack([i, j], axis=1).ravel(), plan.same[i, j], len(rows))
        return BatchPlan(rows, same=same, n_drawn=len(drawn), neighbors=places[len(plan.rows) :])
