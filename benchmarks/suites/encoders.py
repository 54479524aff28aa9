"""k-means and spectral clustering on the vectors of each encoder: what it knew before any clustering network.

Nothing is trained. Rows are brought to length 1; both are told the number of classes.
"""

from __future__ import annotations

import time

import numpy as np
from sklearn.cluster import KMeans, SpectralClustering

from benchmarks.columns import metric
from benchmarks.embedded import KEPT, items_of
from benchmarks.suites.base import Case, Options, Outcome, Suite
from coterie.encoders import find_encoder
from coterie.encoders.embedding import embed_items
from coterie.metrics import clustering_accuracy, nmi
from coterie.report.baseline import unit_rows

METHODS = ("kmeans", "spectral")
# data sets by encoder, see `benchmarks.embedded`
ENCODERS = {
    "efficientnet-lite0": ("cifar10", "coil100"),
    "efficientnet-lite0:160": ("cifar10", "coil100"),
    "wordllama": ("reuters21578",),
    "minilm": ("reuters21578",),
    "voices": ("speechocean762",),
}
_RESTARTS = 10
_NEIGHBORS = 10


def _cases(options: Options) -> list[Case]:
    rows = options.train_rows or (200 if options.quick else None)
    return [
        Case("encoders", method, data, encoder.replace(":", "-"), draw, {"encoder": encoder, "rows": rows})
        for encoder, sets in ENCODERS.items()
        for data in sets
        for method in options.pick_methods(METHODS)
        for draw in options.draws or (0, 1, 2)
    ]


def run(case: Case) -> Outcome:
    """Embed the data, or find the vectors of an earlier case, and cluster them."""
    items, labels = items_of(case.data, case.settings["rows"])
    encoder = find_encoder(case.settings["encoder"])
    start = time.process_time()
    values = unit_rows(np.asarray(embed_items(items, encoder, folder=KEPT, n_jobs=1).X, dtype=np.float64))
    embedding = time.process_time() - start
    n_clusters = len(np.unique(labels))
    model = (
        KMeans(n_clusters, n_init=_RESTARTS, random_state=case.draw)
        if case.method == "kmeans"
        else SpectralClustering(
            n_clusters, affinity="nearest_neighbors", n_neighbors=_NEIGHBORS, random_state=case.draw
        )
    )
    start = time.process_time()
    found = model.fit_predict(values)
    metrics = {
        "accuracy": float(clustering_accuracy(labels, found)),
        "nmi": float(nmi(labels, found)),
        "seconds": time.process_time() - start,
        "embedding_seconds": embedding,
        "samples": len(labels),
        "clusters": n_clusters,
    }
    return Outcome(metrics, resolved={"licence": encoder.licence, "source": encoder.source})


ENCODERS_SUITE = Suite(
    "encoders",
    "k-means and spectral clustering on the vectors of encoders that are not trained here",
    METHODS,
    (0, 1, 2),
    _cases,
    run,
    columns=(
        metric("ACC %", "accuracy", 100, 1),
        metric("NMI", "nmi"),
        metric("samples", "samples", digits=0),
        metric("s of the clustering", "seconds", digits=1),
        metric("s of the encoder", "embedding_seconds", digits=1),
    ),
)
