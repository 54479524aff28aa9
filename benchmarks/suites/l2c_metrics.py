"""The L2C paper's explicit distances (section 3.3) beside its implicit one, on small sets of 2-D points."""

from __future__ import annotations

import time
import warnings
from typing import Any

import numpy as np

from benchmarks.columns import UNSEEN
from benchmarks.hardware import fast_precision
from benchmarks.suites.base import Case, Options, Outcome, Suite
from coterie import L2C
from coterie.data.shapes2d import shapes2d
from coterie.metrics import misclassification_rate, nmi

METHODS = ("implicit", "euclidean", "diagonal", "full")
DRAWS = (100,)
ITEMS, MAX_CLUSTERS = 20, 3
BATCH, STEPS = 25, 1200
TEST_SETS = 300
TRAINING, TEST = 0, 1  # parts of the random numbers of a draw
DEPARTURES = (
    "sets of 20 points and up to 3 clusters, 1,200 steps of 25 sets by Adam; the paper has 72 points, up to "
    "5 clusters and 50 sets a step by Adadelta",
    "MR is 1 - ACC under the best one-to-one matching; the paper's is a greedy upper bound of it",
)


def _cases(options: Options) -> list[Case]:
    size = {"steps": 2, "test_sets": 3} if options.quick else {"steps": STEPS, "test_sets": TEST_SETS}
    return [
        Case("l2c-metrics", method, "points2d", "", draw, dict(size))
        for draw in options.draws or DRAWS
        for method in options.pick_methods(METHODS)
    ]


def run(case: Case) -> Outcome:
    """Train the paper's stack with one distance, each set seen once; mean scores on other sets."""
    steps = case.settings["steps"]
    distance: Any = case.method
    model = L2C(
        max_clusters=MAX_CLUSTERS,
        network="lstm",
        distance=distance,
        set_size=ITEMS,
        batch_size=BATCH,
        max_epochs=1,
        scale=False,
        precision=fast_precision(),
        random_state=case.draw,
    )
    start = time.process_time()
    model.fit_sets(_draw(case.draw, TRAINING, BATCH * steps))
    seconds = time.process_time() - start
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # P(max) is the answer
        for points, y in _draw(case.draw, TEST, case.settings["test_sets"]):
            count_proba, assignments = model.predict_all(points)
            k = int(count_proba.argmax()) + 1
            clusters = assignments[k - 1].argmax(axis=1)
            scores = nmi(y, clusters, average="geometric"), misclassification_rate(y, clusters)
            found.append((*scores, float(k == y.max() + 1)))
    names = ("test_nmi_geometric", "misclassification_rate", "right_counts")
    metrics: dict[str, Any] = dict(zip(names, np.mean(found, axis=0).tolist(), strict=True))
    metrics |= {"processor_seconds": seconds, "loss": model.loss_}
    return Outcome(metrics, runs=model.runs_, departures=list(DEPARTURES))


def _draw(draw: int, part: int, n_sets: int) -> list[tuple[Any, Any]]:
    rng = np.random.default_rng([draw, part])
    return list(zip(*shapes2d(n_sets, ITEMS, n_clusters=(1, MAX_CLUSTERS), random_state=rng), strict=True))


L2C_METRICS = Suite(
    "l2c-metrics",
    "L2C paper, table 1, rows of explicit distances: the LSTM stack on sets of 20 points",
    METHODS,
    DRAWS,
    _cases,
    run,
    columns=UNSEEN,
    published={
        "points2d": {
            "": {
                "implicit": "NMI .993, MR .004",
                "euclidean": "NMI .730, MR .177",
                "diagonal": "NMI .725, MR .185",
                "full": "NMI .740, MR .165",
            }
        }
    },
)
