"""Matrices as heat maps, sorted so that a good clustering shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from coterie._errors import InputError
from coterie.report.figures.axes import axes_or_new, finite


def contingency_table(
    table: ArrayLike,
    ax: Axes | None = None,
    *,
    class_names: Sequence[object] | None = None,
    sort: bool = True,
) -> Axes:
    """Draw how many samples of each class lie in each cluster, as a heat map with its numbers.

    Parameters
    ----------
    table : array-like of shape (n_classes, n_clusters)
        Counts, as `coterie.metrics.contingency` gives them; empty clusters may be columns of zeros.
    ax : Axes, optional
        Where to draw; by default a new figure is made.
    class_names : sequence, optional
        One name per row; by default 0, 1, ...
    sort : bool, default=True
        Put the clusters in order of their commonest class, larger ones first and empty ones last, so that a
        good clustering shows as a staircase. Their numbers stay those of the columns.

    Returns
    -------
    Axes
        Clusters run down, classes across; zeros are left blank.

    Raises
    ------
    InputError
        If the table is no table of finite numbers of at least 0, or the names do not fit its rows.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> ax = contingency_table([[5, 0, 1], [0, 7, 0]])
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['0', '2', '1']
    >>> plt.close(ax.figure)
    """
    counts = finite("table", table, 2)
    if (counts < 0).any():
        raise InputError("table must hold counts >= 0")
    names = [str(name) for name in (range(len(counts)) if class_names is None else class_names)]
    if len(names) != len(counts):
        raise InputError(f"class_names must have one per row, {len(counts)}, got {len(names)}")
    order = _staircase(counts) if sort else np.arange(counts.shape[1])
    shown = counts[:, order].T
    ax = axes_or_new(ax)
    ax.imshow(shown, cmap="Blues", aspect="auto", vmin=0, vmax=max(1, shown.max()))
    ax.set_xticks(range(len(names)), names)
    ax.set_yticks(range(len(order)), [str(cluster) for cluster in order])
    ax.set_xlabel("class")
    ax.set_ylabel("cluster")
    for cluster, label in zip(*np.nonzero(shown), strict=True):
        value = shown[cluster, label]
        colour = "white" if value > shown.max() / 2 else "black"
        ax.text(label, cluster, f"{value:g}", ha="center", va="center", fontsize="x-small", color=colour)
    return ax


def _staircase(counts: npt.NDArray[Any]) -> npt.NDArray[np.intp]:
    """Columns in order of their largest row, then of size; empty ones last."""
    sizes = counts.sum(axis=0)
    commonest = np.where(sizes > 0, counts.argmax(axis=0), len(counts))
    return np.lexsort((-sizes, commonest))


def kernel_matrix(kernel: ArrayLike, labels: ArrayLike, ax: Axes | None = None) -> Axes:
    """Draw a kernel matrix with its rows and columns sorted by cluster.

    Parameters
    ----------
    kernel : array-like of shape (n, n)
    labels : int array-like of shape (n,)
        Cluster of each row.
    ax : Axes, optional
        Where to draw; by default a new figure is made.

    Returns
    -------
    Axes
        Dark blocks on the diagonal: compact clusters. Dark fields off the diagonal: clusters that are close.

    Raises
    ------
    InputError
        The matrix is not square and finite, or has not as many rows as there are labels.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> ax = kernel_matrix([[1.0, 0.1, 0.8], [0.1, 1.0, 0.2], [0.8, 0.2, 1.0]], [0, 1, 0])
    >>> ax.images[0].get_array().tolist()
    [[1.0, 0.8, 0.1], [0.8, 1.0, 0.2], [0.1, 0.2, 1.0]]
    >>> plt.close(ax.figure)
    """
    values = finite("kernel", kernel, 2)
    codes = np.asarray(labels)
    if len({len(codes), *values.shape}) > 1:
        raise InputError(
            f"kernel must be square, with one label per row, got {values.shape} and {len(codes)}"
        )
    order = np.argsort(codes, kind="stable")
    ax = axes_or_new(ax)
    ax.imshow(values[np.ix_(order, order)], cmap="Greys", vmin=0, vmax=1, interpolation="nearest")
    names, counts = np.unique(codes, return_counts=True)
    ends = np.cumsum(counts)
    ax.set_xticks(ends - counts / 2, names, fontsize="x-small")
    ax.set_yticks(ends - counts / 2, names, fontsize="x-small")
    ax.set_xlabel("cluster")
    return ax


def similarity_matrix(probabilities: npt.ArrayLike, ax: Axes | None = None) -> Axes:
    """Draw the probability that two rows share a cluster, the rows sorted by cluster and certainty.

    Parameters
    ----------
    probabilities : array-like of shape (n, k)
        Softmax rows.
    ax : Axes, optional
        Where to draw; by default a new figure is made.

    Returns
    -------
    Axes
        Sharp blocks on the diagonal: clusters keep apart. Grey off the diagonal: two clusters are confused.

    Raises
    ------
    InputError
        The rows are no finite table.

    Examples
    --------
    >>> ax = similarity_matrix([[0.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    >>> ax.images[0].get_array().tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 1.0], [0.0, 1.0, 1.0]]
    """
    rows = np.asarray(probabilities, dtype=np.float64)
    if rows.ndim != 2 or rows.size == 0 or not np.isfinite(rows).all():
        raise InputError(f"probabilities must be finite, of shape (n, k), got shape {rows.shape}")
    labels = rows.argmax(axis=1)
    order = np.lexsort((-rows.max(axis=1), labels))
    ax = ax or Figure(figsize=(4.6, 4), layout="constrained").subplots()
    image = ax.imshow(rows[order] @ rows[order].T, cmap="Greys", vmin=0, vmax=1, interpolation="nearest")
    ax.figure.colorbar(image, ax=ax, label="probability of the same cluster")
    counts = np.bincount(labels, minlength=rows.shape[1])
    middles = np.cumsum(counts) - counts / 2
    used = np.flatnonzero(counts)
    ax.set_xticks(middles[used], used, fontsize="x-small")
    ax.set_yticks(middles[used], used, fontsize="x-small")
    ax.set_xlabel("cluster")
    return ax
