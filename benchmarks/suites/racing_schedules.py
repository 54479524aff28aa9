"""Which restarts a race should let go, and when: twenty DDC restarts trained to their end, and every schedule
held against what all twenty would have chosen.

A restart trains alike whether others go or stay, so one record of all twenty tells what each schedule would
have kept. Restarts are compared by the loss alone, as a race compares them; labels measure at the end.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from benchmarks.columns import metric
from benchmarks.estimators import RecordedDDC
from benchmarks.suites.base import Case, Outcome, Suite
from benchmarks.suites.ddc_racing import METHODS, N_RESTARTS, cases_of_twenty
from benchmarks.suites.from_pairs import read_split
from coterie.engine.assessment import assess
from coterie.engine.loop import start_run, train
from coterie.engine.restarts import RUNG_ROWS
from coterie.engine.task import Task
from coterie.engine.training import FinishedRun, Session
from coterie.metrics import clustering_accuracy

DRAWS = (130, 131, 132)
# shares of the steps at which restarts are compared
SHARES = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2)
# (share of the steps, how many restarts go on) of each comparison, of twenty restarts
SCHEDULES: dict[str, tuple[tuple[float, int], ...]] = {
    "halves, three finalists": ((1 / 16, 10), (1 / 8, 5), (1 / 4, 3)),
    "halves, one finalist": ((1 / 16, 10), (1 / 8, 5), (1 / 4, 3), (1 / 2, 1)),
    "quarters, two finalists": ((1 / 16, 5), (1 / 4, 2)),
    "quarters, one finalist": ((1 / 16, 5), (1 / 4, 2), (1 / 2, 1)),
    "early halves, three finalists": ((1 / 32, 10), (1 / 8, 5), (1 / 4, 3)),
}


class WatchedDDC(RecordedDDC):
    """DDC whose restarts train to their end and are compared on the way.

    Attributes
    ----------
    watched_ : list of dict
        Of each restart: its number, whether it ended collapsed, and its ranks by the share of the steps.
    """

    def _run(self, task: Task, fresh: Session, fingerprint: str) -> Session:
        self.resolved_ = self._resolve(task)
        self.watched_: list[dict[str, Any]] = []
        for index, seed in enumerate(fresh.seeds):
            run = start_run(task, index, seed)
            ranks = {}
            for share in SHARES:
                train(task, run, math.ceil(share * task.total_steps), [])
                ranks[share] = assess(task, run, enough=RUNG_ROWS).rank
            train(task, run, task.total_steps, [])
            final = assess(task, run)
            state = {name: tensor.detach().clone() for name, tensor in run.network.state_dict().items()}
            fresh.kept.append(FinishedRun(index, final.loss, final.collapsed, state))
            fresh.runs.append({"restart": index, "loss": final.loss, "steps": run.step})
            self.watched_.append({"restart": index, "ranks": ranks, "rank": final.rank})
        fresh.kept.sort(key=lambda one: (one.collapsed, one.loss, one.index))
        self.kept_ = fresh.kept
        return fresh


def run(case: Case) -> Outcome:
    """Train all restarts, then ask each schedule which one it would have chosen."""
    split = read_split(case.data, case.settings["train_rows"], None)
    model = WatchedDDC(**case.settings["parameters"], threads=1, over_clustering=True, random_state=case.draw)
    model.fit(split.x_train)
    accuracy = {
        kept.index: clustering_accuracy(split.y_train, model.predict(split.x_train))
        for kept in model.each_restart()
    }
    chosen = {"all twenty": min(model.watched_, key=lambda one: one["rank"])["restart"]}
    chosen |= {name: _choose(model.watched_, schedule) for name, schedule in SCHEDULES.items()}
    losses = {one["restart"]: one["rank"][2] for one in model.watched_}
    metrics: dict[str, Any] = {"mean_accuracy": float(np.mean([*accuracy.values()]))}
    for name, index in chosen.items():
        metrics[f"{name}: accuracy"] = accuracy[index]
        metrics[f"{name}: loss"] = losses[index]
    metrics |= {f"{name}: runs": cost(schedule) for name, schedule in SCHEDULES.items()}
    runs = [
        {"restart": one["restart"], "accuracy": accuracy[one["restart"]], "loss": losses[one["restart"]]}
        | {f"loss at {share:g}": rank[2] for share, rank in one["ranks"].items()}
        for one in model.watched_
    ]
    return Outcome(metrics, runs, model.resolved_ | {"shares": list(SHARES), "rows_compared": RUNG_ROWS})


def _choose(watched: Sequence[Mapping[str, Any]], schedule: Sequence[tuple[float, int]]) -> int:
    """The restart of lowest loss among those that outlast every comparison."""
    left = list(watched)
    for share, room in schedule:
        ranked = sorted((one["ranks"][share], place) for place, one in enumerate(left))
        left = [left[place] for _, place in ranked[:room]]
    index: int = min(left, key=lambda one: one["rank"])["restart"]
    return index


def cost(schedule: Sequence[tuple[float, int]]) -> float:
    """What a schedule trains, in runs from start to end, of twenty restarts."""
    shares = [0.0, *(share for share, _ in schedule), 1.0]
    training = [N_RESTARTS, *(room for _, room in schedule)]
    stretches = zip(training, itertools.pairwise(shares), strict=True)
    return sum(room * (until - since) for room, (since, until) in stretches)


def _columns() -> tuple[Any, ...]:
    found = [metric("all twenty: ACC %", "all twenty: accuracy", 100, 2)]
    found.append(metric("all twenty: loss", "all twenty: loss", digits=4))
    for name in SCHEDULES:
        found.append(metric(f"{name}: runs", f"{name}: runs", digits=2))
        found.append(metric(f"{name}: ACC %", f"{name}: accuracy", 100, 2))
        found.append(metric(f"{name}: loss", f"{name}: loss", digits=4))
    return tuple(found)


RACING_SCHEDULES = Suite(
    "racing-schedules",
    "What races of other schedules would have kept of twenty DDC restarts, and what they train, in runs",
    tuple(METHODS),
    DRAWS,
    partial(cases_of_twenty, "racing-schedules", DRAWS),
    run,
    columns=_columns(),
)
