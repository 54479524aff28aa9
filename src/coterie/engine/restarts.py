"""Restarts: several runs from different seeds, ranked by their evaluated training loss alone."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from coterie._errors import InputError
from coterie.engine.assessment import Assessment, assess
from coterie.engine.loop import Callback, Run, add_up, close_epoch, enter_phases, start_run, train
from coterie.engine.stacked import Stack, cannot_stack
from coterie.engine.task import Task
from coterie.metrics import clustering_accuracy
from coterie.nn import has_convolutions

# distance between the seeds of two restarts
SEED_STRIDE = 1_000_003
# Racing: at these shares of the steps that minimise what ranks runs the worse half goes, but never so many
# that fewer than FINALISTS are left: 20 starts then cost 20/16 + 10/16 + 5/8 + 3 * 3/4 = 4.75 runs.
RUNGS = (1 / 16, 1 / 8, 1 / 4)
FINALISTS = 3
# Rows that a rung before the end compares runs by: more cost as much as the training between two rungs.
RUNG_ROWS = 2_000
# Two clusterings are the same when so large a share of the rows agrees, clusters matched one to one.
SAME_CLUSTERING = 0.99
# On a CPU, stacking pays for networks without convolutions up to so many parameters.
STACKED_SIZE = 250_000
RESTARTS = ("auto", "sequential", "stacked", "successive-halving")


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
        Racing: how often the worse half has gone.
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
        return max(self.keep, FINALISTS, -(-self.n_restarts // (2 << rung)))


def run_session(task: Task, session: Session, callbacks: Sequence[Callback] = ()) -> None:
    """Train what is left of a session's restarts.

    Raises
    ------
    InputError
        No restart ended with a finite loss.
    """
    while not session.finished:
        _start(task, session)
        until = rung_ends(task, session)[session.rung]
        if session.how == "stacked":
            _train_stacked(task, session, until, callbacks)
        else:
            for run in session.live:
                train(task, run, until, callbacks)
        _rank_and_prune(task, session, last=until == task.total_steps)
    if not session.kept:
        raise InputError(
            f"all {len(session.seeds)} restarts diverged to a loss that is not finite: "
            "check the values and the scale of X, or train with a lower learning_rate"
        )
    _describe(session)


def _train_stacked(task: Task, session: Session, until: int, callbacks: Sequence[Callback]) -> None:
    """Train live runs up to a step in a stack, which is made anew when one has ended or a phase begins."""
    while active := [run for run in session.live if run.stopped is None and run.step < until]:
        for run in active:
            enter_phases(task, run)
        session.stack = Stack(task, active)
        while session.stack.goes_on(until):
            session.stack.step()
            for run in active:
                close_epoch(task, run)
            for callback in callbacks:
                callback.on_step(active[-1])
        session.stack.release()
        session.stack = None


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


def _start(task: Task, session: Session) -> None:
    """Begin the restarts that have not: one at a time, or all that are to run beside each other."""
    begun, end = len(session.runs) + len(session.live), len(session.seeds)
    if session.how == "sequential":
        end = begun if session.live else begun + 1
    session.live += [start_run(task, index, session.seeds[index]) for index in range(begun, end)]


def _rank_and_prune(task: Task, session: Session, *, last: bool) -> None:
    """Compare the live runs: let the worse ones go, replace those that collapsed, end those that are done."""
    enough = math.inf if last else RUNG_ROWS
    found = {run.index: _assess(task, run, enough) for run in session.live}
    ranked = sorted(session.live, key=lambda run: (found[run.index].rank, run.index))
    room = len(ranked) if last else session.room(session.rung)
    session.live = []
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


def _assess(task: Task, run: Run, enough: float) -> Assessment:
    diverged = run.stopped == "diverged"
    found = None if diverged else assess(task, run, enough=enough)
    if found is None or not math.isfinite(found.loss):
        run.stopped = "diverged"
        return Assessment(math.inf, None, collapsed=False)
    return found


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
