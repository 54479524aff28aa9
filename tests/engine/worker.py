"""What each process of `test_engine_processes` runs: small fits whose results it writes to a file."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from sklearn.base import clone
from sklearn.datasets import load_digits
from tests.engine.tasks import (
    AllParts,
    Layers,
    SetTerms,
    centred,
    make_points,
    normed_network,
    seeded,
    set_network,
)
from tests.engine.toys import TOYS, toy_task
from tests.launched import run_forked
from torch import Generator, Tensor, nn

from coterie import ADC, CCN, DDC, Pairs, SelfDistillation, SimilarityNetwork
from coterie.data import LabelBatches, PairBatches, Sampler
from coterie.data.augment import FeatureJitter
from coterie.engine.assessment import assess
from coterie.engine.loop import start_run, train
from coterie.engine.recipe import Recipe
from coterie.engine.runtime import Runtime, make_runtime
from coterie.engine.task import Task
from coterie.losses import pairs as losses
from coterie.losses.pairs import DEFAULT_OPTIONS
from coterie.methods import feature_starts
from coterie.methods.pair_objectives import PairObjective, TransferObjective
from coterie.methods.transfer import PairLabeler
from coterie.nn import ClusterNetwork, PairHead, PairNetwork

N = 45
LABELS = np.random.default_rng(1).integers(-1, 4, N)


def make_sampler(kind: str, batch_size: int) -> Sampler:
    if kind == "labels":
        return LabelBatches(LABELS, batch_size)
    pairs = Pairs.from_labels(np.arange(N) % 4, 60, random_state=0)
    # the cross entropy needs labels beside the pairs
    return PairBatches(pairs, batch_size, labels=LABELS)


def make_task(kind: str, loss: str, batch_size: int, runtime: Runtime) -> Task:
    points = make_points(N, 6, torch.float64)
    # in "all parts" a phase begins at the fourth step; the second step of the others has a momentum
    steps = 6 if loss == "all parts" else 2
    recipe = Recipe("sgd", 0.1, batch_size, max_epochs=1, max_steps=steps, momentum=0.9)
    if kind == "sets":
        return Task(points, SetTerms(), recipe, runtime, set_network)
    sampler = make_sampler(kind, batch_size)
    if loss == "all parts":
        objective = AllParts(sampler, 6, border=4, dtype=torch.float64)
        return Task(points, objective, recipe, runtime, lambda seed: centred(dropped_network(seed)), shaken)
    if loss == "transfer":
        labeler = PairLabeler(pair_network(), 0.0, 1.0, weighted=True)
        transfer = TransferObjective(sampler, "ccl", 2.0, DEFAULT_OPTIONS, labeler)
        return Task(points, transfer, recipe, runtime, sure_network, FeatureJitter())
    pair_objective = PairObjective(sampler, loss, 2.0, DEFAULT_OPTIONS, 0.3)
    return Task(points, pair_objective, recipe, runtime, normed_network)


def shaken(x: Tensor, generator: Generator) -> Tensor:
    """A caller's own view, which looks at the whole batch and draws in an order of its own."""
    noise = torch.randn(x.T.shape, generator=generator, dtype=x.dtype).T
    return x + 0.2 * x.mean(0).sin() * noise


def dropped_network(seed: int) -> ClusterNetwork:
    """With dropout before the last layer."""
    backbone = normed_network(seed).backbone
    layers = Layers(backbone.out_features, backbone, nn.Dropout(0.3))
    return seeded(lambda: ClusterNetwork(layers, 4).double(), seed)


def sure_network(seed: int) -> ClusterNetwork:
    """So sure of its clusters that float32 would round the gradients of pairs away."""
    network = normed_network(seed)
    with torch.no_grad():
        network.head.weight.mul_(40)
    return network


def pair_network() -> PairNetwork:
    """Says which rows of a batch belong together."""

    def build() -> PairNetwork:
        layers = (nn.Linear(6, 5), nn.BatchNorm1d(5), nn.Dropout(0.2))
        return PairNetwork(Layers(5, *layers), PairHead(5, 7)).double()

    return seeded(build, 2)


CASES = [
    (kind, loss, size) for kind in ("labels", "pairs") for loss in ("ccl", "kcl") for size in (7, 10, 22)
]
CASES += [("labels", "all parts", 7), ("labels", "all parts", 10), ("sets", "labels", 4)]
CASES += [("labels", "transfer", size) for size in (7, 10, 22)]


def train_all(runtime: Runtime) -> dict[str, Tensor]:
    """Weights and evaluated loss of every case."""
    results = {}
    for kind, loss, size in CASES:
        task = make_task(kind, loss, size, runtime)
        run = start_run(task, 0, 3)
        train(task, run, task.total_steps)
        name = f"{kind}-{loss}-{size}"
        results[f"{name}/loss"] = torch.tensor(assess(task, run).loss, dtype=torch.float64)
        results |= {f"{name}/{key}": value for key, value in run.network.state_dict().items()}
        if run.auxiliary is not None:
            results |= {f"{name}/auxiliary/{key}": value for key, value in run.auxiliary.named_buffers()}
    return results


def train_toys(runtime: Runtime) -> dict[str, Tensor]:
    """Weights, evaluated loss and auxiliary module of every toy objective."""
    results = {}
    for name in TOYS:
        task = toy_task(name, runtime)
        run = start_run(task, 0, 3)
        train(task, run, task.total_steps)
        results[f"{name}/loss"] = torch.tensor(assess(task, run).loss, dtype=torch.float64)
        results |= {f"{name}/{key}": value for key, value in run.network.state_dict().items()}
        results |= {f"{name}/sampler/{key}": value for key, value in run.sampler_state.items()}
        if run.auxiliary is not None:
            results |= {f"{name}/auxiliary/{key}": value for key, value in run.auxiliary.named_parameters()}
    return results


def fit_digits(rank: int) -> dict[str, Tensor]:
    """Labels and loss of an estimator, with a seed and without."""
    X, y = load_digits(return_X_y=True)
    X, y = X[:120], y[:120]
    np.random.seed(rank)  # noqa: NPY002 - where random_state=None looks
    model = CCN(10, n_restarts=2, max_steps=4, batch_size=31, over_clustering=True, augment="none")
    free = clone(model).fit(X, pairs=Pairs.from_labels(y, 80, 0))
    model.set_params(random_state=0).fit(X, y)
    return {
        "fit/labels": torch.from_numpy(model.labels_),
        "fit/loss": torch.tensor(model.loss_, dtype=torch.float64),
        "free/labels": torch.from_numpy(free.labels_),
    }


def discover(rank: int) -> dict[str, Tensor]:
    """A similarity network of digits 0-4, and what it says of 5-9."""
    X, y = load_digits(return_X_y=True)
    X, y = X[:200], y[:200]
    known = y < 5
    spn = SimilarityNetwork(max_steps=6, batch_size=21, samples_per_class=3, augment="none", random_state=0)
    spn.fit(X[known], y[known], groups=y[known] // 5)
    settings: dict[str, Any] = {"max_steps": 6, "batch_size": 31, "augment": "none", "random_state": 0}
    model = CCN(5, **settings, over_clustering=True, head_init="similarity").fit(X[~known], similarity=spn)
    i, j = np.random.default_rng(rank).integers(len(X), size=(2, 50))
    i[:20], j[:20] = np.arange(20), np.arange(1, 21)
    return {
        "spn/loss": torch.tensor(spn.loss_, dtype=torch.float64),
        "spn/odds": torch.from_numpy(spn.predict_proba_pairs(X, i, j)[:20]),
        "spn/threshold": torch.tensor(spn.batch_threshold_, dtype=torch.float64),
        "discovered/labels": torch.from_numpy(model.labels_),
        "discovered/loss": torch.tensor(model.loss_, dtype=torch.float64),
    }


def fit_views() -> dict[str, Tensor]:
    """Labels and loss of fits with random views, and with networks with dropout."""
    digits = load_digits()
    X, y = digits.images[:70].astype(np.float32), digits.target[:70]
    settings: dict[str, Any] = {"max_steps": 3, "n_restarts": 1, "random_state": 0, "batch_size": 31}
    large = np.repeat(np.repeat(X, 2, 1), 2, 2)
    models = {
        "adc": ADC(10, **settings, preset="paper").fit(large),
        "ccn": CCN(10, **settings, over_clustering=True).fit(X, pairs=Pairs.from_labels(y, 80, 0)),
        "ddc": DDC(10, **settings, balance=True).fit(X.reshape(70, -1)),
        "distillation": SelfDistillation(10, **settings).fit(X.reshape(70, -1)),
    }
    found = {f"views/{name}/labels": torch.from_numpy(model.labels_) for name, model in models.items()}
    losses = {name: torch.tensor(model.loss_, dtype=torch.float64) for name, model in models.items()}
    return found | {f"views/{name}/loss": loss for name, loss in losses.items()}


def main() -> None:
    here = make_runtime("cpu")
    feature_starts.CENTER_RUNS = feature_starts.MAP_RUNS = feature_starts.ROUNDS = 1
    found = train_toys(here) | fit_digits(here.rank) | discover(here.rank) | fit_views()
    # of 7 rows each process computes all pairs, of 10 its share of a matrix, of 22 its share of blocks
    losses.SHARED_ROWS, losses.DENSE_LIMIT, losses.BLOCK = 8, 15, 4
    found |= train_all(here)
    out = {name: value.detach().contiguous() for name, value in found.items()}
    save_file(out, Path(sys.argv[1]) / f"{here.world}-{here.rank}.safetensors")
    if here.world > 1:
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    run_forked([1, 2, 3], main)
