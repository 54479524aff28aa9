"""Maps: each sample is a point of the plane, coloured by its class or cluster."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from numpy.typing import ArrayLike
from sklearn.manifold import TSNE

from coterie._errors import InputError
from coterie.report.figures.axes import axes_or_new, finite

# more classes than the palette has colours get a continuous one
_PALETTE = 10


def embedding_map(
    probabilities: ArrayLike,
    labels: ArrayLike,
    ax: Axes | None = None,
    *,
    method: str = "t-SNE",
    perplexity: float = 30.0,
    random_state: int | None = None,
) -> Axes:
    """Draw rows in the plane, coloured by class.

    Parameters
    ----------
    probabilities : array-like of shape (n, d), n >= 2
        Softmax rows, or an embedding.
    labels : array-like of shape (n,)
        Classes or clusters, of any one type that sorts.
    ax : Axes, optional
        Where to draw; by default a new figure is made.
    method : {"t-SNE", "PCA"}, default="t-SNE"
        t-SNE keeps neighbours together; PCA shows the two directions of largest variance.
    perplexity : float, default=30.0
        Of t-SNE; lowered where there are too few rows for it.
    random_state : int, optional
        Makes the map repeatable.

    Returns
    -------
    Axes
        One point per row, in the order of the rows; without ticks, since the axes mean nothing.

    Raises
    ------
    InputError
        If the rows are not finite numbers, fewer than two, or not as many as the labels, or for another
        method.

    Examples
    --------
    >>> rows = np.repeat(np.eye(3), 4, axis=0)
    >>> ax = embedding_map(rows, np.repeat([0, 1, 2], 4), random_state=0)
    >>> len(ax.collections[0].get_offsets())
    12
    >>> plt.close(ax.figure)
    """
    rows = finite("probabilities", probabilities, 2).astype(np.float32)
    values, codes = np.unique(np.asarray(labels), return_inverse=True)
    if len(rows) < 2 or len(rows) != len(codes):
        raise InputError(
            f"probabilities and labels must have the same length >= 2, got {len(rows)} and {len(codes)}"
        )
    if method not in ("t-SNE", "PCA"):
        raise InputError(f"method={method!r} must be 't-SNE' or 'PCA'")
    points = _principal(rows) if method == "PCA" else _neighbours(rows, perplexity, random_state)
    ax = axes_or_new(ax)
    palette = plt.get_cmap("tab10" if len(values) <= _PALETTE else "gist_ncar", max(_PALETTE, len(values)))
    ax.scatter(points[:, 0], points[:, 1], c=palette(codes), s=4, linewidths=0)
    handles = [ax.scatter([], [], color=palette(code), label=str(value)) for code, value in enumerate(values)]
    if len(values) <= _PALETTE:
        ax.legend(handles=handles, fontsize="x-small", markerscale=0.6, loc="best")
    ax.set_xticks([])
    ax.set_yticks([])
    return ax


def _neighbours(
    rows: npt.NDArray[np.float32], perplexity: float, random_state: int | None
) -> npt.NDArray[Any]:
    allowed = min(perplexity, (len(rows) - 1) / 3)
    # PCA would start constant columns (unused clusters) from a division by zero
    model = TSNE(2, perplexity=allowed, init="random", random_state=random_state)
    points: npt.NDArray[Any] = model.fit_transform(rows)
    return points


def _principal(rows: npt.NDArray[np.float32]) -> npt.NDArray[Any]:
    """Coordinates along the two directions of largest variance; the second may be missing."""
    centred = rows.astype(np.float64) - rows.mean(axis=0)
    left, lengths, _ = np.linalg.svd(centred, full_matrices=False)
    points = (left * lengths)[:, :2]
    return np.pad(points, ((0, 0), (0, 2 - points.shape[1])))


def clustered_points(points: ArrayLike, proba: ArrayLike, ax: Axes | None = None) -> Axes:
    """Draw points of the plane, coloured by their most probable cluster; the less certain, the paler.

    Parameters
    ----------
    points : array-like of shape (n, 2)
    proba : array-like of shape (n, k), k <= 10
        Rows in [0, 1] that sum to 1, such as one of the clusterings of `L2C.predict_all`.
    ax : Axes, optional
        Where to draw; by default a new figure is made.

    Returns
    -------
    Axes
        Without ticks, its two scales equal.

    Raises
    ------
    InputError
        If the points are not in the plane, or the rows do not fit them.

    Examples
    --------
    >>> ax = clustered_points([[0, 0], [1, 1]], [[0.9, 0.1], [0.2, 0.8]])
    >>> [round(float(colour[3]), 2) for colour in ax.collections[0].get_facecolor()]
    [0.9, 0.8]
    >>> plt.close(ax.figure)
    """
    places, shares = finite("points", points, 2), finite("proba", proba, 2)
    if places.shape[1] != 2:
        raise InputError(f"points must have shape (n, 2), got {places.shape}")
    if len(shares) != len(places) or shares.shape[1] > _PALETTE or shares.min() < 0 or shares.max() > 1:
        raise InputError(
            f"proba must have shape ({len(places)}, k), k <= {_PALETTE}, values in [0, 1], got {shares.shape}"
        )
    colours = np.array(plt.get_cmap("tab10")(shares.argmax(axis=1)))
    colours[:, 3] = shares.max(axis=1)
    ax = axes_or_new(ax)
    ax.scatter(places[:, 0], places[:, 1], c=colours, s=10)
    ax.set_aspect("equal")
    ax.set_xticks([])
    ax.set_yticks([])
    return ax


def simplex_map(probabilities: ArrayLike, labels: ArrayLike, ax: Axes | None = None) -> Axes:
    """Draw softmax rows over three clusters in their triangle, coloured by class.

    Parameters
    ----------
    probabilities : array-like of shape (n, 3)
        Non-negative rows that sum to 1.
    labels : array-like of shape (n,)
        Classes or clusters, of any one type that sorts.
    ax : Axes, optional
        Where to draw; by default a new figure is made.

    Returns
    -------
    Axes
        A row that is sure of its cluster lies in a corner.

    Raises
    ------
    InputError
        The rows are not of three probabilities each, or not as many as the labels.

    Examples
    --------
    >>> ax = simplex_map([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]], ["a", "b"])
    >>> ax.collections[0].get_offsets().tolist()
    [[0.0, 0.0], [0.5, 0.8660254037844386]]
    >>> plt.close(ax.figure)
    """
    rows = finite("probabilities", probabilities, 2).astype(np.float64)
    values, codes = np.unique(np.asarray(labels), return_inverse=True)
    if rows.shape[1] != 3 or rows.min() < 0 or not np.allclose(rows.sum(axis=1), 1, atol=1e-4):
        raise InputError(
            f"probabilities must have rows of three that sum to 1, got shape {rows.shape} "
            f"in {rows.min():g}..{rows.max():g}"
        )
    if len(rows) != len(codes):
        raise InputError(f"labels must have one per row, {len(rows)}, got {len(codes)}")
    corners = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, np.sqrt(0.75)]])
    ax = axes_or_new(ax)
    ax.fill(*corners.T, fill=False, edgecolor="0.6", linewidth=0.8)
    points = rows @ corners
    palette = plt.get_cmap("tab10" if len(values) <= _PALETTE else "gist_ncar", max(_PALETTE, len(values)))
    ax.scatter(points[:, 0], points[:, 1], c=palette(codes), s=8, linewidths=0, alpha=0.6)
    ax.set_aspect("equal")
    ax.set_axis_off()
    return ax
