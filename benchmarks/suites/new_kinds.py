"""New files of old and new kinds beside a clustering: what `coterie update` does, on features.

A tenth of the classes are new kinds; of each other class a tenth of the samples come later. The rest are
clustered first, with as many clusters as they have classes. Labels measure at the end alone; the rule was
tuned on objects 1 to 50 of COIL-100 and on CIFAR-10's training images from 10,000 on.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from benchmarks.columns import metric
from benchmarks.embedded import vectors_of
from benchmarks.suites.base import Case, Options, Outcome, Suite
from coterie import SelfDistillation
from coterie.methods.novelty import Known, place
from coterie.nn import unit_features

Array = npt.NDArray[Any]
Ints = npt.NDArray[np.int64]
DRAWS = (100, 101, 102)
ENCODERS = {
    **dict.fromkeys(("coil100", "cifar10"), "efficientnet-lite0"),
    "reuters21578": "wordllama",
    "speechocean762": "voices",
}
LATER = 0.1


def split(y: Ints, draw: int) -> tuple[Ints, Ints, npt.NDArray[np.bool_]]:
    """Rows that are clustered first, rows that come later, and which of these are of new kinds."""
    rng = np.random.default_rng(draw)
    classes = np.unique(y)
    new = np.isin(y, rng.choice(classes, max(1, round(LATER * len(classes))), replace=False))
    later = new | (rng.random(len(y)) < LATER)
    return np.flatnonzero(~later), np.flatnonzero(later), new[later]


def run(case: Case) -> Outcome:
    """Cluster, update, and hold what came later against its classes."""
    X, y = vectors_of(case.data, ENCODERS[case.data])
    first, later, is_new = split(y, case.draw)
    n_clusters = len(np.unique(y[first]))
    parameters = case.settings["parameters"]
    model = SelfDistillation(n_clusters, **parameters, random_state=case.draw, threads=1).fit(X[first])
    known = Known(_points(X[first]), model.labels_)
    placed = place(known, _points(X[later]), model.predict(X[later]), (n_clusters, n_clusters))
    in_new = placed.clusters >= n_clusters
    of_cluster = [y[later][placed.clusters == one] for one in range(n_clusters, placed.n_clusters)]
    pure = sum(int(np.unique(one, return_counts=True)[1].max()) for one in of_cluster)
    metrics = {
        "later": len(later),
        "new_kinds": len(np.unique(y[later][is_new])),
        "new_clusters": placed.n_clusters - n_clusters,
        "new_purity": pure / max(1, int(in_new.sum())),
        "new_found": float(in_new[is_new].mean()),
        "old_joined": float((~in_new[~is_new]).mean()),
    }
    return Outcome(metrics, model.runs_)


def _points(X: Array) -> npt.NDArray[np.float32]:
    return unit_features(torch.from_numpy(X)).numpy()


def _cases(options: Options) -> list[Case]:
    names = (options.data,) if options.data else tuple(ENCODERS)
    if unknown := set(names) - set(ENCODERS):
        raise ValueError(f"data: {', '.join(unknown)}; this suite has {', '.join(ENCODERS)}")
    methods = options.pick_methods(("self-distillation",))
    return [
        Case("new-kinds", method, name, "", draw, {"parameters": options.estimator()})
        for name in names
        for draw in options.draws or DRAWS
        for method in methods
    ]


NEW_KINDS = Suite(
    "new-kinds",
    "Files of old and new kinds that come after the fit, as `coterie update` places them",
    ("self-distillation",),
    DRAWS,
    _cases,
    run,
    columns=(
        metric("new samples", "later", digits=0),
        metric("new kinds", "new_kinds", digits=0),
        metric("new clusters", "new_clusters", digits=1),
        metric("purity of new clusters", "new_purity"),
        metric("of new kinds, in new clusters", "new_found"),
        metric("of old kinds, in old clusters", "old_joined"),
    ),
)
