"""Synthetic tables: clusters are drawn, columns and outliers added, and parts that overlap joined."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from coterie._checks import check_int, check_range
from coterie.data.checks import RandomState, generator
from coterie.data.priors.columns import add_outliers, bend_columns, embed, standardise, warp, widen
from coterie.data.priors.identify import merge_confused
from coterie.data.priors.mixtures import Labels, Points, Rng, Sizes, directions, mixture
from coterie.data.priors.scenes import scene

ROWS_OF_A_CLUSTER = 6  # rows for each cluster that a table must have
_SMALLEST = 3  # rows of a part
_LARGEST_RATIO = 50.0
_ONE = 0.02  # share of tables of one cluster, and of one column, where the ranges allow them
_TWO_COLUMNS = 0.4  # share of tables of two columns where the range allows them
_SCENES, _DIRECTIONS = 0.45, 0.12
_WIDE = 64  # tables of more columns are embeddings
_OUTLIERS, _MOST_OUTLIERS = 0.2, 0.1


class Table(NamedTuple):
    """A table and its clusters.

    Attributes
    ----------
    X : float32 array of shape (n, d)
        Columns are standardised.
    labels : int64 array of shape (n,)
        In 0..k-1; -1 for outliers.
    """

    X: npt.NDArray[np.float32]
    labels: Labels


def synthetic_tables(
    n_tables: int,
    n_rows: int = 200,
    *,
    n_columns: tuple[int, int] = (2, 16),
    n_clusters: tuple[int, int] = (1, 10),
    random_state: RandomState = None,
) -> list[Table]:
    """Draw tables with known clusters.

    A table is a mixture of parts with random laws and covariances, a scene of shapes in two or three
    dimensions, or groups of directions, as embeddings are; always the last where it has more than 64 columns.
    It may then be warped by a random network, turned into a subspace of more columns, widened by irrelevant
    or correlated columns, bent and rounded column by column, and given outliers. Rows and columns come in
    random order. Parts that overlap too much count as one cluster: see `merge_confused`. So a table may have
    fewer clusters than were drawn. Tables whose parts all count as one are left out: one cluster is as rare
    as it is drawn.

    Parameters
    ----------
    n_tables : int
    n_rows : int, default=200
        Rows of a table; at least 6 for each of the most clusters.
    n_columns : (int, int), default=(2, 16)
        Smallest and largest number of columns. 40% of the tables have two columns where that is in the range.
    n_clusters : (int, int), default=(1, 10)
        Smallest and largest number of parts; small numbers are more frequent.
    random_state : int, Generator, RandomState or None

    Returns
    -------
    list of Table

    Raises
    ------
    InputError, InputTypeError
        A number is out of its range.

    Examples
    --------
    >>> tables = synthetic_tables(3, 60, n_columns=(2, 5), n_clusters=(2, 4), random_state=0)
    >>> [len(table.X) for table in tables], all(table.labels.max() < 4 for table in tables)
    ([60, 60, 60], True)
    """
    check_int("n_tables", n_tables, 1)
    columns, clusters = check_range("n_columns", n_columns), check_range("n_clusters", n_clusters)
    check_int("n_rows", n_rows, ROWS_OF_A_CLUSTER * clusters[1])
    rng = generator(random_state)
    return [_draw_table(rng, n_rows, columns, clusters) for _ in range(n_tables)]


def _draw_table(rng: Rng, n: int, n_columns: tuple[int, int], n_clusters: tuple[int, int]) -> Table:
    """A table; where all of several parts count as one cluster, another one is drawn."""
    while True:
        k = _choose_count(rng, *n_clusters)
        table = _try_table(rng, n, k, _choose_columns(rng, *n_columns))
        if k == 1 or table.labels.max() > 0:
            return table


def _try_table(rng: Rng, n: int, k: int, d: int) -> Table:
    """A table of k parts, joined where they overlap too much."""
    points, labels = _draw_parts(rng, _choose_sizes(rng, n, k), d)
    if rng.random() < 0.25:
        points = bend_columns(rng, points)
    points = standardise(points)
    if rng.random() < _OUTLIERS:
        labels = add_outliers(rng, points, labels, rng.uniform(0, _MOST_OUTLIERS))
    labels = merge_confused(points, labels)
    rows, columns = rng.permutation(n), rng.permutation(points.shape[1])
    return Table(standardise(points)[rows][:, columns].astype(np.float32), labels[rows])


def _choose_columns(rng: Rng, low: int, high: int) -> int:
    if low == 1 and (high == 1 or rng.random() < _ONE):
        return 1
    low = max(low, 2)
    return 2 if low == 2 and rng.random() < _TWO_COLUMNS else _log_uniform(rng, low, high)


def _choose_count(rng: Rng, low: int, high: int) -> int:
    """Number of parts: small ones are more frequent, but one part alone is rare."""
    if low == 1 and (high == 1 or rng.random() < _ONE):
        return 1
    low = max(low, 2)
    return _log_uniform(rng, low, high) if rng.random() < 0.6 else int(rng.integers(low, high + 1))


def _log_uniform(rng: Rng, low: int, high: int) -> int:
    return int(np.exp(rng.uniform(np.log(low), np.log(high + 1))))


def _choose_sizes(rng: Rng, n: int, k: int) -> Sizes:
    """Rows of each part: equal, or with ratios up to 1:50."""
    ratio = 1.0 if rng.random() < 0.3 else np.exp(rng.uniform(0, np.log(_LARGEST_RATIO)) * rng.random())
    shares = np.exp(rng.uniform(0, np.log(ratio), size=k)) if ratio > 1 else np.ones(k)
    spare = n - _SMALLEST * k
    sizes: Sizes = _SMALLEST + np.floor(spare * shares / shares.sum()).astype(np.int64)
    sizes[rng.integers(k)] += n - sizes.sum()
    return sizes


def _draw_parts(rng: Rng, sizes: Sizes, d: int) -> tuple[Points, Labels]:
    """The clusters in d columns, before anything is done to them column by column."""
    kind = rng.random()
    if d > _WIDE or (d >= 8 and _SCENES <= kind < _SCENES + _DIRECTIONS):
        return directions(rng, sizes, d)
    if d >= 2 and kind < _SCENES:
        return _draw_scene(rng, sizes, d)
    relevant = d if d == 1 or rng.random() < 0.6 else int(rng.integers(1, d + 1))
    points, labels = mixture(rng, sizes, relevant)
    if rng.random() < 0.15 and relevant > 1:
        points = warp(rng, points)
    return (widen(rng, points, d - relevant) if relevant < d else points), labels


def _draw_scene(rng: Rng, sizes: Sizes, d: int) -> tuple[Points, Labels]:
    """A scene in its own plane or space, or in a subspace, or with further columns."""
    flat = 2 if d == 2 or rng.random() < 0.6 else 3
    points, labels = scene(rng, sizes, flat)
    if rng.random() < 0.1:
        points = warp(rng, points)
    if d == flat:
        return points, labels
    if rng.random() < 0.6:
        return embed(rng, points, d), labels
    return widen(rng, points, d - flat), labels
