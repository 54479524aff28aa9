"""Restarts in worker processes: short slices of training, from one packed state of a run to the next.

A slice continues a run bitwise from where another process left it, so that neither the number of workers nor
the length of a slice changes a result. The parent holds every run's last state: it writes checkpoints as in
one process, and a worker that dies costs the slice it was in.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from typing import Any

from safetensors.torch import load, save

from coterie.engine.assessment import Assessment
from coterie.engine.loop import Callback, Run
from coterie.engine.pool import Pool
from coterie.engine.run_state import load_run, pack_run, unpack_run
from coterie.engine.storage import plain
from coterie.engine.task import Task
from coterie.engine.training import Goal, Session, assess_runs, train_runs, units_of

# seconds that a worker trains before it hands its runs back: so much is lost when it dies, or on Ctrl-C
SLICE_SECONDS = 2.0
# a slice lasts at least so many times as long as its preparation
SLICE_SHARE = 20

# a run's JSON data, and its tensors as bytes
Packed = tuple[dict[str, Any], bytes]


class TimeUp(Exception):
    """A slice of training has lasted long enough."""


@dataclass
class Until:
    """Ends training after a step, once a time has come."""

    deadline: float

    def on_step(self, run: Run) -> None:
        if time.monotonic() >= self.deadline:
            raise TimeUp


class PoolTrainer:
    """Trains a session's live runs in worker processes, the one that is furthest behind first.

    Parameters
    ----------
    task : Task
    pool : Pool
        Of the same task.
    """

    def __init__(self, task: Task, pool: Pool) -> None:
        self._task = task
        self._pool = pool
        self._flying: dict[Future[Any], list[Run]] = {}
        self._found: dict[int, Assessment] = {}

    def __call__(self, session: Session, goal: Goal, callbacks: Sequence[Callback]) -> dict[int, Assessment]:
        """Train until runs are ready to be compared: all, or where they are sequential the next one."""
        while not (ready := self._ready(session)):
            self._submit(session, goal)
            done, _ = wait(self._flying, return_when=FIRST_COMPLETED)
            for future in done:
                self._take_back(future, callbacks)
        return {index: self._found.pop(index) for index in ready}

    def _ready(self, session: Session) -> list[int]:
        live = [run.index for run in session.live]
        if session.how == "sequential":
            live = live[:1]
        return live if all(index in self._found for index in live) else []

    def _submit(self, session: Session, goal: Goal) -> None:
        busy = {run.index for runs in self._flying.values() for run in runs} | self._found.keys()
        idle = [unit for unit in units_of(session) if unit[0].index not in busy]
        idle.sort(key=lambda unit: (min(run.step for run in unit), unit[0].index))
        for unit in idle[: self._pool.n_workers - len(self._flying)]:
            future = self._pool.submit(_advance, [_pack(run) for run in unit], session.how, goal)
            self._flying[future] = unit

    def _take_back(self, future: Future[Any], callbacks: Sequence[Callback]) -> None:
        if future not in self._flying:
            return
        result = self._pool.result(future)
        if result is None:
            self._flying.clear()
            return
        runs = self._flying.pop(future)
        packed, found = result
        for run, (meta, tensors) in zip(runs, packed, strict=True):
            load_run(self._task, run, meta, load(tensors))
        self._found |= found
        for callback in callbacks:
            callback.on_step(runs[-1])


def _pack(run: Run) -> Packed:
    meta, tensors = pack_run(run)
    return meta, save({name: plain(tensor) for name, tensor in tensors.items()})


def _advance(
    task: Task, packed: Sequence[Packed], how: str, goal: Goal
) -> tuple[list[Packed], dict[int, Assessment]]:
    """In a worker: train runs for a slice; assess them once they have come to their goal."""
    begun = time.monotonic()
    runs = [unpack_run(task, meta, load(tensors)) for meta, tensors in packed]
    session = Session([], how=how, live=runs)
    prepared = time.monotonic()
    length = max(SLICE_SECONDS, SLICE_SHARE * (prepared - begun))
    found: dict[int, Assessment] = {}
    try:
        train_runs(task, session, runs, goal, [Until(prepared + length)])
        found = assess_runs(task, runs, goal)
    except TimeUp:
        pass
    return [_pack(run) for run in runs], found
