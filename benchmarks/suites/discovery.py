"""Discovery on other data than Omniglot: digits 5-9 after 0-4, 20 objects after 80, photos by features.

A similarity network is trained on the known classes (method "spn"); the clusterings share it. The objects are
there as images and, as in the paper's ImageNet experiment, as the features of a classifier of the known ones;
CIFAR-10 is there as features of the library's encoder, five classes known and five not, both drawn. On
features both networks have the recipe of the library, which was tuned on CIFAR-10's training images from
10,000 on and on objects 1-50 of COIL-100: of the objects to discover here, some were among these.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks import scores
from benchmarks.columns import SECONDS, metric
from benchmarks.datasets import coil100, load
from benchmarks.embedded import vectors_of
from benchmarks.estimators import CrossEntropy, RecordedCCN
from benchmarks.suites.base import Case, Options, Outcome, Suite
from benchmarks.suites.features import neighbor_spectral
from benchmarks.suites.omniglot import STARTED, by_similarity, similarities
from coterie import SelfDistillation, SimilarityNetwork
from coterie.report.baseline import unit_rows

Codes = npt.NDArray[np.int64]
N_STARTS = 10
N_OUTPUTS = 100
CLASSIFIER_STEPS = 600
# Clusters start from what the similarity network knows, without a hidden layer between features and outputs.
IMAGES: dict[str, Any] = {"backbone": "vggxs"} | STARTED
FEATURES: dict[str, Any] = {
    "backbone": "features",
    "preset": "default",
    "head_init": "auto",
    "max_steps": None,
}


@dataclass(frozen=True)
class Discovery:
    """Samples of known classes, and samples of others to discover.

    Attributes
    ----------
    known, new : arrays of shape (n, ...)
    classes, truth : int64 arrays of shape (n,)
    spn, ccn : dict
        Parameters of the similarity network, and of the clustering network beside those of `CCN_SETTINGS`.
    departures : tuple of str
    are_features : bool
        Then no weights of the similarity network are continued.
    """

    known: npt.NDArray[Any]
    classes: Codes
    new: npt.NDArray[Any]
    truth: Codes
    spn: dict[str, Any]
    ccn: dict[str, Any]
    departures: tuple[str, ...]
    are_features: bool = False

    @property
    def n_classes(self) -> int:
        """Classes to discover."""
        return len(np.unique(self.truth))


def _mnist(draw: int) -> Discovery:
    """5,000 training images of 0-4 and 2,000 test images of 5-9, drawn."""
    split, rng = load("mnist"), np.random.default_rng(draw)
    known = rng.permutation(np.flatnonzero(split.y_train < 5))[:5000]
    new = rng.permutation(np.flatnonzero(split.y_test >= 5))[:2000]
    return Discovery(
        *(split.x_train[known], split.y_train[known], split.x_test[new], split.y_test[new] - 5),
        {"backbone": "vggxs", "hidden_features": 1024, "samples_per_class": 20, "max_steps": 400},
        IMAGES,
        ("5,000 images of 0-4, 2,000 of 5-9; the paper has no such experiment",),
    )


def _coil100(draw: int) -> Discovery:
    """80 objects to learn from and the 20 others, drawn."""
    images, objects = coil100(32)
    order = np.random.default_rng(draw).permutation(100)
    place = np.argsort(order)[objects]
    known, new = place < 80, place >= 80
    return Discovery(
        *(images[known], place[known], images[new], place[new] - 80),
        {"backbone": "vggxs", "hidden_features": 1024, "augment": "none", "max_steps": 800},
        IMAGES,
        ("32 x 32, 36 views of an object; the paper has no such experiment",),
    )


def _coil100_features(draw: int) -> Discovery:
    """The same objects as features of a network that has learnt to tell the known ones apart."""
    images = _data("coil100", draw)
    settings: dict[str, Any] = {
        "max_steps": CLASSIFIER_STEPS,
        "n_restarts": 1,
        "random_state": draw,
        "threads": 1,
    }
    classifier = CrossEntropy(80, backbone="vggxs", **settings)
    classifier.fit(images.known, images.classes)
    return Discovery(
        *(classifier.transform(images.known), images.classes, classifier.transform(images.new), images.truth),
        {"backbone": "features"},
        FEATURES,
        (
            f"a stand-in for the features of ImageNet: of a classifier of the 80 known objects "
            f"({CLASSIFIER_STEPS} steps), 1,024 numbers an image",
        ),
        are_features=True,
    )


def _cifar10_features(draw: int) -> Discovery:
    """Five classes to learn from and the five others, drawn, by features of the encoder of pictures."""
    X, y = vectors_of("cifar10", "efficientnet-lite0")
    place = np.argsort(np.random.default_rng(draw).permutation(10))[y]
    known, new = place < 5, place >= 5
    return Discovery(
        *(X[known], place[known], X[new], place[new] - 5),
        {"backbone": "features"},
        FEATURES,
        ("EfficientNet-Lite0's features of 5,000 images; the paper has no such experiment",),
        are_features=True,
    )


DATA = {
    "mnist": _mnist,
    "coil100": _coil100,
    "coil100-features": _coil100_features,
    "cifar10-features": _cifar10_features,
}
BASELINES = ("k-means-input", "spectral-input", "self-distillation", "k-means", "spectral")
METHODS = ("spn", *BASELINES, "ccn-ccl", "ccn-kcl", "ccn-ccl-100", "ccn-kcl-100")
OF_FEATURES = ("spectral-input", "self-distillation")
CCN_SETTINGS: dict[str, Any] = {
    "preset": "paper",
    "augment": "auto",
    "max_steps": 150,
}


@functools.cache
def _data(name: str, draw: int) -> Discovery:
    return DATA[name](draw)


@functools.cache
def _spn(name: str, draw: int, quick: bool) -> SimilarityNetwork:
    data = _data(name, draw)
    parameters = data.spn | ({"max_steps": 5} if quick else {})
    model = SimilarityNetwork(**parameters, random_state=draw, threads=1)
    return model.fit(data.known, data.classes)


def run(case: Case) -> Outcome:
    """Train the similarity network, or discover the new classes; their labels measure at the end."""
    data = _data(case.data, case.draw)
    spn = _spn(case.data, case.draw, case.settings["quick"])
    notes = list(data.departures)
    if case.method == "spn":
        metrics = {"loss": spn.loss_, **{f"held_out_{name}": value for name, value in spn.report_.items()}}
        return Outcome(metrics, spn.runs_, {"parameters": spn.get_params()}, notes)
    if case.method in BASELINES:
        found = _baseline(case.method, spn, data, case.draw)
        metrics = scores.scores("target", data.truth, found, data.n_classes)
        return Outcome(metrics | {"classes": data.n_classes}, departures=notes)
    n_outputs = N_OUTPUTS if case.method.endswith("-100") else data.n_classes
    parameters = dict(case.settings["parameters"])
    parameters |= data.ccn | {"loss": case.method.split("-")[1], "n_clusters": n_outputs}
    is_bound = n_outputs > data.n_classes or not data.are_features
    model = RecordedCCN(**parameters, over_clustering=is_bound, random_state=case.draw, threads=1)
    model.start_from(None if data.are_features else spn).fit(data.new, similarity=spn)
    metrics = {"loss": model.loss_, **scores.scores("target", data.truth, model.labels_, n_outputs)}
    metrics["classes"] = data.n_classes
    return Outcome(metrics, model.runs_, model.resolved_, notes)


def _baseline(method: str, spn: SimilarityNetwork, data: Discovery, seed: int) -> scores.Labels:
    """Clusters of the input alone, of the similarity network's embedding, or of its answers."""
    k = data.n_classes
    if method == "spectral":
        return by_similarity(method, similarities(spn, data.new), k, seed)
    if method == "k-means":
        return scores.kmeans(spn.transform(data.new), k, N_STARTS, seed)
    rows = unit_rows(data.new) if data.are_features else data.new.reshape(len(data.new), -1)
    if method == "k-means-input":
        return scores.kmeans(rows, k, N_STARTS, seed)
    if method == "spectral-input":
        return neighbor_spectral(rows, k, seed)
    return SelfDistillation(k, backbone="features", random_state=seed, threads=1).fit(data.new).labels_


def _cases(options: Options) -> list[Case]:
    cases = []
    names = (options.data,) if options.data else tuple(DATA)
    if unknown := set(names) - set(DATA):
        raise ValueError(f"data: {', '.join(unknown)}; this suite has {', '.join(DATA)}")
    for name in names:
        for draw in options.draws or DISCOVERY.draws:
            for method in options.pick_methods(METHODS):
                if method in OF_FEATURES and not name.endswith("-features"):
                    continue
                settings: dict[str, Any] = {"quick": options.quick}
                if method.startswith("ccn"):
                    # with 100 outputs a start in more clusters than classes, which the pairs put together
                    start = "k-means" if method.endswith("-100") else "similarity"
                    settings["parameters"] = options.estimator(**CCN_SETTINGS, head_init=start, n_restarts=1)
                cases.append(Case("discovery", method, name, "", draw, settings))
    return cases


DISCOVERY = Suite(
    "discovery",
    "Unseen classes by transfer: MNIST 5-9 after 0-4, 20 objects of COIL-100 after 80 others, images and "
    "features, and five classes of CIFAR-10 after five others, features",
    METHODS,
    (100,),
    _cases,
    run,
    columns=(
        metric("ACC %", "target_accuracy", 100, 1),
        metric("NMI (arithmetic)", "target_nmi_arithmetic"),
        metric("classes", "classes", digits=0),
        metric("clusters used", "target_clusters_used", digits=0),
        metric("dominant", "target_dominant", digits=0),
        metric("with batch statistics: precision", "held_out_batch_precision"),
        metric("recall ", "held_out_batch_recall"),
        SECONDS,
    ),
)
