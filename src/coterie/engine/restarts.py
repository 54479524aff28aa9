"""Restarts: several runs from different seeds, ranked by their evaluated training loss alone."""

from __future__ import annotations

import contextlib
import itertools
import math
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import torch

from coterie._errors import InputError
from coterie.engine.assessment import Assessment
from coterie.engine.loop import Callback, Run, start_run
from coterie.engine.pool import Pool
from coterie.engine.sharing import CANNOT_TRAVEL
from coterie.engine.stacked import cannot_stack
from coterie.engine.task import Task
from coterie.engine.training import FINALISTS, FinishedRun, Goal, Session, train_here
from coterie.engine.workers import PoolTrainer, TimeUp
from coterie.metrics import clustering_accuracy
from coterie.nn import has_convolutions

# (session, goal, callbacks) -> assessments of the runs that are ready to be compared, by their numbers
Trainer = Callable[[Session, Goal, Sequence[Callback]], dict[int, Assessment]]
# Workers start where, after so many seconds of training, so many more are left: each first imports torch.
TRIAL_SECONDS = 3.0
WORTH_SECONDS = 15.0
# distance between the seeds of two restarts
SEED_STRIDE = 1_000_003
# Successive halving: at these shares of the steps that minimise what ranks runs, one in LEFT_OF goes on, but
# FINALISTS do at least: 20 starts then cost 20/16 + 5 * 3/16 + 2 * 3/4 = 3.7 runs. benchmarks/README.md has
# what other schedules would have kept.
RUNGS = (1 / 16, 1 / 4)
# Rows that a rung before the end compares runs by: more cost as much as the training between two rungs.
RUNG_ROWS = 2_000
# Two clusterings are the same when so large a share of the rows agrees, clusters matched one to one.
SAME_CLUSTERING = 0.99
# On a CPU, stacking pays for networks without convolutions up to so many parameters.
STACKED_SIZE = 250_000


def run_session(task: Task, session: Session, callbacks: Sequence[Callback] = (), n_workers: int = 1) -> None:
    """Train what is left of a session's restarts.

    Long training continues in `n_workers` processes, with the same result to the last bit.

    Raises
    ------
    InputError
        No restart ended with a finite loss, or worker processes died again and again.
    """
    here = partial(train_here, task)
    trial = [WorkersPay(task, session, time.monotonic())] if n_workers > 1 else []
    try:
        _run(task, session, [*callbacks, *trial], here)
    except TimeUp:
        with contextlib.ExitStack() as stack:
            try:
                pool = stack.enter_context(Pool(task, n_workers))
            except CANNOT_TRAVEL as error:
                warnings.warn(f"n_jobs: {error}; the fit continues in one process", stacklevel=2)
                _run(task, session, callbacks, here)
            else:
                _run(task, session, callbacks, PoolTrainer(task, pool), n_workers)
    if not session.kept:
        raise InputError(
            f"all {len(session.seeds)} restarts diverged: their loss is not finite; "
            "check the values and the scale of X, or train with a lower learning_rate"
        )
    _describe(session)


class WorkersPay:
    """Ends training in this process once so much is left that starting workers pays; a callback."""

    def __init__(self, task: Task, session: Session, begun: float) -> None:
        self._task, self._session, self._begun = task, session, begun
        self._before = steps_done(task, session)

    def on_step(self, run: Run) -> None:
        elapsed = time.monotonic() - self._begun
        if elapsed < TRIAL_SECONDS:
            return
        done = steps_done(self._task, self._session)
        left = planned_steps(self._task, self._session) - done
        if elapsed * left / max(1, done - self._before) > WORTH_SECONDS:
            raise TimeUp


def _run(
    task: Task, session: Session, callbacks: Sequence[Callback], trainer: Trainer, beside: int = 1
) -> None:
    while not session.finished:
        _start(task, session, beside)
        until = rung_ends(task, session)[session.rung]
        last = until == task.total_steps
        found = trainer(session, Goal(until, math.inf if last else RUNG_ROWS), callbacks)
        _rank_and_prune(session, found, last=last)


def rung_ends(task: Task, session: Session) -> list[int]:
    """Steps at which runs are compared; the last one is the end."""
    total = task.total_steps
    if session.how != "successive-halving" or session.n_restarts <= max(session.keep, FINALISTS):
        return [total]
    phases = task.objective.phases
    others = itertools.takewhile(lambda phase: phase.weights != phases[-1].weights, phases)
    first = min(sum(phase.steps or 0 for phase in others), total)
    ends = {first + math.ceil(share * (total - first)) for share in RUNGS}
    return [*sorted(ends - {total}), total]


def _start(task: Task, session: Session, beside: int) -> None:
    """Begin restarts: all, or if they are sequential as many as keep `beside` under way to the end."""
    begun, end = len(session.runs) + len(session.live), len(session.seeds)
    if session.how == "sequential":
        training = sum(run.stopped is None and run.step < task.total_steps for run in session.live)
        least = min(end, begun + max(0, beside - training))
        # the last ones, fewer than processes, share all of these with the others
        end = end if end - least < beside else least
    session.live += [start_run(task, index, session.seeds[index]) for index in range(begun, end)]


def _rank_and_prune(session: Session, found: Mapping[int, Assessment], *, last: bool) -> None:
    """Compare runs: let the worse ones go, replace those that collapsed, end those that are done."""
    compared = [run for run in session.live if run.index in found]
    ranked = sorted(compared, key=lambda run: (found[run.index].rank, run.index))
    room = len(ranked) if last else session.room(session.rung)
    session.live = [run for run in session.live if run.index not in found]
    complete = True
    for place, run in enumerate(ranked):
        assessment = found[run.index]
        if place >= room:
            run.stopped = run.stopped or "pruned"
            _record(session, run, assessment)
        elif assessment.collapsed and len(session.seeds) < 2 * session.n_restarts:
            _record(session, run, assessment, replaced=True)
            session.seeds.append(session.seeds[0] + SEED_STRIDE * len(session.seeds))
            complete = False
        elif last:
            _record(session, run, assessment)
            _keep(session, run, assessment)
        else:
            session.live.append(run)
    session.live.sort(key=lambda run: run.index)
    if complete and not last:
        session.rung += 1


def _record(session: Session, run: Run, assessment: Assessment, *, replaced: bool = False) -> None:
    session.runs.append(
        {
            "restart": run.index,
            "seed": run.seed,
            "loss": assessment.loss if math.isfinite(assessment.loss) else None,
            "steps": run.step,
            "epochs": len(run.history),
            "stopped": run.stopped,
            "rung": session.rung,
            "how": session.how,
            "threads": torch.get_num_threads(),
            "collapsed": assessment.collapsed,
            "replaced": replaced,
        }
        | ({} if assessment.head is None else {"head": assessment.head})
    )
    session.history.extend(run.history)


def _keep(session: Session, run: Run, assessment: Assessment) -> None:
    """Keep the weights of a run that has come to its end where it is among the best."""
    if not math.isfinite(assessment.loss):
        return
    if assessment.codes is not None:
        session.codes[run.index] = assessment.codes
    if assessment.head is not None:
        run.network.keep_head(assessment.head)
    state = {name: tensor.detach().clone() for name, tensor in run.network.state_dict().items()}
    kept = [*session.kept, FinishedRun(run.index, assessment.loss, assessment.collapsed, state)]
    session.kept = sorted(kept, key=lambda one: (one.collapsed, one.loss, one.index))[: session.keep]


def _describe(session: Session) -> None:
    """Put runs and epochs in the order of the restarts; say which run was chosen, and which is a double."""
    session.runs.sort(key=lambda info: info["restart"])
    session.history.sort(key=lambda epoch: (epoch["restart"], epoch["epoch"]))
    doubles = _duplicates(session)
    for info in session.runs:
        info["duplicate_of"] = doubles.get(info["restart"])
        info["chosen"] = info["restart"] == session.kept[0].index
        info |= session.decision


def _duplicates(session: Session) -> dict[int, int]:
    """Restarts whose clusters are those of a better one under other numbers."""
    losses = {info["restart"]: info["loss"] for info in session.runs}
    different: list[int] = []
    doubles: dict[int, int] = {}
    for index in sorted(session.codes, key=lambda one: (losses[one], one)):
        codes = session.codes[index].numpy()
        for other in different:
            if clustering_accuracy(session.codes[other].numpy(), codes) >= SAME_CLUSTERING:
                doubles[index] = other
                break
        else:
            different.append(index)
    return doubles


def steps_done(task: Task, session: Session) -> int:
    """Steps of all restarts so far; of one that stopped early, all that it had."""
    states = [(run.step, run.stopped) for run in session.live]
    states += [(info["steps"], info["stopped"]) for info in session.runs]
    return sum(steps if stopped in (None, "pruned") else task.total_steps for steps, stopped in states)


def planned_steps(task: Task, session: Session) -> int:
    """Steps of all restarts together, if none stops early or is replaced."""
    steps, before, alive = 0, 0, session.n_restarts
    for rung, end in enumerate(rung_ends(task, session)):
        steps, before, alive = steps + alive * (end - before), end, session.room(rung)
    return steps


def choose_how(task: Task, restarts: str, seeds: Sequence[int]) -> str:
    """How restarts run: as asked for or, with "auto", by a rule of network, batches and device alone.

    Several processes, whose synchronised batch norm does not stack, train them sequentially or by
    successive halving.

    Raises
    ------
    InputError
        The network cannot be stacked and was to be.
    """
    if len(seeds) == 1:
        return "sequential"
    if restarts == "successive-halving":
        return restarts
    if (
        restarts == "sequential"
        or task.runtime.world > 1
        or (restarts == "auto" and not _stacking_pays(task, seeds))
    ):
        return "sequential"
    reason = cannot_stack(task, seeds)
    if reason is None:
        return "stacked"
    if restarts == "stacked":
        raise InputError(
            f"restarts='stacked' cannot train this network ({reason}); use 'sequential' or "
            "'successive-halving'"
        )
    return "sequential"


def _stacking_pays(task: Task, seeds: Sequence[int]) -> bool:
    """Whether it was measured faster for this kind of network and device, and the batches are alike in size.

    benchmarks/suites/restarts.py has the measurement.
    """
    sampler, probed = task.objective.sampler, range(min(3, task.steps_per_epoch))
    for step in probed:
        if len({len(sampler.plan(seed, 0, step).rows) for seed in seeds}) > 1:
            return False
    if task.runtime.device.type != "cpu":
        return True
    network = task.make_network(0)
    size = sum(parameter.numel() for parameter in network.parameters())
    return not has_convolutions(network) and size <= STACKED_SIZE
