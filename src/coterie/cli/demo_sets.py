"""The sets of `coterie demo --method l2c`: points that the shipped model has never seen, no download."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from sklearn.cluster import HDBSCAN, KMeans

from coterie.cli.table import format_table
from coterie.data.shapes2d import shapes2d
from coterie.methods.l2c import L2C
from coterie.metrics import clustering_accuracy, nmi

N_SETS = 100
Points = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]


def run_sets(random_state: int = 0) -> str:
    """Cluster sets of 72 points in rings, moons and Gaussians with the shipped model, k-means and HDBSCAN.

    Returns
    -------
    str
        A table of mean scores over the sets, and P(k) of one of them.
    """
    points, labels = shapes2d(N_SETS, random_state=random_state)
    model = L2C.from_pretrained("points2d")

    def k_means(one: Points, k: int) -> IntArray:
        found: IntArray = KMeans(k, n_init=10, random_state=random_state).fit_predict(one).astype(np.int64)
        return found

    def hdbscan(one: Points, _: int) -> IntArray:
        found: IntArray = HDBSCAN(copy=True).fit_predict(one).astype(np.int64)
        return found

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # here there are never more than 5 clusters
        rows = [
            _row("L2C, points2d", "nothing", points, labels, lambda one, _: model.predict(one)),
            _row("k-means", "the number of clusters", points, labels, k_means),
            _row("HDBSCAN", "nothing", points, labels, hdbscan),
        ]
        largest = int(labels.max(axis=1).argmax())
        count_proba = model.predict_count_proba(points[largest])
    shown = "  ".join(f"{k}: {share:.3f}" for k, share in enumerate(count_proba, start=1))
    header = ("method", "given", "NMI", "ACC", "right k", "ms a set")
    return (
        f"{N_SETS} sets of 72 points in rings, moons and Gaussians, 1 to 5 clusters a set; L2C was trained\n"
        f"on others and clusters each in one pass.\n\n{format_table(header, rows)}\n\n"
        f"P(k) of a set of {labels[largest].max() + 1} clusters: {shown}\n\n"
        "Means over the sets. NMI: geometric. ACC: share of points right under the best one-to-one match.\n"
    )


def _row(
    method: str, given: str, points: Points, labels: IntArray, cluster: Callable[[Points, int], IntArray]
) -> list[object]:
    start = time.perf_counter()
    found = [cluster(one, int(y.max()) + 1) for one, y in zip(points, labels, strict=True)]
    seconds = time.perf_counter() - start
    pairs = list(zip(labels, found, strict=True))
    scores = [
        float(np.mean([nmi(y, clusters, average="geometric") for y, clusters in pairs])),
        float(np.mean([clustering_accuracy(y, clusters) for y, clusters in pairs])),
    ]
    right = np.mean([len(np.unique(clusters[clusters >= 0])) == y.max() + 1 for y, clusters in pairs])
    return [method, given, *scores, f"{right:.0%}", f"{1000 * seconds / len(points):.0f}"]
