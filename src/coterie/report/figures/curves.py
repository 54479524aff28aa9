"""Curves: scores against what was varied, losses against epochs and against scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from scipy.stats import spearmanr

from coterie._errors import InputError
from coterie.report.figures.axes import axes_or_new, finite

_NO_TERMS = ("restart", "epoch", "step", "phase", "rung", "learning_rate")


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
    >>> import matplotlib.pyplot as plt
    >>> ax = score_curves({"ours": {300: [0.5, 0.7], 1200: [0.9]}}, log=True)
    >>> ax.lines[0].get_ydata().tolist()
    [0.6, 0.9]
    >>> plt.close(ax.figure)
    """
    if not curves or not all(runs and all(map(len, runs.values())) for runs in curves.values()):
        raise InputError("curves must hold at least one curve, with a score at each of its positions")
    ax = axes_or_new(ax)
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
    >>> import matplotlib.pyplot as plt
    >>> losses_against_scores([0.3, 0.1, 0.2], [0.5, 0.9, 0.7]).get_title()
    'Spearman -1.00'
    >>> plt.close("all")
    """
    x, y = finite("losses", losses, 1), finite("scores", scores, 1)
    if len(x) != len(y) or len(x) < 2:
        raise InputError(f"losses and scores must have the same length >= 2, got {len(x)} and {len(y)}")
    ax = axes_or_new(ax)
    ax.scatter(x, y, s=14, color="0.5")
    lowest = int(np.argmin(x))
    ax.scatter(x[lowest], y[lowest], s=28, color="tab:blue", zorder=3)
    ax.set_title(f"Spearman {spearmanr(x, y).statistic:.2f}", fontsize="medium")
    ax.grid(alpha=0.3)
    return ax


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
        raise InputError("history must hold at least one epoch with a loss")
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
