"""Cases that cluster from random pairs: figures 3 to 6 of the KCL paper (arXiv:1511.06321).

The three suites share their cases: without noise and with as many outputs as classes, "noise" and "outputs"
are "pairs", and are looked up there.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from benchmarks import datasets, scores
from benchmarks.columns import CLUSTERING
from benchmarks.estimators import ESTIMATORS, RecordedCCN, Siamese
from benchmarks.suites.base import RESTARTS, Case, Options, Outcome, Suite
from coterie import Pairs

DRAWS = (100, 101, 102)
MAP_ROWS = 2_000


class Way(NamedTuple):
    """How a method is trained; of the restarts, the best one clusters or the best `vote` ones vote."""

    estimator: str
    loss: str
    preset: str = "default"
    vote: int = 0


METHODS = {
    "ccn-kcl": Way("ccn", "kcl"),
    "ccn-ccl": Way("ccn", "ccl"),
    "ccn-kcl-paper": Way("ccn", "kcl", "paper"),
    "siamese+kmeans": Way("siamese", "kcl"),
    "ccn-kcl-vote": Way("ccn", "kcl", vote=RESTARTS),
}
# all but the vote, which is a remedy for wrong answers
USUAL = tuple(name for name, way in METHODS.items() if not way.vote)
OWN_RECIPE = "recipe: this library's default preset (frozen on a split of the training set), not the paper's"
DEPARTURES = {
    "ccn-kcl": [OWN_RECIPE],
    "ccn-ccl": [OWN_RECIPE, "loss: CCL, which the KCL paper does not have"],
    "ccn-kcl-paper": [
        "recipe: the paper names neither rate nor length of training; those of its Torch7 code are used"
    ],
    "ccn-kcl-vote": [OWN_RECIPE, "all five starts vote; the paper takes one"],
    "siamese+kmeans": [
        "recipe: that of ccn-kcl (batches, optimiser, steps, views), not tuned for the hinge loss; margin 1; "
        "mean over the pairs of a batch, which was better than their sum on mnist-validation (draw 0)",
    ],
}


def _case(method: str, n_pairs: int, flipped: float, n_clusters: int, context: tuple[Options, int]) -> Case:
    """One case; which suite holds it follows from its settings."""
    options, draw = context
    way = METHODS[method]
    suite = "noise" if flipped else "outputs" if n_clusters != 10 else "pairs"
    variant = {"noise": f"n{n_pairs}-flip{flipped:g}", "outputs": f"n{n_pairs}-k{n_clusters}"}
    settings = {
        "estimator": way.estimator,
        "n_pairs": n_pairs,
        "flipped": flipped,
        "parameters": options.estimator(
            n_clusters=n_clusters,
            loss=way.loss,
            preset=way.preset,
            # digits are too small for it
            backbone="lenet" if way.preset == "paper" and options.data != "digits" else "auto",
            n_restarts=RESTARTS,
            over_clustering=True,
            **({"vote": way.vote} if way.vote else {}),
        ),
        **options.limits(),
    }
    return Case(suite, method, options.data or "mnist", variant.get(suite, f"n{n_pairs}"), draw, settings)


def _pairs_cases(options: Options) -> list[Case]:
    sizes = options.sizes or ((300,) if options.quick else (1200, 300, 12_000))
    return [
        _case(method, n_pairs, 0.0, 10, (options, draw))
        for n_pairs in sizes
        for draw in options.draws or DRAWS
        for method in options.pick_methods(USUAL)
    ]


def _noise_cases(options: Options) -> list[Case]:
    sizes = options.sizes or ((300,) if options.quick else (1200, 12_000))
    return [
        _case(method, n_pairs, flipped, 10, (options, draw))
        for flipped in (0.0, 0.1, 0.2)
        for n_pairs in sizes
        for draw in options.draws or DRAWS
        for method in options.methods or ("ccn-kcl", "ccn-ccl", "ccn-kcl-vote")
        if flipped or not METHODS[method].vote
    ]


def _outputs_cases(options: Options) -> list[Case]:
    sizes = options.sizes or ((300,) if options.quick else (12_000,))
    return [
        _case(method, n_pairs, 0.0, n_clusters, (options, draw))
        for n_clusters in (10, 30, 100)
        for n_pairs in sizes
        for draw in options.draws or DRAWS
        for method in options.methods or ("ccn-kcl", "ccn-ccl", "siamese+kmeans")
    ]


@functools.cache
def read_split(name: str, train_rows: int | None, test_rows: int | None) -> datasets.Split:
    """A data set, kept between cases."""
    return datasets.load(name).take(train_rows, test_rows)


def draw_pairs(split: datasets.Split, case: Case) -> Pairs:
    """The constraints of a draw, a stated share of them turned into their opposite."""
    pairs = Pairs.from_labels(split.y_train, case.settings["n_pairs"], random_state=case.draw)
    flipped = case.settings["flipped"]
    return pairs.with_noise(flipped, random_state=case.draw) if flipped else pairs


def run(case: Case) -> Outcome:
    """Train on the pairs of a draw and measure the chosen restart on training and test rows.

    Labels come in twice: to draw the constraints, and to measure when everything has been chosen.
    """
    split = read_split(case.data, case.settings["train_rows"], case.settings["test_rows"])
    model = ESTIMATORS[case.settings["estimator"]](**case.settings["parameters"], random_state=case.draw)
    # one thread: on shared cores a second one makes these small steps slower
    model.set_params(threads=1)
    model.fit(split.x_train, pairs=draw_pairs(split, case))
    k = model.n_outputs_
    measured: dict[str, Any] = {"loss": model.loss_}
    departures = [*split.departures, *DEPARTURES[case.method]]
    outcome = Outcome(measured, model.runs_, model.resolved_, departures)
    if isinstance(model, Siamese):
        found = _cluster(model.outputs(split.x_test), case)
        measured |= scores.scores("test", split.y_test, found, k)
        measured["test_contingency"] = scores.table(split.y_test, found, k)
    else:
        measured |= scores.scores("train", split.y_train, model.labels_, k)
        measured |= _measure_network(model, split, case, outcome)
    return outcome


def _cluster(points: Any, case: Case) -> scores.Labels:
    n_clusters = case.settings["parameters"]["n_clusters"]
    return scores.kmeans(points, n_clusters, case.settings["kmeans_restarts"], case.draw)


def _measure_network(
    model: RecordedCCN, split: datasets.Split, case: Case, outcome: Outcome
) -> dict[str, Any]:
    """Test scores of the chosen restart, of k-means on its features, and the purity of every restart."""
    k = model.n_outputs_
    probabilities = model.predict_proba(split.x_test)
    found = probabilities.argmax(axis=1)
    measured = scores.scores("test", split.y_test, found, k)
    measured["test_contingency"] = scores.table(split.y_test, found, k)
    if case.suite == "pairs":
        by_kmeans = _cluster(model.transform(split.x_test), case)
        measured |= scores.scores("features_kmeans_test", split.y_test, by_kmeans, k)
        outcome.arrays = {
            "probabilities": probabilities[:MAP_ROWS].astype(np.float16),
            "labels": split.y_test[:MAP_ROWS].astype(np.uint8),
        }
    for kept in model.each_restart():
        restart = scores.scores("test", split.y_test, model.predict(split.x_test), k)
        outcome.runs[kept.index] |= {name: restart[name] for name in ("test_purity", "test_nmi_geometric")}
    return measured


def _suite(
    name: str, about: str, make_cases: Any, published: Mapping[str, Mapping[str, str]] | None = None
) -> Suite:
    return Suite(name, about, tuple(METHODS), DRAWS, make_cases, run, CLUSTERING, {"mnist": published or {}})


PAIRS = _suite(
    "pairs",
    "Clustering MNIST from random pairs (KCL paper, figures 3 and 4)",
    _pairs_cases,
    {"n1200": dict.fromkeys(("ccn-kcl", "ccn-kcl-paper"), "purity > 0.9, NMI > 0.8")},
)
NOISE = _suite("noise", "A share of the pairs flipped (KCL paper, figure 5, left)", _noise_cases)
OUTPUTS = _suite(
    "outputs",
    "More outputs than classes (KCL paper, figures 5, right, and 6)",
    _outputs_cases,
    {
        "n12000-k30": {"ccn-kcl": "about 10 major clusters"},
        "n12000-k100": {"ccn-kcl": "about 10 major clusters, NMI barely lower"},
    },
)
