"""Twenty DDC restarts racing against all twenty trained to their end: what both cost, which run is chosen.

No label comes in before both have chosen. The restarts are the same: same seeds, same batches.
"""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from benchmarks.columns import metric
from benchmarks.estimators import RecordedDDC
from benchmarks.suites.base import Case, Options, Outcome, Suite
from benchmarks.suites.ddc import MNIST_ROWS
from benchmarks.suites.from_pairs import read_split
from coterie.metrics import clustering_accuracy

N_RESTARTS = 20
DRAWS = (110, 111, 112)
# method -> (data set, rows, steps); None: all rows, the default preset's steps
METHODS: dict[str, tuple[str, int | None, int | None]] = {
    "digits": ("digits", None, None),
    "mnist": ("mnist", MNIST_ROWS, 600),
}
# how restarts run, by the name that the records have for it
WAYS = {"racing": "successive-halving", "in_turn": "sequential"}


def cases_of_twenty(suite: str, draws: tuple[int, ...], options: Options) -> list[Case]:
    """A case for each draw and method, of twenty restarts."""
    cases = []
    for draw in options.draws or draws:
        for method in options.pick_methods(tuple(METHODS)):
            data, rows, steps = METHODS[method]
            chosen = {"n_clusters": 10, "n_restarts": N_RESTARTS, "max_steps": steps}
            settings = {
                "train_rows": options.limits()["train_rows"] or rows,
                "parameters": options.estimator(**chosen),
            }
            cases.append(Case(suite, method, options.data or data, "", draw, settings))
    return cases


def run(case: Case) -> Outcome:
    """Fit once in each way."""
    split = read_split(case.data, case.settings["train_rows"], None)
    metrics: dict[str, Any] = {}
    runs = []
    for name, way in WAYS.items():
        parameters = case.settings["parameters"] | {"restarts": way, "threads": 1, "over_clustering": True}
        model = RecordedDDC(**parameters, random_state=case.draw)
        start = time.process_time()
        model.fit(split.x_train)
        metrics[f"{name}_processor_seconds"] = time.process_time() - start
        metrics[f"{name}_loss"] = model.loss_
        metrics[f"{name}_accuracy"] = clustering_accuracy(split.y_train, model.labels_)
        runs += model.runs_
    one = metrics["in_turn_processor_seconds"] / case.settings["parameters"]["n_restarts"]
    metrics["racing_of_one"] = metrics["racing_processor_seconds"] / one
    metrics["points_behind"] = 100 * (metrics["in_turn_accuracy"] - metrics["racing_accuracy"])
    return Outcome(metrics, runs, model.resolved_)


DDC_RACING = Suite(
    "ddc-racing",
    "Twenty DDC restarts racing and in turn (bar: at most 6 times one, within 1 point of all twenty)",
    tuple(METHODS),
    DRAWS,
    partial(cases_of_twenty, "ddc-racing", DRAWS),
    run,
    columns=(
        metric("racing / one", "racing_of_one", digits=2),
        metric("in turn, s", "in_turn_processor_seconds", digits=1),
        metric("in turn: ACC %", "in_turn_accuracy", 100, 2),
        metric("racing: ACC %", "racing_accuracy", 100, 2),
        metric("racing: points behind", "points_behind", digits=2),
        metric("in turn: loss", "in_turn_loss", digits=4),
        metric("racing: loss", "racing_loss", digits=4),
    ),
)
