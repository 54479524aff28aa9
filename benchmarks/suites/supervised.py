"""Clustering from all labels: tables 1 and 2 of the CCL paper (arXiv:1806.11078), CIFAR-10 and MNIST."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor
from torch.nn import functional

from benchmarks.columns import FROM_LABELS
from benchmarks.estimators import ESTIMATORS, RecordedCCN
from benchmarks.scores import scores
from benchmarks.suites.base import Case, Options, Outcome, Suite
from benchmarks.suites.from_pairs import read_split
from coterie.engine.objective import Objective
from coterie.losses.pairs import PairOptions
from coterie.methods.pair_objectives import PairObjective
from coterie.metrics import map_clusters, mapped_accuracy

LOSSES = {"cross-entropy": ("cross-entropy", "ccl"), "kcl": ("released", "kcl"), "ccl": ("released", "ccl")}
NETWORKS = ("lenet", "vgg8", "vgg11", "vgg16", "preact18", "preact101")
CPU_NETWORKS = ("lenet", "vgg8")
CPU_ROWS = 2_000
CPU_EPOCHS = 10


class Released(RecordedCCN):
    """CCN with the losses of the released code: means over ordered pairs, self pairs among them."""

    def objective_for(self, preset: Objective) -> Objective:
        options = PairOptions(include_self=True, eps=1e-7)
        return PairObjective(preset.sampler, self.loss, self.margin, options, cross_entropy_weight=0.0)


KINDS = ESTIMATORS | {"released": Released}


@dataclass(frozen=True)
class Protocol:
    """How the paper trains on one data set: SGD of rate 0.1 on batches of 100, cut tenfold twice."""

    suite: str
    data: str
    epochs: int
    drops: tuple[float, ...]
    cropped: bool


MNIST = Protocol("mnist-ccl", "mnist", 30, (1 / 3, 2 / 3), cropped=False)
CIFAR10 = Protocol("cifar10", "cifar10", 70, (3 / 7, 6 / 7), cropped=True)
PROTOCOLS = {protocol.suite: protocol for protocol in (MNIST, CIFAR10)}


def crop_and_flip(images: Tensor, generator: Generator) -> Tensor:
    """A random window of each image padded by 4 zeros, and a mirror image of every second one on average."""
    n, _, height, width = images.shape
    padded = functional.pad(images, (4, 4, 4, 4))
    draws = torch.randint(0, 9, (2, n), generator=generator, device=images.device)
    rows = draws[0, :, None] + torch.arange(height, device=images.device)
    columns = draws[1, :, None] + torch.arange(width, device=images.device)
    mirrored = torch.rand(n, 1, generator=generator, device=images.device) < 0.5
    columns = torch.where(mirrored, columns.flip(1), columns)
    index = torch.arange(n, device=images.device)[:, None, None]
    return padded[index, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def _cifar10_cases(options: Options) -> list[Case]:
    on_gpu = torch.cuda.is_available()
    networks = options.networks or (NETWORKS if on_gpu else CPU_NETWORKS)
    if options.quick and not options.networks:
        networks = ("lenet",)
    rows = options.train_rows or (None if on_gpu else CPU_ROWS)
    epochs = options.epochs or (CIFAR10.epochs if on_gpu else CPU_EPOCHS)
    return [
        _case(CIFAR10, method, network, {"train_rows": rows, "epochs": epochs}, (options, draw))
        for network in networks
        for draw in options.draws or (100,)
        for method in options.pick_methods(tuple(LOSSES))
    ]


def _mnist_cases(options: Options) -> list[Case]:
    size = {"train_rows": options.train_rows, "epochs": options.epochs or MNIST.epochs}
    return [
        _case(MNIST, method, "lenet", size, (options, draw))
        for draw in options.draws or (100,)
        for method in options.pick_methods(tuple(LOSSES))
    ]


def _case(
    protocol: Protocol, method: str, network: str, size: dict[str, Any], context: tuple[Options, int]
) -> Case:
    options, draw = context
    kind, loss = LOSSES[method]
    settings = {
        **options.limits(),
        **size,
        "estimator": kind,
        "augment": "crop-flip" if protocol.cropped else "none",
        "recipe": {
            "optimizer": "sgd",
            "learning_rate": 0.1,
            "batch_size": 100,
            "momentum": 0.9,
            "weight_decay": 0.0,
            "max_epochs": size["epochs"],
            "step_range": None,
            "drops": protocol.drops,
            "drop_factor": 0.1,
            "patience": None,
        },
        "parameters": options.estimator(
            n_clusters=10, loss=loss, backbone=network, batch_size=100, n_restarts=1, over_clustering=True
        ),
    }
    if options.quick and not options.train_rows:
        settings["train_rows"] = 200
    return Case(protocol.suite, method, options.data or protocol.data, network, draw, settings)


def run(case: Case) -> Outcome:
    """Train on all labels of the training rows; clusters get their classes from those rows."""
    settings, protocol = case.settings, PROTOCOLS[case.suite]
    split = read_split(case.data, settings["train_rows"], settings["test_rows"])
    model = KINDS[settings["estimator"]](**settings["parameters"], random_state=case.draw)
    augment = crop_and_flip if settings["augment"] == "crop-flip" else "none"
    model.set_params(threads="auto" if torch.cuda.is_available() else 1, augment=augment)
    # a caller's max_steps stays: it is the only one that comes from outside the protocol
    model.recipe_changes = dict(settings["recipe"])
    model.fit(split.x_train, split.y_train)
    found = model.predict(split.x_test)
    if settings["estimator"] == "cross-entropy":
        mapping = {int(one): int(one) for one in np.unique(split.y_train)}
    else:
        mapping = map_clusters(split.y_train, model.labels_)
    measured: dict[str, Any] = {
        "loss": model.loss_,
        "test_mapped_accuracy": mapped_accuracy(split.y_test, found, mapping),
        **scores("test", split.y_test, found, model.n_outputs_),
        **scores("train", split.y_train, model.labels_, model.n_outputs_),
    }
    departures = [*split.departures, "one run per cell; the paper names no number of runs"]
    if settings["augment"] == "crop-flip":
        departures.append("crops: padded by the mean of the images, where the released code pads with black")
    if settings["epochs"] != protocol.epochs:
        departures.append(f"{settings['epochs']} epochs instead of {protocol.epochs}")
    return Outcome(measured, model.runs_, model.resolved_, departures)


_suite = functools.partial(Suite, methods=tuple(LOSSES), draws=(100,), run_case=run, columns=FROM_LABELS)
CIFAR10_SUITE = _suite(
    name="cifar10",
    about="Clustering CIFAR-10 from all labels with deeper networks (CCL paper, table 1)",
    make_cases=_cifar10_cases,
    published={
        "cifar10": {
            "lenet": {"cross-entropy": "84.4 %", "kcl": "83.6 %", "ccl": "83.9 %"},
            "vgg8": {"cross-entropy": "89.4 %", "kcl": "89.6 %", "ccl": "89.5 %"},
            "vgg11": {"cross-entropy": "90.0 %", "kcl": "85.6 %", "ccl": "90.4 %"},
            "vgg16": {"cross-entropy": "91.1 %", "kcl": "21.9 %", "ccl": "91.3 %"},
            "preact18": {"cross-entropy": "92.6 %", "kcl": "81.7 %", "ccl": "92.7 %"},
            "preact101": {"cross-entropy": "93.0 %", "kcl": "21.9 %", "ccl": "93.3 %"},
        }
    },
)
MNIST_SUITE = _suite(
    name="mnist-ccl",
    about="Clustering MNIST from all labels (CCL paper, MNIST row of table 2)",
    make_cases=_mnist_cases,
    published={"mnist": {"lenet": {"cross-entropy": "99.4 %", "kcl": "99.5 %", "ccl": "99.3 %"}}},
)
