"""Pictures, texts and speech of the data sets as items, and as the vectors of an encoder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.datasets import coil100, load, reuters_stories, speaker_waves
from benchmarks.record import ROOT
from coterie.data.items import Items
from coterie.encoders import find_encoder
from coterie.encoders.embedding import embed_items

# embedded once for all suites; not committed
KEPT = ROOT / "build" / "embeddings"
CIFAR10_TRAIN = 4_000
Labels = npt.NDArray[np.int64]


def vectors_of(name: str, encoder: str) -> tuple[npt.NDArray[Any], Labels]:
    """A data set of `items_of` as float32 vectors (n, width), and its classes (n,)."""
    items, labels = items_of(name)
    return np.asarray(embed_items(items, find_encoder(encoder), folder=KEPT, n_jobs=1).X), labels


def items_of(name: str, rows: int | None = None) -> tuple[Items, Labels]:
    """Samples as an encoder takes them, and their classes.

    Parameters
    ----------
    name : {"cifar10", "coil100", "reuters21578", "reuters21578-10", "speechocean762"}
        CIFAR-10's first 4,000 training and 1,000 test images; objects 51-100 of COIL-100; stories
        of the four or ten commonest topics; 250 speakers.
    rows : int, optional
        Of more than so many, evenly spaced ones are taken.
    """
    items, labels = _SETS[name]()
    if rows is None or rows >= len(labels):
        return items, labels
    kept = np.linspace(0, len(labels) - 1, rows).astype(int)
    return Items([items.values[row] for row in kept], items.modality), labels[kept]


def _cifar10() -> tuple[Items, Labels]:
    split = load("cifar10")
    pictures = np.concatenate([split.x_train[:CIFAR10_TRAIN], split.x_test])
    return Items(list(pictures), "image"), np.concatenate([split.y_train[:CIFAR10_TRAIN], split.y_test])


def _coil100() -> tuple[Items, Labels]:
    pictures, objects = coil100(128)
    kept = objects >= 50
    return Items(list(pictures[kept]), "image"), objects[kept]


def _reuters(n_topics: int = 4) -> tuple[Items, Labels]:
    texts, labels, _ = reuters_stories(n_topics)
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


_SETS = {
    "cifar10": _cifar10,
    "coil100": _coil100,
    "reuters21578": _reuters,
    "reuters21578-10": lambda: _reuters(10),
    "speechocean762": _speakers,
}
