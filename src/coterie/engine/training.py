"""Training of a session's live runs in this process: each by itself, or in stacks of a fixed size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from coterie._errors import InputError
from coterie.engine.assessment import Assessment, assess
from coterie.engine.loop import Callback, Run, add_up, close_epoch, enter_phases, train
from coterie.engine.stacked import Stack
from coterie.engine.task import Task

# successive halving keeps at least so many runs to the end
FINALISTS = 2
# a comparison on the way leaves one run in so many
LEFT_OF = 4
# runs in a stack: fixed for a kind of device, since the size decides how their products round
STACK_SIZE = 5
ACCELERATOR_STACK_SIZE = 20


@dataclass(frozen=True)
class FinishedRun:
    """A finished run worth keeping: its number, its loss and its weights."""

    index: int
    loss: float
    collapsed: bool
    state: dict[str, Tensor]


@dataclass
class Session:
    """All restarts of one fit, finished and under way: what a checkpoint holds.

    Attributes
    ----------
    seeds : list of int
        One per restart; those that replace collapsed ones stand behind the others.
    keep : int
        How many of the best finished runs keep their weights.
    how : {"sequential", "stacked", "successive-halving"}
    n_restarts : int
        Restarts asked for; as many may be replaced.
    rung : int
        Successive halving: how often the runs were compared.
    decision : dict
        What a time limit has led to, as JSON data; empty without one.
    runs : list of dict
        One flat dict per restart that has ended.
    history : list of dict
        Epochs of all of them.
    kept : list of FinishedRun
        Best first.
    live : list of Run
        Under way.
    codes : dict of int to tensor
        Clusters of some rows, of each restart that was trained to its end.
    stack : Stack or None
        What live runs train in, if they do so together: their optimizers are up to date after `synchronise`.
    """

    seeds: list[int]
    keep: int = 1
    how: str = "sequential"
    n_restarts: int = 0
    rung: int = 0
    decision: dict[str, Any] = field(default_factory=dict)
    runs: list[dict[str, Any]] = field(default_factory=list)
    history: list[dict[str, float]] = field(default_factory=list)
    kept: list[FinishedRun] = field(default_factory=list)
    live: list[Run] = field(default_factory=list)
    codes: dict[int, Tensor] = field(default_factory=dict)
    stack: Stack | None = None

    def __post_init__(self) -> None:
        self.n_restarts = self.n_restarts or len(self.seeds)

    @property
    def finished(self) -> bool:
        return len(self.runs) == len(self.seeds)

    def synchronise(self) -> None:
        """Put the live runs up to date."""
        for run in self.live:
            add_up(run)
        if self.stack is not None:
            self.stack.write_back()

    def room(self, rung: int) -> int:
        """How many runs outlast a rung."""
        left: int = math.ceil(self.n_restarts / LEFT_OF ** (rung + 1))
        return max(self.keep, FINALISTS, left)


@dataclass(frozen=True)
class Goal:
    """How far live runs are trained, and how many rows they are then compared by."""

    until: int
    enough: float


def units_of(session: Session, stack_size: int = STACK_SIZE) -> list[list[Run]]:
    """Live runs in the groups that train together, each in the order of the restarts."""
    if session.how != "stacked":
        return [[run] for run in session.live]
    groups: dict[int, list[Run]] = {}
    for run in session.live:
        groups.setdefault(run.index // stack_size, []).append(run)
    return list(groups.values())


def train_here(
    task: Task, session: Session, goal: Goal, callbacks: Sequence[Callback]
) -> dict[int, Assessment]:
    """Train until runs are ready to be compared: all, or where they are sequential the next one."""
    on_cpu = task.runtime.device.type == "cpu"
    units = units_of(session, STACK_SIZE if on_cpu else ACCELERATOR_STACK_SIZE)
    if session.how == "sequential":
        units = units[:1]
    for runs in units:
        train_runs(task, session, runs, goal, callbacks)
    return assess_runs(task, [run for runs in units for run in runs], goal)


def train_runs(
    task: Task, session: Session, runs: Sequence[Run], goal: Goal, callbacks: Sequence[Callback]
) -> None:
    """Train one unit of live runs to its goal."""
    if session.how == "stacked":
        _train_stacked(task, session, runs, goal.until, callbacks)
        return
    for run in runs:
        train(task, run, goal.until, callbacks)


def _train_stacked(
    task: Task, session: Session, runs: Sequence[Run], until: int, callbacks: Sequence[Callback]
) -> None:
    """Train runs up to a step in a stack, which is rebuilt when a run ends or a phase begins."""
    while active := [run for run in runs if run.stopped is None and run.step < until]:
        for run in active:
            enter_phases(task, run)
        session.stack = Stack(task, active)
        try:
            while session.stack.goes_on(until):
                _stacked_step(task, session.stack)
                for run in active:
                    close_epoch(task, run)
                for callback in callbacks:
                    callback.on_step(active[-1])
        finally:
            session.stack.release()
            session.stack = None


def _stacked_step(task: Task, stack: Stack) -> None:
    try:
        stack.step()
    except torch.OutOfMemoryError as error:
        raise InputError(
            f"restarts: {len(stack.runs)} stacked ones do not fit into the memory of {task.runtime.device}; "
            "use restarts='sequential', or a smaller batch_size"
        ) from error


def assess_runs(task: Task, runs: Sequence[Run], goal: Goal) -> dict[int, Assessment]:
    """What evaluations say about runs, by their numbers."""
    return {run.index: _assess(task, run, goal.enough) for run in runs}


def _assess(task: Task, run: Run, enough: float) -> Assessment:
    diverged = run.stopped == "diverged"
    found = None if diverged else assess(task, run, enough=enough)
    if found is None or not math.isfinite(found.loss):
        run.stopped = "diverged"
        return Assessment(math.inf, None, collapsed=False)
    return found
