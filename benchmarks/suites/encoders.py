"""k-means and spectral clustering on the vectors of each encoder: what it knew before any clustering network.

Nothing is trained. Rows are brought to length 1; both are told the number of classes.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sklearn.cluster import KMeans, SpectralClustering

from benchmarks.columns import metric
from benchmarks.datasets import coil100, load, reuters_stories, speaker_waves
from benchmarks.record import ROOT
from benchmarks.suites.base import Case, Options, Outcome, Suite
from coterie.data.items import Items
from coterie.encoders import find_encoder
from coterie.encoders.embedding import embed_items
from coterie.metrics import clustering_accuracy, nmi
from coterie.report.baseline import unit_rows

# embedded once for all cases; not committed
KEPT = ROOT / "build" / "embeddings"
METHODS = ("kmeans", "spectral")
# data sets by encoder: CIFAR-10's first 4,000 training and 1,000 test images, COIL-100's objects 51-100
ENCODERS = {
    "efficientnet-lite0": ("cifar10", "coil100"),
    "efficientnet-lite0:224": ("cifar10", "coil100"),
    "wordllama": ("reuters21578",),
    "minilm": ("reuters21578",),
    "voices": ("speechocean762",),
}
_RESTARTS = 10
_NEIGHBORS = 10
Labels = npt.NDArray[np.int64]


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
    items, labels = _data(case.data, case.settings["rows"])
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


def _data(name: str, rows: int | None) -> tuple[Items, Labels]:
    """Samples as an encoder takes them, and their classes; of more than `rows`, evenly spaced ones."""
    items, labels = _SETS[name]()
    if rows is None or rows >= len(labels):
        return items, labels
    kept = np.linspace(0, len(labels) - 1, rows).astype(int)
    return Items([items.values[row] for row in kept], items.modality), labels[kept]


def _cifar10() -> tuple[Items, Labels]:
    split = load("cifar10")
    pictures = np.concatenate([split.x_train[:4000], split.x_test])
    return Items(list(pictures), "image"), np.concatenate([split.y_train[:4000], split.y_test])


def _coil100() -> tuple[Items, Labels]:
    pictures, objects = coil100(128)
    kept = objects >= 50
    return Items(list(pictures[kept]), "image"), objects[kept]


def _reuters() -> tuple[Items, Labels]:
    texts, labels, _ = reuters_stories()
    return Items(texts, "text"), labels


def _speakers() -> tuple[Items, Labels]:
    """Speech as files, which is what encoders of sounds take."""
    import soundfile

    waves, speakers, rate = speaker_waves()
    folder = Path(KEPT, "speech")
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{row:04}.wav" for row in range(len(waves))]
    for file, wave in zip(files, waves, strict=True):
        if not file.exists():
            soundfile.write(file, wave, rate)
    return Items(files, "sound"), speakers


_SETS = {"cifar10": _cifar10, "coil100": _coil100, "reuters21578": _reuters, "speechocean762": _speakers}

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
