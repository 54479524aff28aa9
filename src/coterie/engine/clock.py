"""How long a fit takes, from a few timed steps; and how much of it fits into a time limit."""

from __future__ import annotations

import dataclasses
import itertools
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from coterie._errors import InputError
from coterie.engine.loop import Run, start_run, train
from coterie.engine.restarts import planned_steps, steps_done
from coterie.engine.task import Task
from coterie.engine.training import FINALISTS, Session
from coterie.params.duration import in_words

Clock = Callable[[], float]
# the first steps prepare memory and kernels
WARM_UP = 2
TIMED = 6
# An evaluation, with all views of the samples but no gradient, takes this share of a training pass.
PASS_SHARE = 0.4
# Worker processes share caches and memory: each is so much slower than one alone.
BESIDE_OTHERS = 0.85
# What a decision counts on: estimates have errors, and the samples are read and labelled too.
SPENT = 0.8
# Shares of the steps: below the first one images are made smaller, below the second one nothing is learnt.
ENOUGH_STEPS, LEAST_STEPS = 1 / 3, 1 / 30
FEWEST_STEPS = 20
# steps are given up before starts are fewer
FEW_STARTS = 3
SMALLEST_IMAGE = 64


@dataclass(frozen=True)
class Effort:
    """What a fit takes on.

    Attributes
    ----------
    n_restarts : int
    steps : int
        Of one restart that is trained to its end.
    pixels : int or None
        At most so many of each image are seen by the network; None: all, or samples are no images.
    """

    n_restarts: int
    steps: int
    pixels: int | None


@dataclass(frozen=True)
class Limits:
    """How far a fit may be cut down.

    Attributes
    ----------
    seconds : float
    keep : int
        Restarts that are needed at least.
    sizes : tuple of int or None
        Numbers of pixels that may be tried, the largest and planned one first.
    """

    seconds: float
    keep: int
    sizes: tuple[int | None, ...]


def step_seconds(task: Task, seed: int, clock: Clock = time.monotonic) -> float:
    """Median time of a training step, of a run that is thrown away.

    Parameters
    ----------
    task : Task
    seed : int
    clock : callable
        Seconds from any origin. A jump of the clock changes one step of several, which the median leaves out.
    """
    marks: list[float] = []
    run = start_run(task, 0, seed)
    train(task, run, min(WARM_UP + TIMED, task.total_steps), [_Marks(marks, clock)])
    return _typical(marks[min(WARM_UP, len(marks) - 2) :]) if len(marks) > 1 else 0.0


@dataclass
class _Marks:
    """The time after each step; a callback."""

    times: list[float]
    clock: Clock

    def on_step(self, run: Run) -> None:
        self.times.append(self.clock())


def _typical(marks: Sequence[float]) -> float:
    return statistics.median(max(0.0, later - before) for before, later in itertools.pairwise(marks))


def fit_seconds(task: Task, session: Session, a_step: float, n_workers: int) -> float:
    """Estimated time of what is left of a session's restarts.

    Parameters
    ----------
    task : Task
    session : Session
    a_step : float
        Seconds of a step in one process.
    n_workers : int
    """
    ends = min(session.n_restarts, max(FINALISTS, session.keep))
    ends = ends if session.how == "successive-halving" else session.n_restarts
    entries = sum(phase.on_enter is not None for phase in task.objective.phases)
    # embeddings at the start of a phase and the last labels are of the samples alone, without views
    alone = (ends * entries + 1) / (1 + (task.objective.n_views or 0))
    passes = PASS_SHARE * task.steps_per_epoch * (ends + alone)
    left = planned_steps(task, session) - steps_done(task, session)
    beside = min(n_workers, session.n_restarts)
    return a_step * (left + passes) / (beside * BESIDE_OTHERS if beside > 1 else 1)


def fit_into(limits: Limits, planned: Effort, cost: Callable[[Effort], float]) -> Effort:
    """The largest part of a planned effort that a time limit allows.

    Restarts are given up first, down to three or as many as vote; then steps, down to a third; then the size
    of images, half a side at a time; then restarts and steps down to the least.

    Parameters
    ----------
    limits : Limits
    planned : Effort
    cost : callable
        Estimated seconds of an effort.

    Raises
    ------
    InputError
        The limit is too short for one restart of a thirtieth of the steps.
    """
    few = min(planned.n_restarts, max(FEW_STARTS, limits.keep))
    for pixels in limits.sizes:
        for least, enough in ((few, 1.0), (few, ENOUGH_STEPS)):
            found = _largest(limits, dataclasses.replace(planned, pixels=pixels), cost, least, enough)
            if found is not None:
                return found
    smallest = dataclasses.replace(planned, pixels=limits.sizes[-1])
    for least, enough in ((limits.keep, ENOUGH_STEPS), (limits.keep, LEAST_STEPS)):
        found = _largest(limits, smallest, cost, least, enough)
        if found is not None:
            return found
    needed = cost(_steps(dataclasses.replace(smallest, n_restarts=limits.keep), LEAST_STEPS)) / SPENT
    raise InputError(
        f"time_limit={limits.seconds:g} s must be at least about {in_words(needed)}, which "
        f"{_starts(limits.keep)} of {_steps(smallest, LEAST_STEPS).steps:,} steps takes here; allow more "
        "time, or give fewer or smaller samples"
    )


def _largest(
    limits: Limits, planned: Effort, cost: Callable[[Effort], float], least: int, enough: float
) -> Effort | None:
    """The most restarts of all steps, or of the fewest restarts the most steps, that the limit allows."""
    room = SPENT * limits.seconds
    if cost(_steps(dataclasses.replace(planned, n_restarts=least), enough)) > room:
        return None
    for count in range(planned.n_restarts, least - 1, -1):
        effort = dataclasses.replace(planned, n_restarts=count)
        if cost(effort) <= room:
            return effort
    few, low, high = dataclasses.replace(planned, n_restarts=least), enough, 1.0
    for _ in range(10):
        middle = (low + high) / 2
        low, high = (middle, high) if cost(_steps(few, middle)) <= room else (low, middle)
    return _steps(few, low)


def _steps(effort: Effort, share: float) -> Effort:
    fewest = min(effort.steps, FEWEST_STEPS)
    return dataclasses.replace(effort, steps=max(fewest, int(share * effort.steps)))


def given_up(seconds: float, planned: Effort, found: Effort) -> str:
    """What a time limit leaves of an effort, in words; empty where it leaves all."""
    said = []
    if found.n_restarts < planned.n_restarts:
        said.append(f"{found.n_restarts} of {planned.n_restarts} starts")
    if found.steps < planned.steps:
        said.append(f"{found.steps:,} of {planned.steps:,} steps")
    if found.pixels != planned.pixels:
        said.append(f"images averaged to at most {found.pixels} pixels")
    return f"for a time limit of {in_words(seconds)}: {', '.join(said)}" if said else ""


def _starts(count: int) -> str:
    return f"{count} start{'' if count == 1 else 's'}"


class Announcement:
    """Says after a few timed steps how long a fit will take; a callback.

    Parameters
    ----------
    task : Task
    session : Session
    n_workers : int
    size : str
        Of the samples, in words.
    say : callable
    clock : callable
        Seconds from any origin; a jump changes one interval of several.
    """

    def __init__(
        self,
        task: Task,
        session: Session,
        n_workers: int,
        size: str,
        say: Callable[[str], None],
        clock: Clock = time.monotonic,
    ) -> None:
        self._task, self._session, self._n_workers = task, session, n_workers
        self._size, self._say, self._clock = size, say, clock
        self._last: tuple[float, int] | None = None
        self._seconds: list[float] = []
        self._step_of: dict[int, int] = {}

    def on_step(self, run: Run) -> None:
        """Time the step, or the slice of steps in which worker processes train."""
        if len(self._seconds) == TIMED:
            return
        now, done = self._clock(), steps_done(self._task, self._session)
        in_slices = run.step - self._step_of.get(run.index, run.step - 1) > 1
        self._step_of[run.index] = run.step
        if self._last is not None and done > self._last[1]:
            each = max(0.0, now - self._last[0]) / (done - self._last[1])
            self._seconds.append(each * self._n_workers if in_slices else each)
        self._last = now, done
        if len(self._seconds) == TIMED:
            self._say(self.line(statistics.median(self._seconds)))

    def line(self, a_step: float) -> str:
        """What is said, from the seconds of a step in one process."""
        seconds = fit_seconds(self._task, self._session, a_step, self._n_workers)
        planned = f"{_starts(self._session.n_restarts)} of {self._task.total_steps:,} steps"
        return f"about {in_words(seconds)} ({', '.join(filter(None, (planned, self._size)))})"
