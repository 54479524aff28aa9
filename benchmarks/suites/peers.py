"""Side by side with what one would take instead: scikit-learn, ClustPy and k-means with pairs.

All methods get the same rows, the number of classes (which HDBSCAN does not take) and, where they use pairs,
the same pairs: distinct ones of all n(n-1)/2, each as likely. Parameters are the libraries' own but for those
named here. Labels draw the pairs and measure at the end. No other suite has used the draws.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.cluster import (
    HDBSCAN,
    AgglomerativeClustering,
    KMeans,
    MiniBatchKMeans,
    SpectralClustering,
)
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture

from benchmarks import clustpy_environment, constrained, datasets
from benchmarks.clustpy_fit import CLASSES as CLUSTPY
from benchmarks.columns import metric
from benchmarks.embedded import vectors_of
from benchmarks.mpck_means import mpck_means
from benchmarks.processes import spent
from benchmarks.suites.base import Case, Options, Outcome, Suite
from coterie import ADC, CCN, DDC, Pairs, SelfDistillation
from coterie.metrics import clustering_accuracy, nmi
from coterie.report.baseline import unit_rows

Array = npt.NDArray[Any]
Ints = npt.NDArray[np.int64]
DRAWS = (300, 301, 302)
N_PAIRS = (200, 1_000, 5_000)
QUICK_ROWS, QUICK_EPOCHS = 300, 2
# of what Gaussian mixtures, HDBSCAN and k-means with pairs are given; the others get the points whole
COMPONENTS = 50
WEIGHT = 1.0


@dataclass(frozen=True)
class Rows:
    """One data set.

    Attributes
    ----------
    points : float32 array of shape (n, d)
        What the peers are given.
    samples : array of shape (n, ...)
        The same numbers as this library is given them: images, or the vectors of an encoder.
    y : int64 array of shape (n,)
    backbone : str
        "features" for vectors of an encoder, as `coterie fit` takes it for them, otherwise the default.
    """

    points: Array
    samples: Array
    y: Ints
    backbone: str = "auto"

    @property
    def n_classes(self) -> int:
        return len(np.unique(self.y))

    def take(self, rows: int | None) -> Rows:
        """So many rows, evenly spaced; None keeps all."""
        if rows is None or rows >= len(self.y):
            return self
        kept = np.linspace(0, len(self.y) - 1, rows).astype(int)
        return Rows(self.points[kept], self.samples[kept], self.y[kept], self.backbone)


def _images(images: Array, y: Array, white: float) -> Rows:
    points = images.reshape(len(images), -1).astype(np.float32) / np.float32(white)
    return Rows(points, images, y.astype(np.int64))


def _digits() -> Rows:
    X, y = load_digits(return_X_y=True)
    return _images(X.reshape(-1, 8, 8), y, 16)


def _mnist() -> Rows:
    split = datasets.load("mnist")
    return _images(split.x_train[:10_000], split.y_train[:10_000], 255)


def _vectors(name: str, encoder: str) -> Rows:
    X, y = vectors_of(name, encoder)
    return Rows(unit_rows(X).astype(np.float32), X, np.unique(y, return_inverse=True)[1], "features")


DATA: dict[str, Callable[[], Rows]] = {
    "digits": _digits,
    "reuters": lambda: _vectors("reuters21578-10", "wordllama"),
    "coil100": lambda: _vectors("coil100", "efficientnet-lite0"),
    "mnist10000": _mnist,
    "speakers": lambda: _vectors("speechocean762", "voices"),
}


@functools.lru_cache(maxsize=1)
def read_rows(name: str, rows: int | None) -> Rows:
    """A data set, kept between cases."""
    return DATA[name]().take(rows)


SKLEARN: dict[str, Callable[[int, int], Any]] = {
    "k-means": lambda k, seed: KMeans(k, n_init=10, random_state=seed),
    "mini-batch": lambda k, seed: MiniBatchKMeans(k, n_init=10, random_state=seed),
    "spectral": lambda k, seed: SpectralClustering(k, affinity="nearest_neighbors", random_state=seed),
    "gaussian-mixture": lambda k, seed: GaussianMixture(k, random_state=seed),
    "agglomerative": lambda k, seed: AgglomerativeClustering(k),
    "hdbscan": lambda k, seed: HDBSCAN(copy=True),
}
REDUCED = ("gaussian-mixture", "hdbscan")
OURS: dict[str, Any] = {"ddc": DDC, "adc": ADC, "self-distillation": SelfDistillation}
PAIRED: dict[str, Callable[[npt.NDArray[np.float64], Pairs, int, int], Ints]] = {
    "cop-means": constrained.cop_means,
    "pck-means": lambda X, pairs, k, seed: constrained.pck_means(X, pairs, k, WEIGHT, seed),
    "mpck-means": lambda X, pairs, k, seed: mpck_means(X, pairs, k, WEIGHT, seed),
}
# CCN as it is by default, and with the same head on the pixels or vectors as they are
OURS_PAIRED: dict[str, dict[str, Any]] = {"ccn": {}, "ccn-features": {"backbone": "features"}}
WITH_PAIRS = (*PAIRED, *OURS_PAIRED)
METHODS = (*SKLEARN, *CLUSTPY, *OURS, *WITH_PAIRS)
FOR_IMAGES, FOR_VECTORS = {"ccn-features"}, {"self-distillation"}


@dataclass
class Found:
    """Labels of all rows, what finding them took, and with which parameters."""

    labels: Ints
    measured: dict[str, float]
    parameters: dict[str, Any]


def run(case: Case) -> Outcome:
    """One clustering: how it agrees with the classes, and what it took."""
    rows = read_rows(case.data, case.settings["rows"])
    pairs = None
    if n_pairs := case.settings.get("n_pairs"):
        pairs = Pairs.from_labels(rows.y, n_pairs, random_state=case.draw)
    try:
        found = _cluster(case, rows, pairs)
    except constrained.NoClusteringError as error:
        return Outcome({"failed": 1.0, "rows": len(rows.y)}, departures=[str(error)])
    labels = found.labels
    metrics = {
        "accuracy": clustering_accuracy(rows.y, labels),
        "nmi": nmi(rows.y, labels),
        "ari": float(adjusted_rand_score(rows.y, labels)),
        "clusters": len(np.unique(labels[labels >= 0])),
        "classes": rows.n_classes,
        "rows": len(rows.y),
        **found.measured,
    }
    if case.method == "hdbscan":
        metrics["noise"] = float((labels < 0).mean())
    if pairs is not None:
        together = labels[pairs.i] == labels[pairs.j]
        metrics["pairs_kept"] = float((together == (pairs.same == 1)).mean())
        metrics["failed"] = 0.0
    return Outcome(metrics, resolved={"parameters": found.parameters})


def _cluster(case: Case, rows: Rows, pairs: Pairs | None) -> Found:
    if case.method in CLUSTPY:
        return _clustpy(case, rows)
    if case.method in SKLEARN:
        return _sklearn(case, rows)
    if case.method in PAIRED:
        assert pairs is not None
        return _paired(case, rows, pairs)
    return _ours(case, rows, pairs)


def _sklearn(case: Case, rows: Rows) -> Found:
    model = SKLEARN[case.method](rows.n_classes, case.draw)
    with spent() as measured:
        points = _components(rows.points, case.draw) if case.method in REDUCED else rows.points
        labels = model.fit_predict(points)
    return Found(labels.astype(np.int64), measured, model.get_params())


def _components(points: Array, seed: int) -> Array:
    """At most 50 principal components."""
    wanted = min(COMPONENTS, *points.shape)
    found: Array = PCA(wanted, random_state=seed).fit_transform(points)
    return found


def _clustpy(case: Case, rows: Rows) -> Found:
    """ClustPy on points whose numbers have mean 0 and deviation 1, as its examples scale images."""
    points = (rows.points - rows.points.mean()) / rows.points.std()
    found = clustpy_environment.fit(case.method, points, rows.n_classes, case.draw, case.settings["epochs"])
    labels = np.array(found.pop("labels"), dtype=np.int64)
    return Found(labels, found, found.pop("parameters"))


def _paired(case: Case, rows: Rows, pairs: Pairs) -> Found:
    with spent() as measured:
        points = _components(rows.points, case.draw).astype(np.float64)
        labels = PAIRED[case.method](points, pairs, rows.n_classes, case.draw)
    parameters = {} if case.method == "cop-means" else {"weight": WEIGHT}
    return Found(labels, measured, parameters | {"components": points.shape[1]})


def _ours(case: Case, rows: Rows, pairs: Pairs | None) -> Found:
    settings: dict[str, Any] = {"random_state": case.draw, "threads": 1, "backbone": rows.backbone}
    settings |= OURS_PAIRED.get(case.method, {}) | case.settings["parameters"]
    model = OURS.get(case.method, CCN)(rows.n_classes, **settings)
    known = {} if pairs is None else {"pairs": pairs}
    with spent() as measured:
        model.fit(rows.samples, **known)
    return Found(model.labels_, measured, model.get_params())


def _cases(options: Options) -> list[Case]:
    names = (options.data,) if options.data else tuple(DATA)
    if unknown := set(names) - set(DATA):
        raise ValueError(f"data: {', '.join(unknown)}; this suite has {', '.join(DATA)}")
    return [
        Case(
            "peers", method, name, f"n{n_pairs}" if n_pairs else "", draw, _settings(options, method, n_pairs)
        )
        for name in names
        for method in options.pick_methods(METHODS)
        if is_meant_for(method, name)
        for n_pairs in (_sizes(options) if method in WITH_PAIRS else (0,))
        for draw in options.draws or DRAWS
    ]


def is_meant_for(method: str, name: str) -> bool:
    """CCN takes its features network for vectors anyhow; self-distillation takes nothing else."""
    images = name in ("digits", "mnist10000")
    return method not in (FOR_VECTORS if images else FOR_IMAGES)


def _sizes(options: Options) -> tuple[int, ...]:
    return options.sizes or (N_PAIRS[:1] if options.quick else N_PAIRS)


def _settings(options: Options, method: str, n_pairs: int) -> dict[str, Any]:
    settings: dict[str, Any] = {"rows": QUICK_ROWS if options.quick else options.train_rows}
    if n_pairs:
        settings["n_pairs"] = n_pairs
    if method in CLUSTPY:
        settings["epochs"] = QUICK_EPOCHS if options.quick else options.epochs
    if method in OURS or method in OURS_PAIRED:
        settings["parameters"] = options.estimator()
    return settings


PEERS = Suite(
    "peers",
    "What one would take instead: scikit-learn, ClustPy (dec, idec, dcn, acedec) and k-means with pairs, on "
    "the same rows and pairs. digits: all 1,797; mnist10000: the first 10,000 images; reuters "
    "(ten topics), coil100 (objects 51 to 100) and speakers: vectors of this library's encoders. HDBSCAN's "
    "noise counts as one cluster. Memory is what the fit adds",
    METHODS,
    DRAWS,
    _cases,
    run,
    columns=(
        metric("ACC %", "accuracy", 100, 1),
        metric("NMI (arithmetic)", "nmi"),
        metric("ARI", "ari"),
        metric("clusters", "clusters", digits=1),
        metric("noise %", "noise", 100, 1),
        metric("pairs kept %", "pairs_kept", 100, 1),
        metric("no clustering, share of draws", "failed", digits=2),
        metric("processor, s", "processor_seconds", digits=1),
        metric("memory, MiB", "peak_mib", digits=0),
    ),
)
