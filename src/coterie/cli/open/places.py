"""The map: samples in the plane, those that are alike close to each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.manifold import TSNE
from sklearn.neighbors import NearestNeighbors

from coterie.cli.open import library
from coterie.data.files import atomic_write

# samples that t-SNE places; each other one goes between those that it is nearest to
_LANDMARKS = 2_000
_NEAREST = 4

Floats = npt.NDArray[np.float32]


def draw_map(run: Path) -> None:
    """Work out the map of a run that was prepared."""
    folder = run / library.FOLDER
    found = places(np.load(folder / library.POINTS))
    with atomic_write(folder / library.MAP) as temporary, open(temporary, "wb") as file:
        np.save(file, found)


def places(points: npt.NDArray[Any], landmarks: int = _LANDMARKS) -> Floats:
    """Places in the unit square, float32 (n, 2).

    Examples
    --------
    >>> found = places(np.repeat(np.eye(3), 10, axis=0), landmarks=20)
    >>> found.shape, bool(found.min() >= 0 and found.max() <= 1)
    ((30, 2), True)
    """
    n = len(points)
    if n < 4:
        return np.linspace(0.25, 0.75, 2 * n, dtype=np.float32).reshape(n, 2)
    rows = np.sort(np.random.default_rng(0).permutation(n)[:landmarks])
    perplexity = min(30.0, (len(rows) - 1) / 3)
    placed = TSNE(2, perplexity=perplexity, init="random", random_state=0).fit_transform(points[rows])
    if len(rows) == n:
        return _in_square(placed)
    distance, near = NearestNeighbors(n_neighbors=_NEAREST).fit(points[rows]).kneighbors(points)
    weight = 1 / np.maximum(distance, 1e-6)
    weight /= weight.sum(axis=1, keepdims=True)
    found = (placed[near] * weight[:, :, None]).sum(axis=1)
    # equal samples beside each other rather than in one spot
    spread = 0.005 * np.ptp(placed, axis=0)
    return _in_square(found + np.random.default_rng(1).normal(size=found.shape) * spread)


def _in_square(found: npt.NDArray[Any]) -> Floats:
    low, high = found.min(axis=0), found.max(axis=0)
    return np.asarray((found - low) / np.maximum(high - low, 1e-12), dtype=np.float32)
