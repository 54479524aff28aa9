"""Clusters one by one: how large they are, and their surest samples."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from coterie._checks import check_int
from coterie._errors import InputError
from coterie.report.figures.axes import axes_or_new, finite


def cluster_sizes(sizes: Sequence[int], unsure: Sequence[int], ax: Axes | None = None) -> Axes:
    """Draw how many samples each cluster has, those it is unsure of in another colour.

    Parameters
    ----------
    sizes, unsure : sequence of int of length k
        Samples of each cluster, and how many of them are unsure.
    ax : Axes, optional
        Where to draw; by default a new figure is made.

    Returns
    -------
    Axes

    Examples
    --------
    >>> ax = cluster_sizes([5, 3], [1, 0])
    >>> [int(bar.get_height()) for bar in ax.patches]
    [4, 3, 1, 0]
    """
    numbers = np.arange(len(sizes))
    ax = ax or Figure(figsize=(min(9.6, 2 + 0.35 * len(sizes)), 2.6), layout="constrained").subplots()
    sure = np.asarray(sizes) - np.asarray(unsure)
    ax.bar(numbers, sure, color="tab:blue", label="sure")
    ax.bar(numbers, unsure, bottom=sure, color="tab:orange", label="unsure")
    step = max(1, len(sizes) // 25)
    ax.set_xticks(numbers[::step])
    ax.set_xlabel("cluster")
    ax.set_ylabel("samples")
    ax.legend(fontsize="small", loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    return ax


def top_examples(
    samples: ArrayLike, probabilities: ArrayLike, ax: Axes | None = None, *, n_examples: int = 10
) -> Axes:
    """Draw the most certain samples of each cluster, a row of pictures for each.

    Parameters
    ----------
    samples : array-like of shape (n, h, w) or (n, 3, h, w)
        Grey or colour images of any range of values.
    probabilities : array-like of shape (n, k)
        Of each cluster; samples belong to the most probable one.
    ax : Axes, optional
        Where to draw; by default a new figure is made.
    n_examples : int, default=10
        Pictures in a row, at least 1; smaller clusters have fewer, and unused ones no row.

    Returns
    -------
    Axes
        The most certain sample first; ticks name the clusters.

    Raises
    ------
    InputError
        The samples are no images of finite values, not as many as the rows of probabilities, or `n_examples`
        is below 1.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> ax = top_examples(np.random.rand(6, 8, 8), np.repeat(np.eye(2), 3, axis=0), n_examples=2)
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['0', '1']
    >>> plt.close(ax.figure)
    """
    rows = finite("probabilities", probabilities, 2)
    images = np.asarray(samples)
    images = finite("samples", images, 4 if images.ndim == 4 else 3).astype(np.float64)
    if len(images) != len(rows) or (images.ndim == 4 and images.shape[1] != 3):
        raise InputError(
            f"samples must have shape ({len(rows)}, h, w) or ({len(rows)}, 3, h, w), one per row of "
            f"probabilities, got shape {images.shape}"
        )
    check_int("n_examples", n_examples, 1)
    images = (images - images.min()) / max(float(np.ptp(images)), np.finfo(np.float64).tiny)
    if images.ndim == 4:
        images = np.moveaxis(images, 1, -1)
    codes = rows.argmax(axis=1)
    clusters = np.unique(codes)
    # a blank line and column between pictures, which else run into each other
    images = np.pad(images, [(0, 0), (0, 1), (0, 1), *[(0, 0)] * (images.ndim - 3)], constant_values=1)
    height, width = images.shape[1:3]
    sheet = np.ones((len(clusters) * height, n_examples * width, *images.shape[3:]))
    for place, cluster in enumerate(clusters):
        members = np.flatnonzero(codes == cluster)
        best = members[np.argsort(-rows[members, cluster], kind="stable")[:n_examples]]
        row = np.concatenate(list(images[best]), axis=1)
        sheet[place * height : (place + 1) * height, : row.shape[1]] = row
    ax = axes_or_new(ax)
    ax.imshow(sheet, cmap="gray", vmin=0, vmax=1)
    ax.set_xticks([])
    ax.set_yticks((np.arange(len(clusters)) + 0.5) * height, [str(cluster) for cluster in clusters])
    ax.set_ylabel("cluster")
    return ax
