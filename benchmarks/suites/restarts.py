"""Twenty restarts in turn, stacked and racing: what each costs, and which run it chooses.

The rule of ``restarts="auto"`` stands on it. One restart costs a twentieth of those in turn. Labels of some
rows are the supervision; accuracy on all other rows is measured when everything has been chosen.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from benchmarks import datasets
from benchmarks.columns import metric
from benchmarks.estimators import RecordedCCN
from benchmarks.suites.base import Case, Options, Outcome, Suite
from coterie.metrics import clustering_accuracy

# method -> (data set, backbone, labelled rows, steps); noise is for the time alone, in few steps, beside
# which the evaluations at the rungs count for much
METHODS = {
    "mlp-small": ("digits", "mlp", 300, 600),
    "mlp-wide": ("noise28", "mlp", 300, 48),
    "lenet": ("noise28", "lenet-bn", 300, 32),
}
N_RESTARTS = 20
# how restarts run, by the name that the records have for it
WAYS = {"in_turn": "sequential", "stacked": "stacked", "racing": "successive-halving"}


def _cases(options: Options) -> list[Case]:
    limits = {"n_restarts": 4, "max_steps": 4} if options.quick else {}
    cases = []
    for draw in options.draws or (0,):
        for method in options.pick_methods(tuple(METHODS)):
            data, backbone, rows, steps = METHODS[method]
            settings = {"backbone": backbone, "rows": rows, "batch_size": 100, "max_steps": steps}
            settings |= {"n_restarts": N_RESTARTS, **limits, "parameters": dict(options.parameters)}
            cases.append(Case("restarts", method, data, "", draw, settings))
    return cases


def run(case: Case) -> Outcome:
    """Fit once in each way."""
    x, y = _data(case)
    rows = np.random.default_rng(case.draw).permutation(len(x))
    known = y.copy()
    known[rows[case.settings["rows"] :]] = -1
    metrics: dict[str, Any] = {}
    runs = []
    for name, way in WAYS.items():
        model = _model(case, way)
        start = time.perf_counter(), time.process_time()
        model.fit(x, known)
        metrics[f"{name}_seconds"] = time.perf_counter() - start[0]
        metrics[f"{name}_processor_seconds"] = time.process_time() - start[1]
        metrics[f"{name}_loss"] = model.loss_
        if case.data != "noise28":
            metrics[f"{name}_accuracy"] = clustering_accuracy(y[known < 0], model.labels_[known < 0])
        runs += model.runs_
    one = metrics["in_turn_processor_seconds"] / case.settings["n_restarts"]
    metrics["stacked_ratio"] = metrics["stacked_processor_seconds"] / metrics["in_turn_processor_seconds"]
    metrics["stacked_of_one"] = metrics["stacked_seconds"] / (
        metrics["in_turn_seconds"] / case.settings["n_restarts"]
    )
    metrics["racing_of_one"] = metrics["racing_processor_seconds"] / one
    metrics["parameters"] = sum(parameter.numel() for parameter in model.network_.parameters())
    return Outcome(metrics, runs, model.resolved_ | {"threads": torch.get_num_threads()})


def _data(case: Case) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
    if case.data == "noise28":
        rng = np.random.default_rng(case.draw)
        labels = rng.integers(0, 10, case.settings["rows"])
        return rng.integers(0, 256, (len(labels), 28, 28), dtype=np.uint8), labels
    split = datasets.load(case.data)
    return split.x_train, split.y_train


def _model(case: Case, way: Any) -> RecordedCCN:
    model = RecordedCCN(
        n_clusters=10,
        restarts=way,
        augment="none",
        over_clustering=True,
        threads=1,
        random_state=case.draw,
    )
    names = ("backbone", "batch_size", "max_steps", "n_restarts")
    model.set_params(**{name: case.settings[name] for name in names})
    model.set_params(**case.settings["parameters"])
    return model


RESTARTS = Suite(
    "restarts",
    "Twenty restarts in turn, stacked and racing (bar: raced at most 6 times one), in processor time",
    tuple(METHODS),
    (0,),
    _cases,
    run,
    columns=(
        metric("stacked / in turn", "stacked_ratio", digits=2),
        metric("stacked / one, by the clock", "stacked_of_one", digits=2),
        metric("racing / one", "racing_of_one", digits=2),
        metric("in turn, s", "in_turn_processor_seconds", digits=1),
        metric("in turn: ACC %", "in_turn_accuracy", 100, 2),
        metric("stacked: ACC %", "stacked_accuracy", 100, 2),
        metric("racing: ACC %", "racing_accuracy", 100, 2),
        metric("in turn: loss", "in_turn_loss", digits=4),
        metric("racing: loss", "racing_loss", digits=4),
    ),
)
