"""L2C's model for tables beside k-means that is given k, HDBSCAN, and Gaussian mixtures chosen by BIC."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.cluster import HDBSCAN, KMeans
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture
from sklearn.preprocessing import StandardScaler

from benchmarks.columns import metric
from benchmarks.suites.base import Case, Options, Outcome, Suite
from benchmarks.table_laws import CLASSIFIER_STEPS, SEPARATIONS, embedded_tables, gaussian_mixture
from coterie import L2C
from coterie.data.priors import synthetic_tables
from coterie.methods.table_rows import choose_count
from coterie.metrics import nmi

Table = npt.NDArray[Any]
Labels = npt.NDArray[np.int64]
METHODS = ("l2c", "kmeans", "hdbscan", "gmm-bic")
EMBEDDINGS = ("cifar10", "speakers", "coil100")
# data, variant -> tables and rows of each (None: as many as there are)
SIZES: dict[tuple[str, str], tuple[int, int | None]] = {
    **{(f"mixtures-{d}d", one): (200, 300) for d in (2, 5) for one in SEPARATIONS},
    **{("rows", f"n{n}"): (10, n) for n in (1000, 10_000)},
    ("prior", ""): (300, 250),
    **{("embeddings", one): (20, None) for one in EMBEDDINGS},
}
DRAW = 100
COUNTS = 20
# mixtures of hundreds of columns take hours
CONTENDERS = {"rows": ("l2c",), **dict.fromkeys(("prior", "embeddings"), ("l2c", "kmeans", "hdbscan"))}
MODEL = (
    "L2C.from_pretrained('tables'), which is given nothing; k-means is given k, HDBSCAN has "
    "min_cluster_size = max(5, n / 50), both on standardised columns; "
    "of mixtures of 1 to 20 Gaussians that of lowest BIC is taken"
)
NOTES = {
    "mixtures-2d": "easy, hard: the two worst separated clusters are 3 or 1.5 apart, in sums of their "
    "standard deviations along the line between the centres; k uniform in 2..10",
    "rows": "mixtures-5d, easy",
    "prior": "fresh tables of the prior that the model was trained on: 1 to 40 columns, 1 to 20 clusters",
    "embeddings": f"the last hidden layer of a classifier ({CLASSIFIER_STEPS} steps) of 200 other speakers, "
    "of 80 other objects, or of all ten classes on 10,000 other images of CIFAR-10; 3 to 10 groups, 300 rows "
    "or all there are (speakers: 6 rows each, COIL-100: 36)",
}


def calibration_error(sure: npt.NDArray[np.float64], right: npt.NDArray[np.bool_], n_bins: int = 10) -> float:
    """Expected calibration error: how far sureness is from the share that is right, in bins of sureness."""
    bins = np.minimum((sure * n_bins).astype(int), n_bins - 1)
    gaps = [abs(sure[bins == one].mean() - right[bins == one].mean()) for one in np.unique(bins)]
    return float(np.average(gaps, weights=np.unique(bins, return_counts=True)[1]))


def _cases(options: Options) -> list[Case]:
    cases = []
    for draw in options.draws or (DRAW,):
        for (data, variant), (tables, rows) in SIZES.items():
            settings = {"tables": 2 if options.quick else tables, "rows": rows}
            cases += [
                Case("l2c-tables", method, data, variant, draw, settings)
                for method in options.pick_methods(METHODS)
                if method in CONTENDERS.get(data, METHODS)
            ]
    return cases


def _tables(case: Case) -> Iterator[tuple[Table, Labels]]:
    """Tables and labels of a case; -1 for outliers."""
    n_tables, rows = case.settings["tables"], case.settings["rows"]
    if case.data == "embeddings":
        yield from embedded_tables(case.variant, n_tables, case.draw)
        return
    rng = np.random.default_rng([case.draw, len(case.data)])
    for _ in range(n_tables):
        if case.data == "prior":
            (table,) = synthetic_tables(1, rows, n_columns=(1, 40), n_clusters=(1, COUNTS), random_state=rng)
            yield table.X, table.labels
        else:
            d = 2 if case.data == "mixtures-2d" else 5
            yield gaussian_mixture(rng, rows, d, "easy" if case.data == "rows" else case.variant)


def run(case: Case) -> Outcome:
    """Mean scores over the tables of a case."""
    model = L2C.from_pretrained("tables") if case.method == "l2c" else None
    found: dict[str, list[float]] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # P(max) is the answer; mixtures that have not converged
        for X, y in _tables(case):
            start = time.process_time()
            clusters, more = _cluster(case.method, X, y) if model is None else _cluster_by(model, X, y)
            more["seconds_a_table"] = time.process_time() - start
            for name, value in (_agreement(y, clusters) | more).items():
                found.setdefault(name, []).append(value)
    metrics: dict[str, Any] = {name: float(np.mean(values)) for name, values in found.items()}
    if model is not None:
        sure, right = np.array(found["sureness"]), np.array(found["most_probable_right"]) > 0
        metrics["calibration_error"] = calibration_error(sure, right)
    notes = [NOTES[name] for name in NOTES if case.data.replace("5d", "2d") == name]
    return Outcome(metrics, departures=[MODEL, *notes])


def _cluster_by(model: L2C, X: Table, y: Labels) -> tuple[Labels, dict[str, float]]:
    """The model's clusters, and how sure it was of their number."""
    count_proba, parts = model.predict_all(X)
    told = parts[min(int(y.max()), len(parts) - 1)].argmax(axis=1)
    more = {
        "ari_with_k_told": _ari(y, told),
        "sureness": float(count_proba.max()),
        "most_probable_right": float(count_proba.argmax() == y.max()),
    }
    return parts[choose_count(count_proba) - 1].argmax(axis=1), more


def _cluster(method: str, X: Table, y: Labels) -> tuple[Labels, dict[str, float]]:
    """Clusters of another method; -1 for noise."""
    scaled = StandardScaler().fit_transform(X.astype(np.float64))
    if method == "kmeans":
        return KMeans(int(y.max()) + 1, n_init=10, random_state=0).fit_predict(scaled), {}
    if method == "hdbscan":
        return HDBSCAN(min_cluster_size=max(5, len(X) // 50), copy=True).fit_predict(scaled), {}
    counts = range(1, min(COUNTS, len(X) // 2) + 1)
    fits = [GaussianMixture(k, random_state=0, reg_covar=1e-4).fit(scaled) for k in counts]
    return min(fits, key=lambda one: one.bic(scaled)).predict(scaled), {}


def _agreement(y: Labels, clusters: Labels) -> dict[str, float]:
    """Scores over the rows that are no outliers; noise counts as one cluster, but not in the number."""
    known = y >= 0
    count = len(np.unique(clusters[clusters >= 0]))
    return {
        "ari": _ari(y, clusters),
        "nmi_arithmetic": nmi(y[known], clusters[known]),
        "right_counts": float(count == y.max() + 1),
    }


def _ari(y: Labels, clusters: Labels) -> float:
    return float(adjusted_rand_score(y[y >= 0], clusters[y >= 0]))


L2C_TABLES = Suite(
    "l2c-tables",
    "Tables without a number of clusters: Gaussian mixtures, embeddings of images and speech, fresh tables "
    "of the prior, and 10,000 rows beside 1,000",
    METHODS,
    (DRAW,),
    _cases,
    run,
    columns=(
        metric("ARI", "ari"),
        metric("NMI (arithmetic)", "nmi_arithmetic"),
        metric("right k", "right_counts"),
        metric("ARI, k given", "ari_with_k_told"),
        metric("calibration error of P(k)", "calibration_error"),
        metric("processor s a table", "seconds_a_table", digits=2),
    ),
)
