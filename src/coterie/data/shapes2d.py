"""Sets of 2-D points in rings, moons and Gaussian clusters: what L2C's model for points is trained on.

The kinds of shapes and their numbers are those of Meier, Elezi, Amirian, Dürr and Stadelmann, "Learning
neural models for end-to-end clustering", ANNPR 2018 (arXiv:1807.04001), as their released generator has them.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from coterie._checks import check_int, check_range
from coterie.data.checks import RandomState, generator

Points = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]
Figure = tuple[Points, Labels]

MIN_ITEMS = 2  # smallest cluster of a set
_RING_NOISE, _MOON_NOISE = 0.02, 0.03
_RING_FACTOR = (0.1, 0.4)
_MARGIN = 0.25  # rings and moons fill the middle half of their cell
_SIGMA, _CENTRE_DISTANCE = 0.05, 0.2
# Share of the figures that spread into free neighbouring cells. It and the weight of two rings make the
# sets as hard for k-means and DBSCAN as the paper's are.
_STRETCHED = 0.4


def shapes2d(
    n_sets: int,
    n_samples: int = 72,
    *,
    n_clusters: tuple[int, int] = (1, 5),
    random_state: RandomState = None,
) -> tuple[npt.NDArray[np.float32], Labels]:
    """Draw sets of 2-D points whose clusters are rings, moons and Gaussians.

    Each set has k clusters, k uniform over a range, of near-equal size (multinomial within a group of
    Gaussians). Its figures are drawn among one ring, two concentric rings (twice as often as the others),
    one moon, two moons and 1, 2 or 5 Gaussians, as long as they fit; they stand in random cells of a grid
    over the unit square.

    Parameters
    ----------
    n_sets : int
    n_samples : int, default=72
        Points in a set; at least twice the largest number of clusters.
    n_clusters : (int, int), default=(1, 5)
        Smallest and largest number of clusters.
    random_state : int, Generator, RandomState or None

    Returns
    -------
    points : float32 array of shape (n_sets, n_samples, 2)
        In random order; mostly in the unit square.
    labels : int64 array of shape (n_sets, n_samples)
        In 0..k-1, each at least twice.

    Raises
    ------
    InputError, InputTypeError
        A number is out of its range.

    Examples
    --------
    >>> points, labels = shapes2d(3, n_clusters=(2, 4), random_state=0)
    >>> points.shape, (labels.max(axis=1) + 1).tolist()
    ((3, 72, 2), [2, 3, 3])
    """
    check_int("n_sets", n_sets, 1)
    fewest, most = check_range("n_clusters", n_clusters)
    check_int("n_samples", n_samples, MIN_ITEMS * most)
    rng = generator(random_state)
    points = np.empty((n_sets, n_samples, 2), dtype=np.float32)
    labels = np.empty((n_sets, n_samples), dtype=np.int64)
    for number in range(n_sets):
        order = rng.permutation(n_samples)
        drawn, codes = _draw_set(rng, n_samples, int(rng.integers(fewest, most + 1)))
        points[number], labels[number] = drawn[order], codes[order]
    return points, labels


def _draw_set(rng: np.random.Generator, n_samples: int, k: int) -> Figure:
    """One set of k clusters, not yet shuffled: points (n_samples, 2) and labels (n_samples,)."""
    sizes = np.full(k, n_samples // k)
    sizes[-1] += n_samples - sizes.sum()
    figures: list[Figure] = []
    first = 0
    while first < k:
        fitting = [kind for kind in _KINDS if _fits(kind, sizes[first:])]
        weights = np.array([kind.weight for kind in fitting])
        kind = fitting[rng.choice(len(fitting), p=weights / weights.sum())]
        points, labels = kind.draw(rng, int(sizes[first : first + kind.n_clusters].sum()))
        figures.append((points, labels + first))
        first += kind.n_clusters
    if len(figures) > 1:
        _place(rng, figures)
    return np.concatenate([points for points, _ in figures]), np.concatenate([codes for _, codes in figures])


def _place(rng: np.random.Generator, figures: list[Figure]) -> None:
    """Move the figures, each in the unit square, to rectangles of cells of one grid, in place."""
    side = int(np.ceil(np.sqrt(len(figures))))
    width, height = (side + int(rng.integers(side // 2 + 1)) for _ in range(2))
    cells = rng.choice(width * height, len(figures), replace=False)
    taken = np.zeros((height, width), dtype=bool)
    taken.ravel()[cells] = True
    for (points, _), cell in zip(figures, cells, strict=True):
        y, x = divmod(int(cell), width)
        taken[y, x] = False
        x0, x1, y0, y1 = _stretch(rng, taken, x, y) if rng.random() < _STRETCHED else (x, x + 1, y, y + 1)
        taken[y0:y1, x0:x1] = True
        points *= ((x1 - x0) / width, (y1 - y0) / height)
        points += (x0 / width, y0 / height)


def _stretch(rng: np.random.Generator, taken: npt.NDArray[np.bool_], x: int, y: int) -> tuple[int, ...]:
    """A random free rectangle (x0, x1, y0, y1) that reaches at most one cell beyond (x, y) on each side."""
    height, width = taken.shape
    free = []
    for left, right, up, down in product((0, 1), repeat=4):
        x0, x1, y0, y1 = x - left, x + 1 + right, y - up, y + 1 + down
        inside = x0 >= 0 and y0 >= 0 and x1 <= width and y1 <= height
        if inside and left + right + up + down and not taken[y0:y1, x0:x1].any():
            free.append((x0, x1, y0, y1))
    return free[rng.integers(len(free))] if free else (x, x + 1, y, y + 1)


def _ring(rng: np.random.Generator, n: int) -> Figure:
    angles = 2 * np.pi * np.arange(n) / n
    points = rng.uniform(*_RING_FACTOR) * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return _turned(rng, points, _RING_NOISE), np.zeros(n, dtype=np.int64)


def _two_rings(rng: np.random.Generator, n: int) -> Figure:
    labels = (np.arange(n) >= n // 2).astype(np.int64)
    counts = np.bincount(labels)
    angles = np.concatenate([2 * np.pi * np.arange(count) / count for count in counts])
    radius = np.where(labels == 0, 1.0, rng.uniform(*_RING_FACTOR))
    points = radius[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return _turned(rng, points, _RING_NOISE), labels


def _moon(rng: np.random.Generator, n: int) -> Figure:
    angles = np.linspace(0, np.pi, n)
    return _turned(rng, np.stack([np.cos(angles), np.sin(angles)], axis=1), _MOON_NOISE), np.zeros(
        n, dtype=np.int64
    )


def _two_moons(rng: np.random.Generator, n: int) -> Figure:
    labels = (np.arange(n) >= n // 2).astype(np.int64)
    angles = np.concatenate([np.linspace(0, np.pi, count) for count in np.bincount(labels)])
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    points[labels == 1] = (1.0, 0.5) - points[labels == 1]
    return _turned(rng, points, _MOON_NOISE), labels


def _turned(rng: np.random.Generator, points: Points, most_noise: float) -> Points:
    """Add noise of a random strength, turn by a random angle, and fill the middle of the unit square."""
    points = points + rng.normal(size=points.shape) * rng.uniform(0, most_noise)
    cos, sin = np.cos(angle := rng.uniform(0, 2 * np.pi)), np.sin(angle)
    points = points @ np.array([[cos, sin], [-sin, cos]])
    low, high = points.min(axis=0), points.max(axis=0)
    filled: Points = _MARGIN + (points - low) * ((1 - 2 * _MARGIN) / (high - low))
    return filled


def _gaussians(k: int) -> Callable[[np.random.Generator, int], Figure]:
    def draw(rng: np.random.Generator, n: int) -> Figure:
        counts = MIN_ITEMS + rng.multinomial(n - MIN_ITEMS * k, np.full(k, 1 / k))
        labels = np.repeat(np.arange(k), counts)
        return _centres(rng, k)[labels] + rng.normal(scale=_SIGMA, size=(n, 2)), labels

    return draw


def _centres(rng: np.random.Generator, k: int) -> Points:
    """k points of the unit square that keep their distance."""
    centres: list[Points] = []
    while len(centres) < k:
        new = rng.random(2)
        if all(np.hypot(*(new - old)) >= _CENTRE_DISTANCE for old in centres):
            centres.append(new)
    return np.array(centres)


class _Kind(NamedTuple):
    """A figure: how many clusters it has, how many points each of them needs, how it is drawn, how often."""

    n_clusters: int
    min_items: int
    draw: Callable[[np.random.Generator, int], Figure]
    weight: float = 1.0


_KINDS = (
    _Kind(1, 10, _ring),
    _Kind(2, 5, _two_rings, 2),
    _Kind(1, 10, _moon),
    _Kind(2, 5, _two_moons),
    *(_Kind(k, MIN_ITEMS, _gaussians(k)) for k in (1, 2, 5)),
)


def _fits(kind: _Kind, sizes: npt.NDArray[np.int64]) -> bool:
    return kind.n_clusters <= len(sizes) and kind.min_items <= int(sizes[: kind.n_clusters].min())
