"""Information-theoretic metric learning (ITML), algorithm 1 of its paper.

Davis, Kulis, Jain, Sra and Dhillon, "Information-theoretic metric learning" (ICML 2007). The package
metric-learn contains it too, but its last release (0.7.0) does not run with the present scikit-learn.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from coterie import Pairs

Floats = npt.NDArray[np.float64]
# percentiles of all distances: similar pairs are to be nearer than the first, others farther than the second
NEAR, FAR = 5.0, 95.0
SLACK = 1.0
MAX_SWEEPS, TOLERANCE = 100, 1e-3
# distances from which the bounds are taken
BOUND_PAIRS = 10_000


def itml(points: Floats, pairs: Pairs, seed: int, slack: float = SLACK) -> Floats:
    """Points in which similar pairs are near and others far apart, as little changed as that takes.

    Parameters
    ----------
    points : float64 array of shape (n, d)
    pairs : Pairs
    seed : int
        Of the points whose distances give the bounds.
    slack : float > 0
        Weight of the bounds beside the divergence from the given distances.

    Returns
    -------
    float64 array of shape (n, d)
        Euclidean distances in it are those of the metric.

    Examples
    --------
    >>> points = np.array([[0.0, 0.0], [0.0, 3.0], [1.0, 0.0], [1.0, 3.0]])
    >>> found = itml(points, Pairs([0, 2, 0], [1, 3, 2], [1, 1, -1]), seed=0)
    >>> bool(np.linalg.norm(found[0] - found[1]) < np.linalg.norm(found[0] - found[2]))
    True
    """
    differences = points[pairs.i] - points[pairs.j]
    apart = differences.any(axis=1)
    differences, similar = differences[apart], pairs.same[apart] > 0
    matrix = np.eye(points.shape[1])
    bounds = np.where(similar, *_bounds(points, seed))
    multipliers, share = np.zeros(len(similar)), slack / (slack + 1)
    for _ in range(MAX_SWEEPS):
        before = multipliers.copy()
        for row, difference in enumerate(differences):
            sign = 1.0 if similar[row] else -1.0
            mapped = matrix @ difference
            distance = difference @ mapped
            step = min(multipliers[row], sign * share * (1 / distance - 1 / bounds[row]))
            multipliers[row] -= step
            bounds[row] *= slack / (slack + sign * step * bounds[row])
            matrix += sign * step / (1 - sign * step * distance) * np.outer(mapped, mapped)
        moved = np.abs(multipliers - before).sum()
        if moved <= TOLERANCE * (np.abs(before).sum() + np.abs(multipliers).sum()):
            break
    values, vectors = np.linalg.eigh(matrix)
    mapped_points: Floats = points @ (vectors * np.sqrt(values.clip(0)))
    return mapped_points


def _bounds(points: Floats, seed: int) -> tuple[float, float]:
    """Squared distances that few and most pairs of different points are within."""
    draws = np.random.default_rng(seed)
    i, j = draws.integers(0, len(points), (2, BOUND_PAIRS))
    squared = np.square(points[i] - points[j]).sum(axis=1)
    near, far = np.percentile(squared[squared > 0], (NEAR, FAR))
    return float(near), float(far)
