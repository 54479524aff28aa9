"""Clustering without labels: ADC, alone and with random pairs, beside DDC and k-means."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from benchmarks import scores
from benchmarks.columns import SECONDS, Column, metric, of_restarts
from benchmarks.datasets import Split, coil100
from benchmarks.estimators import RecordedADC, RecordedCCN, RecordedDDC
from benchmarks.suites.base import Case, Options, Outcome, Suite
from benchmarks.suites.from_pairs import read_split
from coterie import Pairs
from coterie.metrics import clustering_accuracy

RESNET = "adc-resnet"
METHODS = ("adc", RESNET, "adc-pairs", "ccn-pairs", "ddc", "kmeans")
DRAWS = (100, 101, 102, 103, 104)
# without a test set of their own: all rows are clustered and measured
WHOLE = ("digits", "coil10")
N_PAIRS = {"digits": 200, "mnist": 1_200, "mnist14": 1_200, "cifar10": 1_200, "coil10": 50}
COIL_SIDE = 32
MNIST_ROWS = 10_000
# data set -> the one it is shrunk from
HALVED = {"mnist14": "mnist"}
RECORDED: dict[str, Any] = {"ddc": RecordedDDC, "ccn-pairs": RecordedCCN}


def _cases(options: Options) -> list[Case]:
    known = ("digits",) if options.quick else ("digits", "mnist")
    return [
        _case(method, data, options, draw)
        for data in ((options.data,) if options.data else known)
        for draw in options.draws or DRAWS
        for method in options.pick_methods(METHODS)
        if method != RESNET or data not in WHOLE  # which are too small or too few for it
    ]


def _case(method: str, data: str, options: Options, draw: int) -> Case:
    limits = options.limits()
    if data not in WHOLE and not options.quick:
        limits["train_rows"] = options.train_rows or MNIST_ROWS
    n_pairs = N_PAIRS[data.partition("-")[0]] if method.endswith("pairs") else 0
    chosen: dict[str, Any] = {"over_clustering": True} if method in RECORDED else {}
    if method == RESNET:
        chosen = {"backbone": "resnet-stl"}
    settings = {**limits, "n_pairs": n_pairs, "parameters": options.estimator(n_clusters=10, **chosen)}
    return Case("adc", method, data, f"n{n_pairs}" if n_pairs else "", draw, settings)


def run(case: Case) -> Outcome:
    """Cluster the training rows; labels draw the pairs where there are any, and measure at the end."""
    split = _rows(case)
    if case.method == "kmeans":
        return _kmeans(case, split)
    recorded: Any = RECORDED.get(case.method, RecordedADC)
    model = recorded(**case.settings["parameters"], random_state=case.draw).set_params(threads=1)
    n_pairs = case.settings["n_pairs"]
    pairs = Pairs.from_labels(split.y_train, n_pairs, random_state=case.draw) if n_pairs else None
    start = time.process_time()
    model.fit(split.x_train, pairs=pairs)
    measured: dict[str, Any] = {"loss": model.loss_, "processor_seconds": time.process_time() - start}
    measured |= _scores("", split.y_train, model.labels_)
    measured["contingency"] = scores.table(split.y_train, model.labels_, 10)
    restarts, seed = case.settings["kmeans_restarts"], case.draw
    on_embedding = scores.kmeans(model.transform(split.x_train), 10, restarts, seed)
    measured |= _scores("features_kmeans_", split.y_train, on_embedding)
    if case.data not in WHOLE:
        measured |= _scores("test_", split.y_test, model.predict(split.x_test))
    for kept in model.each_restart():
        found = model.predict(split.x_train)
        model.runs_[kept.index]["train_accuracy"] = clustering_accuracy(split.y_train, found)
    departures = [*split.departures, *_departures(case)]
    if model.max_pixels_ is not None and np.prod(split.x_train.shape[-2:]) > model.max_pixels_:
        departures.append(f"the network sees means of blocks of pixels, at most {model.max_pixels_} of them")
    outcome = Outcome(measured, model.runs_, model.resolved_, departures)
    if case.data in WHOLE:
        outcome.arrays = {"probabilities": model.predict_proba(split.x_train).astype(np.float16)}
    return outcome


def _rows(case: Case) -> Split:
    if case.data == "coil10":
        images, objects = coil100(COIL_SIDE)
        shown = objects < 10
        departure = "data: the first ten objects, 36 views each, 32x32"
        return Split("coil10", images[shown], objects[shown], images[shown], objects[shown], (departure,))
    name, dash, part = case.data.partition("-")
    split = read_split(
        HALVED.get(name, name) + dash + part, case.settings["train_rows"], case.settings["test_rows"]
    )
    if name in HALVED:
        return halved(case.data, split)
    if case.data not in WHOLE:
        return split
    images, labels = (
        np.concatenate([split.x_train, split.x_test]),
        np.concatenate([split.y_train, split.y_test]),
    )
    return Split(split.name, images, labels, images, labels, split.departures)


def halved(name: str, split: Split) -> Split:
    """Images of half the side, each pixel the mean of four."""
    halves = []
    for images in (split.x_train, split.x_test):
        n, height, width = images.shape
        fours = images.reshape(n, height // 2, 2, width // 2, 2)
        halves.append(fours.mean(axis=(2, 4)).round().astype(np.uint8))
    departure = "data: images shrunk to half their side, each pixel the mean of four"
    return Split(name, halves[0], split.y_train, halves[1], split.y_test, (*split.departures, departure))


def _kmeans(case: Case, split: Split) -> Outcome:
    """Best of many runs on the pixels, by its own inertia."""
    points = split.x_train.reshape(len(split.x_train), -1)
    found = scores.kmeans(points, 10, case.settings["kmeans_restarts"], case.draw)
    return Outcome(_scores("", split.y_train, found), departures=list(split.departures))


def _scores(prefix: str, truth: scores.Labels, found: scores.Labels) -> dict[str, Any]:
    return {
        f"{prefix}{name.removeprefix('all_')}": value
        for name, value in scores.scores("all", truth, found, 10).items()
    }


def _departures(case: Case) -> list[str]:
    parameters = case.settings["parameters"]
    found = []
    if case.method in RECORDED:
        found.append(f"recipe: {case.method.partition('-')[0].upper()}'s default preset")
    elif parameters.get("preset", "default") == "default":
        found.append("recipe: this library's default preset, tuned on MNIST images shrunk to 8x8 and 14x14")
    if case.settings["n_pairs"]:
        found.append("pairs: not in the paper")
    return found


ADC_SUITE = Suite(
    "adc",
    "ADC on digits and MNIST (ADC paper, table 1), from nothing and from random pairs",
    METHODS,
    DRAWS,
    _cases,
    run,
    columns=(
        metric("ACC %", "accuracy", 100, 1),
        metric("NMI (arithmetic)", "nmi_arithmetic"),
        metric("clusters used", "clusters_used", digits=1),
        Column("worst restart, ACC %", of_restarts(min, "train_accuracy"), 100, 1),
        Column("best restart, ACC %", of_restarts(max, "train_accuracy"), 100, 1),
        metric("test ACC %", "test_accuracy", 100, 1),
        metric("processor seconds", "processor_seconds", digits=0),
        SECONDS,
    ),
    published={
        "mnist": {
            "": {
                "adc": "98.7 ± 0.6 % (VCNN, all of MNIST, test)",
                RESNET: "95.4 ± 2.9 % (all of MNIST, test)",
                "kmeans": "53.49 %",
            }
        },
        "cifar10": {
            "": {
                "adc": "26.7 ± 2.0 % (VCNN, all images, test)",
                RESNET: "29.3 ± 1.5 % (all images, test)",
                "adc-resnet, features + k-means": "30.0 ± 1.8 %",
            }
        },
    },
)
