"""Figures of a clustering: each function draws on matplotlib axes, given or made, and returns them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from numpy.typing import ArrayLike
from scipy.stats import spearmanr
from sklearn.manifold import TSNE

from coterie._checks import check_int
from coterie._errors import InputError

# more classes than the palette has colours are told apart by a continuous one
_PALETTE = 10


def _axes(ax: Axes | None) -> Axes:
    """The axes given, or those of a new figure."""
    if ax is not None:
        return ax
    made: Axes = plt.subplots(layout="constrained")[1]
    return made


def _finite(name: str, values: ArrayLike, ndim: int) -> npt.NDArray[Any]:
    array = np.asarray(values)
    if array.ndim != ndim or array.size == 0:
        raise InputError(f"{name}: {ndim} axes and at least one value are expected, got shape {array.shape}")
    if array.dtype.kind not in "biuf" or not np.isfinite(array).all():
        raise InputError(f"{name}: finite numbers are expected")
    return array


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
    >>> ax = contingency_table([[5, 0, 1], [0, 7, 0]])
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['0', '2', '1']
    >>> plt.close(ax.figure)
    """
    counts = _finite("table", table, 2)
    if (counts < 0).any():
        raise InputError("table: counts of at least 0 are expected")
    names = [str(name) for name in (range(len(counts)) if class_names is None else class_names)]
    if len(names) != len(counts):
        raise InputError(f"class_names: {len(counts)} are expected, one per row, got {len(names)}")
    order = _staircase(counts) if sort else np.arange(counts.shape[1])
    shown = counts[:, order].T
    ax = _axes(ax)
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
    rows = _finite("probabilities", probabilities, 2).astype(np.float32)
    values, codes = np.unique(np.asarray(labels), return_inverse=True)
    if len(rows) < 2 or len(rows) != len(codes):
        raise InputError(
            "probabilities, labels: at least 2 rows and as many labels are expected, "
            f"got {len(rows)} and {len(codes)}"
        )
    if method not in ("t-SNE", "PCA"):
        raise InputError(f"method: {method!r}; 't-SNE' or 'PCA' is expected")
    points = _principal(rows) if method == "PCA" else _neighbours(rows, perplexity, random_state)
    ax = _axes(ax)
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
    >>> ax = top_examples(np.random.rand(6, 8, 8), np.repeat(np.eye(2), 3, axis=0), n_examples=2)
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['0', '1']
    >>> plt.close(ax.figure)
    """
    rows = _finite("probabilities", probabilities, 2)
    images = np.asarray(samples)
    images = _finite("samples", images, 4 if images.ndim == 4 else 3).astype(np.float64)
    if len(images) != len(rows) or (images.ndim == 4 and images.shape[1] != 3):
        raise InputError(
            f"samples: ({len(rows)}, h, w) or ({len(rows)}, 3, h, w), as many as probabilities, is expected; "
            f"got shape {images.shape}"
        )
    check_int("n_examples", n_examples, low=1)
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
    ax = _axes(ax)
    ax.imshow(sheet, cmap="gray", vmin=0, vmax=1)
    ax.set_xticks([])
    ax.set_yticks((np.arange(len(clusters)) + 0.5) * height, [str(cluster) for cluster in clusters])
    ax.set_ylabel("cluster")
    return ax


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
    places, shares = _finite("points", points, 2), _finite("proba", proba, 2)
    if places.shape[1] != 2:
        raise InputError(f"points: shape {places.shape}; (n, 2) is expected")
    if len(shares) != len(places) or shares.shape[1] > _PALETTE or shares.min() < 0 or shares.max() > 1:
        raise InputError(
            f"proba: shape {shares.shape}; ({len(places)}, k) in [0, 1], k at most {_PALETTE}, is expected"
        )
    colours = np.array(plt.get_cmap("tab10")(shares.argmax(axis=1)))
    colours[:, 3] = shares.max(axis=1)
    ax = _axes(ax)
    ax.scatter(places[:, 0], places[:, 1], c=colours, s=10)
    ax.set_aspect("equal")
    ax.set_xticks([])
    ax.set_yticks([])
    return ax


def score_curves(
    curves: Mapping[str, Mapping[float, Sequence[float]]],
    ax: Axes | None = None,
    *,
    x_label: str = "",
    y_label: str = "",
    log: bool = False,
) -> Axes:
    """Draw scores against a quantity that was varied: the mean of several runs, and each run as a point.

    Parameters
    ----------
    curves : mapping of str to mapping of float to sequence of float
        Name of the curve -> position on the x axis -> scores of the runs there, at least one.
    ax : Axes, optional
        Where to draw; by default a new figure is made.
    x_label, y_label : str
        Names of the axes.
    log : bool, default=False
        Logarithmic x axis.

    Returns
    -------
    Axes
        With one line per curve and a legend.

    Raises
    ------
    InputError
        If there is no curve, or no score at some position.

    Examples
    --------
    >>> ax = score_curves({"ours": {300: [0.5, 0.7], 1200: [0.9]}}, log=True)
    >>> ax.lines[0].get_ydata().tolist()
    [0.6, 0.9]
    >>> plt.close(ax.figure)
    """
    if not curves or not all(runs and all(map(len, runs.values())) for runs in curves.values()):
        raise InputError("curves: at least one curve, and a score at each of its positions, are expected")
    ax = _axes(ax)
    for name, runs in curves.items():
        positions = sorted(runs)
        (line,) = ax.plot(positions, [float(np.mean(runs[at])) for at in positions], label=name)
        points = np.array([(at, score) for at in positions for score in runs[at]], dtype=np.float64)
        ax.scatter(points[:, 0], points[:, 1], s=14, color=line.get_color(), zorder=3)
    if log:
        ax.set_xscale("log")
    ax.set_xlabel(x_label)
    ax.set_ylabel(y_label)
    ax.grid(alpha=0.3)
    ax.legend(fontsize="small")
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
    rows = _finite("probabilities", probabilities, 2).astype(np.float64)
    values, codes = np.unique(np.asarray(labels), return_inverse=True)
    if rows.shape[1] != 3 or rows.min() < 0 or not np.allclose(rows.sum(axis=1), 1, atol=1e-4):
        raise InputError(
            f"probabilities: rows of three that sum to 1 are expected, got shape {rows.shape} "
            f"in {rows.min():g}..{rows.max():g}"
        )
    if len(rows) != len(codes):
        raise InputError(f"labels: {len(rows)} are expected, one per row, got {len(codes)}")
    corners = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, np.sqrt(0.75)]])
    ax = _axes(ax)
    ax.fill(*corners.T, fill=False, edgecolor="0.6", linewidth=0.8)
    points = rows @ corners
    palette = plt.get_cmap("tab10" if len(values) <= _PALETTE else "gist_ncar", max(_PALETTE, len(values)))
    ax.scatter(points[:, 0], points[:, 1], c=palette(codes), s=8, linewidths=0, alpha=0.6)
    ax.set_aspect("equal")
    ax.set_axis_off()
    return ax


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
        Dark blocks on the diagonal: compact clusters. Dark fields beside them: clusters that are close.

    Raises
    ------
    InputError
        The matrix is not square and finite, or has not as many rows as there are labels.

    Examples
    --------
    >>> ax = kernel_matrix([[1.0, 0.1, 0.8], [0.1, 1.0, 0.2], [0.8, 0.2, 1.0]], [0, 1, 0])
    >>> ax.images[0].get_array().tolist()
    [[1.0, 0.8, 0.1], [0.8, 1.0, 0.2], [0.1, 0.2, 1.0]]
    >>> plt.close(ax.figure)
    """
    values = _finite("kernel", kernel, 2)
    codes = np.asarray(labels)
    if len({len(codes), *values.shape}) > 1:
        raise InputError(
            f"kernel, labels: a square matrix and a label per row are expected, got {values.shape} "
            f"and {len(codes)}"
        )
    order = np.argsort(codes, kind="stable")
    ax = _axes(ax)
    ax.imshow(values[np.ix_(order, order)], cmap="Greys", vmin=0, vmax=1, interpolation="nearest")
    names, counts = np.unique(codes, return_counts=True)
    ends = np.cumsum(counts)
    ax.set_xticks(ends - counts / 2, names, fontsize="x-small")
    ax.set_yticks(ends - counts / 2, names, fontsize="x-small")
    ax.set_xlabel("cluster")
    return ax


def losses_against_scores(losses: ArrayLike, scores: ArrayLike, ax: Axes | None = None) -> Axes:
    """Draw the score of each run against its loss, with Spearman's rank correlation in the title.

    Parameters
    ----------
    losses, scores : array-like of shape (n,), n >= 2
    ax : Axes, optional
        Where to draw; by default a new figure is made.

    Returns
    -------
    Axes
        The run of lowest loss, which would be chosen, is marked.

    Raises
    ------
    InputError
        The two are not equally long and finite.

    Examples
    --------
    >>> losses_against_scores([0.3, 0.1, 0.2], [0.5, 0.9, 0.7]).get_title()
    'Spearman -1.00'
    >>> plt.close("all")
    """
    x, y = _finite("losses", losses, 1), _finite("scores", scores, 1)
    if len(x) != len(y) or len(x) < 2:
        raise InputError(
            f"losses, scores: at least 2 of each and equally many are expected, got {len(x)}, {len(y)}"
        )
    ax = _axes(ax)
    ax.scatter(x, y, s=14, color="0.5")
    lowest = int(np.argmin(x))
    ax.scatter(x[lowest], y[lowest], s=28, color="tab:blue", zorder=3)
    ax.set_title(f"Spearman {spearmanr(x, y).statistic:.2f}", fontsize="medium")
    ax.grid(alpha=0.3)
    return ax
