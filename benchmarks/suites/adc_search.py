"""How ADC's loss weights matter (ADC paper, figure 5): random weights on digits, few steps."""

from __future__ import annotations

import numpy as np

from benchmarks import scores
from benchmarks.columns import SECONDS, metric
from benchmarks.datasets import load
from benchmarks.estimators import RecordedADC
from benchmarks.suites.base import Case, Options, Outcome, Suite
from coterie.methods.adc import PRESET_OF

METHODS = ("adc",)
DRAWS = tuple(range(200, 250))
# Each weight is drawn log-uniformly between these multiples of the default preset's.
SEARCHED = ("centroids", "views_later", "visit", "norm", "transformation")
SPREAD = (0.1, 10.0)
STEPS = 300


def draw_weights(draw: int) -> dict[str, float]:
    """The weights of one run, a function of its number alone."""
    rng = np.random.default_rng(draw)
    low, high = np.log(SPREAD)
    usual = PRESET_OF["default"].weights
    return {name: getattr(usual, name) * float(np.exp(rng.uniform(low, high))) for name in SEARCHED}


def _cases(options: Options) -> list[Case]:
    chosen = {"n_clusters": 10, "max_steps": STEPS, "n_restarts": 1, "over_clustering": True}
    return [
        Case(
            "adc-search",
            "adc",
            "digits",
            "",
            draw,
            {"parameters": options.estimator(**chosen, weights=draw_weights(draw))},
        )
        for draw in options.draws or DRAWS
    ]


def run(case: Case) -> Outcome:
    """Cluster digits with the weights of this draw; labels measure at the end."""
    split = load("digits")
    x = np.concatenate([split.x_train, split.x_test])
    y = np.concatenate([split.y_train, split.y_test])
    model = RecordedADC(**case.settings["parameters"], random_state=case.draw, threads=1).fit(x)
    metrics = {"loss": model.loss_, **scores.scores("all", y, model.labels_, 10)}
    departure = f"steps: {STEPS}, on digits; the paper's 1,061 runs are on MNIST"
    return Outcome(metrics, model.runs_, model.resolved_, [departure])


ADC_SEARCH = Suite(
    "adc-search",
    "Random loss weights of ADC on digits (ADC paper, figure 5)",
    METHODS,
    DRAWS,
    _cases,
    run,
    columns=(
        metric("ACC %", "all_accuracy", 100, 1),
        metric("NMI (arithmetic)", "all_nmi_arithmetic"),
        SECONDS,
    ),
)
