"""Figures of one run: how it was trained, how large its clusters are, how they keep apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from coterie._errors import InputError

_NO_TERMS = ("restart", "epoch", "step", "phase", "rung", "learning_rate")


def loss_terms(history: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names of the losses in a history: the total first, unless it is the same as the only term.

    Examples
    --------
    >>> loss_terms([{"restart": 0, "epoch": 0, "step": 9, "ccl": 0.4, "loss": 0.5}])
    ['loss', 'ccl']
    >>> loss_terms([{"restart": 0, "epoch": 0, "step": 9, "ccl": 0.4, "loss": 0.4}])
    ['ccl']
    """
    names = list(dict.fromkeys(name for epoch in history for name in epoch if name not in _NO_TERMS))
    names.sort(key=lambda name: name != "loss")
    alike = len(names) == 2 and all(epoch.get(names[0]) == epoch.get(names[1]) for epoch in history)
    return names[1:] if alike else names


def loss_curves(history: Sequence[Mapping[str, Any]], chosen: int, figure: Figure | None = None) -> Figure:
    """Draw each loss term against the epoch, one line a restart, the chosen one in front.

    Parameters
    ----------
    history : sequence of mapping
        `history_` of an estimator.
    chosen : int
        Number of the restart that was kept.
    figure : Figure, optional
        Where to draw; by default a new one is made.

    Returns
    -------
    Figure
        One axes for each term.

    Raises
    ------
    InputError
        The history is empty.

    Examples
    --------
    >>> history = [{"restart": 0, "epoch": epoch, "loss": 1 / (1 + epoch)} for epoch in range(3)]
    >>> [ax.get_title() for ax in loss_curves(history, chosen=0).axes]
    ['loss']
    """
    terms = loss_terms(history)
    if not terms:
        raise InputError("history: no epoch with a loss; at least one is expected")
    figure = figure or Figure(figsize=(min(3.2 * len(terms), 9.6), 2.6), layout="constrained")
    for ax, term in zip(np.atleast_1d(figure.subplots(1, len(terms))), terms, strict=True):
        _draw_term(ax, history, term, chosen)
    return figure


def _draw_term(ax: Axes, history: Sequence[Mapping[str, Any]], term: str, chosen: int) -> None:
    restarts = sorted({int(epoch.get("restart", 0)) for epoch in history})
    for restart in sorted(restarts, key=lambda number: number == chosen):
        own = [epoch for epoch in history if int(epoch.get("restart", 0)) == restart and term in epoch]
        values = [epoch[term] for epoch in own]
        kept = restart == chosen
        ax.plot(
            range(1, len(values) + 1),
            values,
            color="tab:blue" if kept else "0.7",
            linewidth=1.6 if kept else 0.8,
            marker="." if len(values) == 1 else None,
            label="kept" if kept else None,
        )
    ax.set_title(term, fontsize="medium")
    ax.set_xlabel("epoch")
    ax.grid(alpha=0.3)


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
        Sharp blocks on the diagonal: clusters keep apart. Grey beside them: two clusters are confused.

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
        raise InputError(f"probabilities: finite rows of shape (n, k) are expected, got shape {rows.shape}")
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
