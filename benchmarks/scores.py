"""What is measured of a clustering, under the names that tables and figures use."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.cluster import KMeans

from coterie import metrics

Labels = npt.NDArray[np.int64]


def scores(prefix: str, truth: Labels, found: Labels, n_clusters: int) -> dict[str, Any]:
    """Agreement of a clustering with the classes.

    Parameters
    ----------
    prefix : str
        Put before each name, with an underscore.
    truth, found : int64 arrays of shape (n,)
    n_clusters : int
        Clusters that were offered, used or not.

    Returns
    -------
    dict
        NMI is given with the geometric mean of the entropies (Strehl and Ghosh, as in the KCL paper) and with
        the arithmetic one.
    """
    return {
        f"{prefix}_purity": metrics.purity(truth, found),
        f"{prefix}_nmi_geometric": metrics.nmi(truth, found, average="geometric"),
        f"{prefix}_nmi_arithmetic": metrics.nmi(truth, found),
        f"{prefix}_accuracy": metrics.clustering_accuracy(truth, found),
        f"{prefix}_dominant": metrics.dominant_clusters(found, n_clusters),
        f"{prefix}_clusters_used": len(np.unique(found)),
        f"{prefix}_rows": len(truth),
    }


def table(truth: Labels, found: Labels, n_clusters: int) -> list[list[int]]:
    """Contingency table with a column for every cluster offered, empty or not."""
    counts = np.zeros((int(truth.max()) + 1, n_clusters), dtype=np.int64)
    np.add.at(counts, (truth, found), 1)
    rows: list[list[int]] = counts.tolist()
    return rows


def kmeans(points: npt.NDArray[Any], n_clusters: int, n_init: int, seed: int) -> Labels:
    """Labels of the best of `n_init` k-means runs by its own inertia, as the papers' baselines do."""
    model = KMeans(n_clusters, n_init=n_init, random_state=seed)
    found: Labels = model.fit_predict(points.astype(np.float32)).astype(np.int64)
    return found
