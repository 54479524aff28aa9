"""Mixtures of parts with random laws and covariances, and groups of directions on a sphere."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]
Sizes = npt.NDArray[np.int64]
Rng = np.random.Generator

_NORMAL = 0.35  # share of mixtures of Gaussians alone
_LARGEST_T = 6.0  # beyond it a sample of a t law is pulled in: one cell must not set a column's scale


def mixture(rng: Rng, sizes: Sizes, n_columns: int) -> tuple[Points, Labels]:
    """Draw a mixture whose centres are moved apart by a random separation.

    Parameters
    ----------
    rng : Generator
    sizes : int64 array of shape (k,)
        Rows of each part.
    n_columns : int

    Returns
    -------
    points : float64 array of shape (n, n_columns)
    labels : int64 array of shape (n,)
    """
    alike, spread, normal = rng.random() < 0.4, rng.uniform(0, 1), rng.random() < _NORMAL
    shared_law = _gaussian if normal else _choose_law(rng)
    shared_matrix = random_matrix(rng, n_columns)
    parts = []
    for size in sizes:
        law = shared_law if alike or normal else _choose_law(rng)
        matrix = shared_matrix if alike and spread < 0.5 else random_matrix(rng, n_columns)
        parts.append(law(rng, int(size), n_columns) @ matrix * np.exp(rng.normal(scale=0.5 * spread)))
    centres = _separate(rng, _centres(rng, len(sizes), n_columns), parts)
    points = np.concatenate([part + centre for part, centre in zip(parts, centres, strict=True)])
    return points, np.repeat(np.arange(len(sizes)), sizes)


def directions(rng: Rng, sizes: Sizes, n_columns: int) -> tuple[Points, Labels]:
    """Draw groups around random directions, as embeddings are.

    Groups scatter more along some columns than along others. Half of the tables are activations: their
    negative cells are 0. Rows of half of the tables have length 1.

    Parameters
    ----------
    rng : Generator
    sizes : int64 array of shape (k,)
    n_columns : int

    Returns
    -------
    points : float64 array of shape (n, n_columns)
    labels : int64 array of shape (n,)
    """
    rank = int(rng.integers(2, n_columns + 1))
    basis = rng.normal(size=(rank, n_columns))
    centres = _unit(rng.normal(size=(len(sizes), rank)) @ basis)
    noise = rng.uniform(0.3, 1.8) * np.exp(rng.normal(scale=0.2, size=len(sizes)))
    labels = np.repeat(np.arange(len(sizes)), sizes)
    stretch = _unit(rng.permutation(np.arange(1.0, n_columns + 1) ** -rng.uniform(0, 1))[None])
    points = centres[labels] + noise[labels, None] * stretch * rng.normal(size=(len(labels), n_columns))
    if rng.random() < 0.5:
        points = np.maximum(points + rng.uniform(-0.5, 0.5) * np.abs(points).mean(), 0)
    if rng.random() < 0.5:
        points /= np.linalg.norm(points, axis=1, keepdims=True) + 1e-9
    return points, labels


def random_matrix(rng: Rng, d: int) -> Points:
    """Draw a (d, d) matrix with random axes, whose largest and smallest stretch differ up to 10 times."""
    stretch = np.exp(rng.uniform(-1, 1, size=d) * rng.uniform(0, 1.15))
    if rng.random() < 0.3:  # axes along the columns
        return np.diag(stretch)
    turn, _ = np.linalg.qr(rng.normal(size=(d, d)))
    return np.asarray(turn * stretch)


def _centres(rng: Rng, k: int, d: int) -> Points:
    """Centres (k, d): free, on a grid with jitter, or on a line."""
    kind = rng.choice(3, p=(0.7, 0.2, 0.1))
    if kind == 0:
        return rng.normal(size=(k, d)) if rng.random() < 0.5 else rng.uniform(-1.5, 1.5, size=(k, d))
    if kind == 1:
        used = min(d, 3)
        side = int(np.ceil(k ** (1 / used)))
        cells = rng.choice(side**used, k, replace=False)
        grid = np.stack(np.unravel_index(cells, (side,) * used), axis=1).astype(float)
        return np.pad(grid, ((0, 0), (0, d - used))) + rng.normal(scale=0.1, size=(k, d))
    return np.arange(k)[:, None] * _unit(rng.normal(size=(1, d))) + rng.normal(scale=0.1, size=(k, d))


def _separate(rng: Rng, centres: Points, parts: list[Points]) -> Points:
    """Scale the centres so that a low quantile of the pairs is apart by a random number of spreads."""
    if len(parts) < 2:
        return centres
    first, second = np.triu_indices(len(parts), 1)
    gaps = centres[first] - centres[second]
    lengths = np.linalg.norm(gaps, axis=1) + 1e-9
    along = gaps / lengths[:, None]
    covariances = np.stack([part.T @ part / len(part) for part in parts])
    spreads = [
        np.sqrt(np.einsum("pi,pij,pj->p", along, covariances[side], along)) for side in (first, second)
    ]
    ratio = lengths / (spreads[0] + spreads[1] + 1e-9)
    wanted = rng.uniform(1.0, 2.2) if rng.random() < 0.6 else rng.uniform(2.0, 5.0)
    factor = float(wanted / np.quantile(ratio, rng.uniform(0, 0.25)))
    return centres * factor


def _unit(rows: Points) -> Points:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def _gaussian(rng: Rng, n: int, d: int) -> Points:
    return rng.normal(size=(n, d))


def _student(rng: Rng, n: int, d: int) -> Points:
    df = rng.uniform(3, 8)
    scale = np.sqrt((df - 2) / rng.chisquare(df, size=(n, 1)))
    return np.asarray(np.clip(rng.normal(size=(n, d)) * scale, -_LARGEST_T, _LARGEST_T))


def _box(rng: Rng, n: int, d: int) -> Points:
    return rng.uniform(-np.sqrt(3), np.sqrt(3), size=(n, d))


def _ball(rng: Rng, n: int, d: int) -> Points:
    radius = rng.uniform(size=(n, 1)) ** (1 / d)
    return np.asarray(_unit(rng.normal(size=(n, d))) * radius * np.sqrt(d + 2))


def _skewed(rng: Rng, n: int, d: int) -> Points:
    shape = rng.uniform(1.5, 6)
    return np.asarray((rng.gamma(shape, size=(n, d)) - shape) / np.sqrt(shape) * rng.choice((-1, 1), size=d))


def _laplace(rng: Rng, n: int, d: int) -> Points:
    return np.clip(rng.laplace(scale=np.sqrt(0.5), size=(n, d)), -_LARGEST_T, _LARGEST_T)


_LAWS: tuple[Callable[[Rng, int, int], Points], ...] = (
    *(_gaussian, _student, _box, _ball, _skewed, _laplace),
)
_WEIGHTS = (0.45, 0.12, 0.1, 0.12, 0.13, 0.08)


def _choose_law(rng: Rng) -> Callable[[Rng, int, int], Points]:
    return _LAWS[rng.choice(len(_LAWS), p=_WEIGHTS)]
