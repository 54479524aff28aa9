"""What happens to the columns of a table: warps, subspaces, irrelevant, correlated, discrete, heavy tails."""

from __future__ import annotations

import numpy as np

from coterie.data.priors.mixtures import Labels, Points, Rng

_WARP_UNITS = 16


def standardise(points: Points) -> Points:
    """Give each column mean 0 and standard deviation 1; a constant one becomes 0."""
    centred = points - points.mean(axis=0)
    spread = centred.std(axis=0)
    return np.asarray(centred / np.where(spread > 0, spread, 1.0))


def warp(rng: Rng, points: Points) -> Points:
    """Bend a table by a random network with a residual path, which keeps neighbours together."""
    d = points.shape[1]
    into = rng.normal(size=(d, _WARP_UNITS)) * rng.uniform(0.4, 1.2) / np.sqrt(d)
    out = rng.normal(size=(_WARP_UNITS, d)) / np.sqrt(_WARP_UNITS)
    hidden = np.tanh(standardise(points) @ into + rng.normal(scale=0.7, size=_WARP_UNITS))
    return np.asarray(standardise(points) + rng.uniform(0.3, 1.2) * hidden @ out)


def embed(rng: Rng, points: Points, n_columns: int) -> Points:
    """Turn a table into a random subspace of more columns, with a little noise in all of them."""
    turn, _ = np.linalg.qr(rng.normal(size=(n_columns, n_columns)))
    flat = standardise(points) @ turn[: points.shape[1]]
    scale = rng.uniform(0, 0.15) * flat.std()
    return np.asarray(flat + rng.normal(scale=scale, size=flat.shape))


def widen(rng: Rng, points: Points, n_more: int) -> Points:
    """Append columns that say nothing of the clusters, or repeat others with noise."""
    base = standardise(points)
    repeats = rng.random() < 0.5
    more = []
    for _ in range(n_more):
        noise = rng.normal(size=len(base)) if rng.random() < 0.7 else rng.uniform(-1.7, 1.7, size=len(base))
        if repeats and rng.random() < 0.7:
            mixed = base @ rng.normal(size=base.shape[1]) / np.sqrt(base.shape[1])
            noise = mixed + rng.uniform(0.1, 0.6) * noise
        more.append(noise)
    return np.column_stack([base, *more])


def bend_columns(rng: Rng, points: Points) -> Points:
    """Bend some columns by growing functions (heavy tails, saturation), and round some to few levels."""
    found = standardise(points)
    share = rng.uniform(0, 1)
    for column in range(found.shape[1]):
        if rng.random() < share:
            found[:, column] = _bend(rng, found[:, column])
    return found


def _bend(rng: Rng, values: Points) -> Points:
    kind = rng.choice(4)
    if kind == 0:
        return np.asarray(np.exp(rng.uniform(0.3, 0.9) * values))
    if kind == 1:
        return np.asarray(np.sign(values) * np.abs(values) ** rng.uniform(0.6, 1.6))
    if kind == 2:
        return np.asarray(np.tanh(rng.uniform(0.3, 1.0) * values))
    levels = rng.uniform(1, 4)
    return np.asarray(np.round(values * levels) / levels)


def add_outliers(rng: Rng, points: Points, labels: Labels, share: float) -> Labels:
    """Replace a share of the rows, in place, by rows of a box around the table; their labels become -1.

    Two rows of each cluster always stay.
    """
    n, d = points.shape
    rows = rng.choice(n, int(share * n), replace=False)
    sizes = np.bincount(labels)
    kept = [row for row in rows if _take(sizes, int(labels[row]))]
    low, high = points.min(axis=0), points.max(axis=0)
    margin = rng.uniform(0, 0.3) * (high - low)
    points[kept] = rng.uniform(low - margin, high + margin, size=(len(kept), d))
    marked = labels.copy()
    marked[kept] = -1
    return marked


def _take(sizes: Labels, label: int) -> bool:
    """Take one row away from a cluster, unless it would have fewer than two."""
    if sizes[label] <= 2:
        return False
    sizes[label] -= 1
    return True
