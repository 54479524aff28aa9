"""DDC runs that are watched: the simplex, the kernel, what speaks for a cluster; a run on labels.

Figures 4, 9 and 10 of the DDC paper (arXiv:1902.04981). No label takes part in the training of the first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from benchmarks import datasets, scores
from benchmarks.columns import UNSUPERVISED
from benchmarks.estimators import RecordedDDC
from benchmarks.suites.base import Case, Options, Outcome, Suite
from benchmarks.suites.ddc import MNIST_ROWS, OWN_RECIPE
from coterie._types import Batch, Output
from coterie.engine.objective import Objective
from coterie.losses.ddc import ddc_terms, gaussian_kernel
from coterie.report.guided import guided_backpropagation

SHOWN_ROWS = 500
SHOWN_CLASSES = 3
SIMPLEX_STEPS = (1, 30, 300)
IMAGES_A_CLUSTER = 2
METHODS = ("simplex", "kernel", "supervised")

Arrays = dict[str, npt.NDArray[Any]]


class SupervisedObjective(Objective):
    """Cross entropy on the labels of all rows, the terms of DDC beside it without a weight.

    Parameters
    ----------
    preset : Objective
    labels : int64 tensor of shape (n,)
    """

    def __init__(self, preset: Objective, labels: Tensor) -> None:
        super().__init__(preset.sampler, dict.fromkeys(preset.weights, 0.0) | {"cross_entropy": 1.0})
        self._labels = labels

    def terms(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        terms = ddc_terms(output.embedding, output.prob)
        return terms | {"cross_entropy": functional.cross_entropy(output.logits, self._labels[batch.rows])}


class SupervisedDDC(RecordedDDC):
    """The network and batches of DDC, trained on labels; cluster = class.

    Attributes
    ----------
    truth : int64 array of shape (n,)
        Labels of the rows of X; set before `fit`.
    """

    truth: npt.NDArray[np.int64]

    def objective_for(self, preset: Objective) -> Objective:
        return SupervisedObjective(preset, torch.from_numpy(self.truth))


def _cases(options: Options) -> list[Case]:
    cases = []
    for draw in options.draws or (100,):
        for method in options.pick_methods(METHODS):
            chosen: dict[str, Any] = {"n_clusters": 10, "n_restarts": 1, "over_clustering": True}
            if method == "simplex":
                chosen["n_clusters"] = SHOWN_CLASSES
            if method == "kernel":
                chosen |= {"n_restarts": 2, "restarts": "sequential", "max_steps": 400}
            if method == "supervised":
                chosen["max_epochs"] = 10
            rows = options.limits()["train_rows"] or MNIST_ROWS
            settings = {"train_rows": rows, "parameters": options.estimator(**chosen)}
            cases.append(Case("ddc-watched", method, "mnist", "", draw, settings))
    return cases


def run(case: Case) -> Outcome:
    """One picture's arrays, and how right the run was."""
    split = datasets.load(case.data).take(case.settings["train_rows"], None)
    watch = {"simplex": _simplex, "kernel": _kernel, "supervised": _supervised}[case.method]
    parameters = dict(case.settings["parameters"])
    model, truth, arrays = watch(split.x_train, split.y_train, parameters | {"random_state": case.draw})
    measured = {"loss": model.loss_} | scores.scores("train", truth, model.labels_, model.n_outputs_)
    return Outcome(measured, model.runs_, model.resolved_, [OWN_RECIPE], arrays)


def _simplex(
    x: npt.NDArray[Any], y: scores.Labels, parameters: Mapping[str, Any]
) -> tuple[RecordedDDC, scores.Labels, Arrays]:
    """Rows of the first classes on the simplex, after more and more steps of the same start."""
    rows = np.flatnonzero(y < SHOWN_CLASSES)
    arrays: Arrays = {"labels": y[rows[:SHOWN_ROWS]]}
    for steps in sorted({min(steps, parameters.get("max_steps", steps)) for steps in SIMPLEX_STEPS}):
        model = RecordedDDC(**(dict(parameters) | {"max_steps": steps}), threads=1)
        model.fit(x[rows])
        shown = model.predict_proba(x[rows[:SHOWN_ROWS]])
        arrays[f"probabilities_{steps}"] = shown.astype(np.float32)
    return model, y[rows], arrays


def _kernel(
    x: npt.NDArray[Any], y: scores.Labels, parameters: Mapping[str, Any]
) -> tuple[RecordedDDC, scores.Labels, Arrays]:
    """The kernel of some rows, and the images that each cluster is surest of with what speaks for it."""
    model = RecordedDDC(**parameters, threads=1).fit(x)
    kernel = gaussian_kernel(torch.from_numpy(model.transform(x[:SHOWN_ROWS])))
    surest = _surest(model.predict_proba(x))
    arrays = {
        "kernel": (255 * kernel).round().to(torch.uint8).numpy(),
        "labels": model.labels_[:SHOWN_ROWS],
        "images": x[surest],
        "image_labels": model.labels_[surest],
        "guided": guided_backpropagation(model, x[surest]).astype(np.float16),
    }
    return model, y, arrays


def _surest(probabilities: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Rows of which each cluster is surest, cluster after cluster; of an unused one whatever comes first."""
    best: Sequence[npt.NDArray[np.int64]] = [
        np.argsort(-column, kind="stable")[:IMAGES_A_CLUSTER] for column in probabilities.T
    ]
    return np.concatenate(best)


def _supervised(
    x: npt.NDArray[Any], y: scores.Labels, parameters: Mapping[str, Any]
) -> tuple[RecordedDDC, scores.Labels, Arrays]:
    """Means of all terms in each epoch of a run on labels."""
    model = SupervisedDDC(**parameters, threads=1)
    model.truth = y
    model.fit(x)
    names = ("cross_entropy", "divergence", "orthogonality", "corners")
    return model, y, {name: np.array([epoch[name] for epoch in model.history_]) for name in names}


DDC_WATCHED = Suite(
    "ddc-watched",
    "Runs for the pictures: simplex, kernel, guided back-propagation; labels with DDC's terms watched",
    METHODS,
    (100,),
    _cases,
    run,
    columns=UNSUPERVISED,
)
