"""Scenes of shapes in two or three dimensions: rings, arcs, bars, waves, spirals, boxes, nested figures."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.spatial import cKDTree

from coterie.data.priors.mixtures import Labels, Points, Rng, Sizes

_TRIES = 12  # random places for a figure before the scene grows
_NESTED = 0.25  # share of figures that go around the one before where they can
Draw = Callable[[Rng, int], Points]


def scene(rng: Rng, sizes: Sizes, n_columns: int) -> tuple[Points, Labels]:
    """Draw one figure for each size and place them so that they keep a random clearance.

    Parameters
    ----------
    rng : Generator
    sizes : int64 array of shape (k,)
    n_columns : {2, 3}

    Returns
    -------
    points : float64 array of shape (n, n_columns)
    labels : int64 array of shape (n,)
    """
    noise = np.exp(rng.uniform(np.log(0.005), np.log(0.12)))
    clearance = noise * rng.uniform(1.5, 4) + rng.uniform(0.02, 0.3)
    same_kind, kind = rng.random() < 0.3, _choose(rng)
    even_density = rng.random() < 0.4
    placed: list[Points] = []
    for size in sizes:
        draw = kind if same_kind else _choose(rng)
        flat = draw(rng, int(size)) * np.exp(rng.normal(scale=0.3))
        if even_density:
            flat *= np.sqrt(size / sizes.mean())
        figure = _lift(rng, flat, n_columns) + rng.normal(scale=noise, size=(int(size), n_columns))
        placed.append(_place(rng, figure, placed, clearance))
    return np.concatenate(placed), np.repeat(np.arange(len(sizes)), sizes)


def _lift(rng: Rng, flat: Points, n_columns: int) -> Points:
    """Turn a flat figure at random, in the plane or in space."""
    turn, _ = np.linalg.qr(rng.normal(size=(n_columns, n_columns)))
    return np.asarray(flat @ turn[:2])


def _place(rng: Rng, figure: Points, placed: list[Points], clearance: float) -> Points:
    """Move a figure to where it stays clear of those placed; around the last one where it can."""
    if not placed:
        return figure
    if rng.random() < _NESTED and (around := _around(rng, figure, placed, clearance)) is not None:
        return around
    others = np.concatenate(placed)
    tree, middle = cKDTree(others), others.mean(axis=0)
    reach = np.abs(others - middle).max() * rng.uniform(0.3, 1.2)
    while True:
        for _ in range(_TRIES):
            moved: Points = figure + middle + rng.uniform(-reach, reach, size=figure.shape[1])
            if tree.query(moved)[0].min() >= clearance:
                return moved
        reach = 1.3 * reach + 0.1


def _around(rng: Rng, figure: Points, placed: list[Points], clearance: float) -> Points | None:
    """A closed ring of the figure's size around the figure placed last; None where others are in the way."""
    inner = placed[-1]
    middle = inner.mean(axis=0)
    radius = np.linalg.norm(inner - middle, axis=1).max() + clearance * rng.uniform(1.2, 2.5)
    directions = rng.normal(size=figure.shape)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    width = rng.uniform(0, 0.3) * clearance * rng.uniform(-1, 1, size=(len(figure), 1))
    ring: Points = middle + directions * (radius + width)
    return ring if cKDTree(np.concatenate(placed)).query(ring)[0].min() >= clearance / 2 else None


def _curve(points: Points) -> Points:
    return np.asarray(points - points.mean(axis=0))


def _blob(rng: Rng, n: int) -> Points:
    return rng.normal(size=(n, 2)) * rng.uniform(0.1, 0.5, size=2)


def _disc(rng: Rng, n: int) -> Points:
    angle, radius = rng.uniform(0, 2 * np.pi, n), np.sqrt(rng.uniform(rng.choice((0, 0.3)), 1, n))
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


def _box(rng: Rng, n: int) -> Points:
    return rng.uniform(-1, 1, size=(n, 2)) * rng.uniform(0.2, 1.2, size=2)


def _triangle(rng: Rng, n: int) -> Points:
    return _curve(rng.dirichlet((1, 1, 1), n) @ rng.normal(size=(3, 2)) * 1.2)


def _arc(rng: Rng, n: int) -> Points:
    angle = rng.uniform(0, rng.uniform(0.7, 1.7) * np.pi, n)
    return _curve(np.stack([np.cos(angle), np.sin(angle)], axis=1) * rng.uniform(0.6, 1.4))


def _ring(rng: Rng, n: int) -> Points:
    angle = rng.uniform(0, 2 * np.pi, n)
    return np.stack([np.cos(angle), rng.uniform(0.4, 1) * np.sin(angle)], axis=1)


def _bar(rng: Rng, n: int) -> Points:
    return np.stack([rng.uniform(-1.5, 1.5, n), rng.uniform(-0.1, 0.1, n)], axis=1)


def _wave(rng: Rng, n: int) -> Points:
    x = rng.uniform(-1.5, 1.5, n)
    height, pace, start = rng.uniform(0.2, 0.7), rng.uniform(1, 4), rng.uniform(0, 2 * np.pi)
    y = np.sin(pace * x + start)
    return _curve(np.stack([x, height * (np.sign(y) * y if rng.random() < 0.3 else y)], axis=1))


def _spiral(rng: Rng, n: int) -> Points:
    turns = rng.uniform(0.8, 1.8)
    t = np.sqrt(rng.uniform(0.04, 1, n))
    return 1.4 * np.stack([t * np.cos(2 * np.pi * turns * t), t * np.sin(2 * np.pi * turns * t)], axis=1)


def _corner(rng: Rng, n: int) -> Points:
    """Two bars that meet at an end, at any angle."""
    x, first = rng.uniform(0, 1.5, n), rng.random(n) < 0.5
    angle = rng.uniform(0.4, 2.4)
    ends = np.stack([np.where(first, x, x * np.cos(angle)), np.where(first, 0, x * np.sin(angle))], axis=1)
    return _curve(ends + rng.uniform(-0.08, 0.08, size=(n, 2)))


def _chain(rng: Rng, n: int) -> Points:
    """A random walk that keeps its direction, with points along it."""
    turns = rng.normal(scale=0.35, size=20).cumsum() + rng.uniform(0, 2 * np.pi)
    knots = np.stack([np.cos(turns), np.sin(turns)], axis=1).cumsum(axis=0) * 0.15
    place = rng.uniform(0, 19, n)
    low = place.astype(int)
    return _curve(knots[low] + (place - low)[:, None] * (knots[low + 1] - knots[low]))


_FIGURES: tuple[tuple[Draw, float], ...] = (
    (_blob, 3.0),
    (_disc, 1.5),
    (_box, 1.5),
    (_triangle, 0.5),
    (_arc, 1.5),
    (_ring, 1.5),
    (_bar, 1.5),
    (_wave, 1.0),
    (_spiral, 0.5),
    (_corner, 0.7),
    (_chain, 1.0),
)


def _choose(rng: Rng) -> Draw:
    weights = np.array([weight for _, weight in _FIGURES])
    return _FIGURES[rng.choice(len(_FIGURES), p=weights / weights.sum())][0]
