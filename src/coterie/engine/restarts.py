"""Restarts: several runs from different seeds, ranked by their evaluated training loss alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from coterie._errors import InputError
from coterie.engine.loop import Callback, Run, evaluate, start_run, train
from coterie.engine.task import Task


@dataclass(frozen=True)
class Kept:
    """A finished run worth keeping: its number, its loss and its weights."""

    index: int
    loss: float
    state: dict[str, Tensor]


@dataclass
class Session:
    """All restarts of one fit, finished and under way: what a checkpoint holds.

    Attributes
    ----------
    seeds : list of int
        One per restart.
    keep : int
        How many of the best finished runs keep their weights.
    runs : list of dict
        One flat dict per finished restart.
    history : list of dict
        Epochs of all finished restarts.
    kept : list of Kept
        Best first.
    run : Run or None
        The restart under way.
    """

    seeds: list[int]
    keep: int = 1
    runs: list[dict[str, Any]] = field(default_factory=list)
    history: list[dict[str, float]] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)
    run: Run | None = None

    @property
    def finished(self) -> bool:
        return len(self.runs) == len(self.seeds)


def run_session(task: Task, session: Session, callbacks: Sequence[Callback] = ()) -> None:
    """Train what is left of a session's restarts, in turn.

    Raises
    ------
    InputError
        No restart ended with a finite loss.
    """
    while not session.finished:
        if session.run is None:
            index = len(session.runs)
            session.run = start_run(task, index, session.seeds[index])
        train(task, session.run, callbacks)
        _finish(task, session, session.run)
    if not session.kept:
        raise InputError(
            f"all {len(session.seeds)} restarts diverged to a loss that is not finite: "
            "check the values and the scale of X, or train with a lower learning rate"
        )
    for info in session.runs:
        info["chosen"] = info["restart"] == session.kept[0].index


def _finish(task: Task, session: Session, run: Run) -> None:
    """Evaluate a run that has ended and keep its weights where it is among the best."""
    loss = evaluate(task, run.network, run.auxiliary) if run.stopped != "diverged" else math.inf
    if not math.isfinite(loss):
        run.stopped, loss = "diverged", math.inf
    session.runs.append(
        {
            "restart": run.index,
            "seed": run.seed,
            "loss": loss if math.isfinite(loss) else None,
            "steps": run.step,
            "epochs": len(run.history),
            "stopped": run.stopped,
            "rung": 0,
            "how": "in turn",
            "threads": torch.get_num_threads(),
        }
    )
    session.history.extend(run.history)
    if math.isfinite(loss):
        state = {name: tensor.detach().clone() for name, tensor in run.network.state_dict().items()}
        ranked = sorted(
            [*session.kept, Kept(run.index, loss, state)], key=lambda kept: (kept.loss, kept.index)
        )
        session.kept = ranked[: session.keep]
    session.run = None
