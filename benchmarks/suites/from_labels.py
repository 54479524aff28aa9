"""Clustering against classification from few labels: table 1 of the KCL paper (arXiv:1511.06321)."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.columns import FROM_LABELS
from benchmarks.estimators import ESTIMATORS, CrossEntropy
from benchmarks.scores import Labels, scores
from benchmarks.suites.base import RESTARTS, Case, Options, Outcome, Suite
from benchmarks.suites.from_pairs import OWN_RECIPE, read_split
from coterie.metrics import map_clusters, mapped_accuracy

DRAWS = (100, 101, 102, 103, 104)
SIZES = (6, 60, 600)
FULL = 0  # "--sizes 0": every label

METHODS = {
    "cross-entropy": ("cross-entropy", "kcl"),
    "ccn-kcl": ("ccn", "kcl"),
    "ccn-ccl": ("ccn", "ccl"),
}


def _cases(options: Options) -> list[Case]:
    sizes = options.sizes or ((6,) if options.quick else SIZES)
    return [
        _case(method, per_class, options, draw)
        for per_class in sizes
        for draw in options.draws or DRAWS
        for method in options.pick_methods(tuple(METHODS))
    ]


def _case(method: str, per_class: int, options: Options, draw: int) -> Case:
    kind, loss = METHODS[method]
    restarts = RESTARTS if per_class != FULL else 1
    settings = {
        "estimator": kind,
        "per_class": per_class,
        "parameters": options.estimator(n_clusters=10, loss=loss, n_restarts=restarts, over_clustering=True),
        **options.limits(),
    }
    variant = f"{per_class}-per-class" if per_class != FULL else "full"
    return Case("labels", method, options.data or "mnist", variant, draw, settings)


def draw_rows(labels: Labels, per_class: int, draw: int) -> Labels:
    """Rows of `per_class` random samples of every class, sorted; all rows for 0."""
    if per_class == FULL:
        return np.arange(len(labels))
    rng = np.random.default_rng(draw)
    drawn = [rng.choice(np.flatnonzero(labels == one), per_class, replace=False) for one in np.unique(labels)]
    return np.sort(np.concatenate(drawn))


def run(case: Case) -> Outcome:
    """Train on the labelled rows alone; clusters get their classes from those rows."""
    split = read_split(case.data, case.settings["train_rows"], case.settings["test_rows"])
    rows = draw_rows(split.y_train, case.settings["per_class"], case.draw)
    x, y = split.x_train[rows], split.y_train[rows]
    model = ESTIMATORS[case.settings["estimator"]](**case.settings["parameters"], random_state=case.draw)
    model.set_params(threads=1)
    model.fit(x, y)
    is_classifier = isinstance(model, CrossEntropy)

    def accuracy() -> float:
        known = {int(one): int(one) for one in np.unique(y)}
        mapping = known if is_classifier else map_clusters(y, model.predict(x))
        return mapped_accuracy(split.y_test, model.predict(split.x_test), mapping)

    measured: dict[str, Any] = {"loss": model.loss_, "test_mapped_accuracy": accuracy()}
    measured |= scores("test", split.y_test, model.predict(split.x_test), model.n_outputs_)
    measured |= scores("train", y, model.labels_, model.n_outputs_)
    for kept in model.each_restart():
        model.runs_[kept.index]["test_mapped_accuracy"] = accuracy()
    departures = [
        *split.departures,
        OWN_RECIPE,
        "run: the lowest training loss of the restarts, where the paper takes the best training accuracy",
    ]
    return Outcome(measured, model.runs_, model.resolved_, departures)


LABELS = Suite(
    "labels",
    "Clustering against classification from few labels (KCL paper, table 1)",
    tuple(METHODS),
    DRAWS,
    _cases,
    run,
    columns=FROM_LABELS,
    published={
        "mnist": {
            "6-per-class": {"cross-entropy": "82.4 %", "ccn-kcl": "79.4 %"},
            "60-per-class": {"cross-entropy": "94.7 %", "ccn-kcl": "95.1 %"},
            "600-per-class": {"cross-entropy": "98.3 %", "ccn-kcl": "98.8 %"},
            "full": {"cross-entropy": "99.4 %", "ccn-kcl": "99.6 %"},
        },
        "cifar10": {
            "5-per-class": {"cross-entropy": "21.3 %", "ccn-kcl": "22.0 %"},
            "50-per-class": {"cross-entropy": "34.6 %", "ccn-kcl": "37.0 %"},
            "500-per-class": {"cross-entropy": "55.0 %", "ccn-kcl": "53.2 %"},
            "full": {"cross-entropy": "73.7 %", "ccn-kcl": "73.4 %"},
        },
    },
)
