"""Default fits from the command line, on all cores: seconds, processor seconds, memory of all processes.

Pictures are written as PNG files first, at their own sizes. Labels measure at the end alone.
"""

from __future__ import annotations

import csv
import json
import sys
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks import processes, scores
from benchmarks.columns import metric
from benchmarks.datasets import coil100, load, speaker_waves
from benchmarks.record import ROOT
from benchmarks.suites.base import Case, Options, Outcome, Suite
from coterie.data import read_samples
from coterie.metrics import clustering_accuracy, nmi

Array = npt.NDArray[Any]
SIDE = 128
# pictures of COIL-100 from which the recipe was tuned, and those that are reported
TUNED, REPORTED = range(50), range(50, 100)
MIXED_SIDES = (64, 200)
# what people bring, and the speakers of sounds
MANY, SPEAKERS = 10_000, 20
KMEANS_RESTARTS = 10
DISTINCT = 1_000
# rows of a k-means on pixels, which takes minutes of more
KMEANS_ROWS = 10_000
DRAWS = (100,)
# a first look
QUICK = "quick"


@dataclass(frozen=True)
class Data:
    """How a data set is written, and its classes.

    Attributes
    ----------
    write : callable
        ``write(folder, draw)`` gives the path of the data, and labels by the ids of the rows.
    n_clusters : int
    """

    write: Callable[[Path, int], tuple[Path, dict[str, int]]]
    n_clusters: int


def _photos(folder: Path, draw: int, objects: range = REPORTED) -> tuple[Path, dict[str, int]]:
    """600 pictures of 20 objects, each of a size of its own."""
    rng = np.random.default_rng(draw)
    images, labels = _coil(rng.choice(objects, 20, replace=False), 30)
    sizes = rng.integers(*MIXED_SIDES, (len(images), 2))
    return write_pictures(folder, images, labels, [(int(width), int(height)) for width, height in sizes])


def _pictures(folder: Path, draw: int, objects: range = REPORTED) -> tuple[Path, dict[str, int]]:
    """1,440 pictures of 40 objects at 128x128."""
    complete = [one for one in objects if (coil100(SIDE)[1] == one).sum() == 36]
    chosen = np.random.default_rng(draw).choice(complete, 40, replace=False)
    images, labels = _coil(chosen, 36)
    return write_pictures(folder, images, labels, [(SIDE, SIDE)] * len(images))


def _coil(chosen: npt.NDArray[np.int64], views: int) -> tuple[Array, list[int]]:
    images, objects = coil100(SIDE)
    rows = np.concatenate([np.flatnonzero(objects == one)[:views] for one in chosen])
    return images[rows], objects[rows].tolist()


def write_pictures(
    folder: Path, images: Array, labels: list[int], sizes: list[tuple[int, int]]
) -> tuple[Path, dict[str, int]]:
    """Pictures (n, 3, h, w) as PNG files of their own sizes (width, height) in folder/pictures."""
    from PIL import Image

    place = folder / "pictures"
    place.mkdir()
    names = [f"{number:05d}.png" for number in range(len(images))]
    for name, image, size in zip(names, images, sizes, strict=True):
        Image.fromarray(np.moveaxis(image, 0, 2)).resize(size).save(place / name, compress_level=1)
    return place, dict(zip(names, labels, strict=True))


def _many_photos(folder: Path, draw: int) -> tuple[Path, dict[str, int]]:
    """10,000 pictures of CIFAR-10, each enlarged to a size of its own."""
    split = load("cifar10")
    rows = np.random.default_rng(draw).choice(len(split.x_train), MANY, replace=False)
    labels = [int(label) for label in split.y_train[rows]]
    return write_pictures(folder, split.x_train[rows], labels, mixed_sizes(MANY, draw))


def mixed_sizes(n: int, draw: int) -> list[tuple[int, int]]:
    """So many widths and heights, as photos of a folder have them."""
    sizes = np.random.default_rng(draw).integers(*MIXED_SIDES, (n, 2))
    return [(int(width), int(height)) for width, height in sizes]


def _many_sounds(folder: Path, draw: int) -> tuple[Path, dict[str, int]]:
    """10,000 seconds of speech of 20 speakers, cut from their recordings at random."""
    from scipy.io import wavfile

    waves, speakers, rate = speaker_waves()
    rng = np.random.default_rng(draw)
    chosen = rng.choice(speakers.max() + 1, SPEAKERS, replace=False)
    rows = rng.choice(np.flatnonzero(np.isin(speakers, chosen)), MANY)
    starts = rng.integers(0, waves.shape[1] - rate, MANY)
    place = folder / "sounds"
    place.mkdir()
    labels = {f"{number:05d}.wav": int(speakers[row]) for number, row in enumerate(rows)}
    for name, row, start in zip(labels, rows, starts, strict=True):
        piece = (waves[row, start : start + rate] * 32767).astype(np.int16)
        wavfile.write(place / name, rate, piece)
    return place, labels


def _mnist(rows: int) -> Callable[[Path, int], tuple[Path, dict[str, int]]]:
    def write(folder: Path, draw: int) -> tuple[Path, dict[str, int]]:
        split = load("mnist")
        path = folder / "mnist.npy"
        np.save(path, split.x_train[:rows])
        return path, {str(row): int(label) for row, label in enumerate(split.y_train[:rows])}

    return write


def _links(files: int) -> Callable[[Path, int], tuple[Path, dict[str, int]]]:
    """So many files of 32x32 pixels in ten colours: each of a thousand pictures has many names."""

    def write(folder: Path, draw: int) -> tuple[Path, dict[str, int]]:
        rng = np.random.default_rng(draw)
        colours = rng.integers(0, 200, (10, 3))
        noise = rng.integers(0, 56, (DISTINCT, 3, 32, 32))
        images = (noise + colours[np.arange(DISTINCT) % 10][:, :, None, None]).astype(np.uint8)
        place, _ = write_pictures(folder, images, [0] * DISTINCT, [(32, 32)] * DISTINCT)
        labels = {}
        for number in range(files):
            first = number % DISTINCT
            name = f"{number // DISTINCT:03d}/{first:05d}.png"
            (place / name).parent.mkdir(exist_ok=True)
            (place / name).hardlink_to(place / f"{first:05d}.png")
            labels[name] = first % 10
        for first in range(DISTINCT):
            (place / f"{first:05d}.png").unlink()
        return place, labels

    return write


DATA = {
    "folder100000": Data(_links(100_000), 10),
    "folder200000": Data(_links(200_000), 10),
    "photos600": Data(_photos, 20),
    "photos600-tuning": Data(lambda folder, draw: _photos(folder, draw, TUNED), 20),
    "pictures1440": Data(_pictures, 40),
    "photos10000": Data(_many_photos, 10),
    "sounds10000": Data(_many_sounds, SPEAKERS),
    "mnist10000": Data(_mnist(10_000), 10),
    "mnist60000": Data(_mnist(60_000), 10),
}
# (method, data, variant, most minutes of wall on two cores)
BARS = (
    ("ddc", "photos600", "", 5),
    ("adc", "photos600", "", 5),
    ("adc", "pictures1440", "", 15),
    ("ddc", "mnist60000", "", 10),
    ("adc", "mnist10000", "", 15),
    ("ddc", "mnist10000", QUICK, 1),
    ("adc", "mnist10000", QUICK, 1),
    ("ddc", "photos10000", "", 15),
    ("adc", "photos10000", "", 15),
    ("ddc", "sounds10000", "", 15),
    ("adc", "sounds10000", "", 15),
)


def _cases(options: Options) -> list[Case]:
    wanted = options.pick_methods(("ddc", "adc"))
    found = [one for one in BARS if one[0] in wanted and options.data in (None, one[1])]
    if not found and options.data:
        found = [(method, options.data, "", 0) for method in wanted]
    return [
        Case(
            "minutes", method, data, variant, draw, {"bar_minutes": bar, "options": _words(options, variant)}
        )
        for draw in options.draws or DRAWS
        for method, data, variant, bar in found
    ]


def _words(options: Options, variant: str) -> list[str]:
    chosen = ({"max_steps": 4, "n_restarts": 2} if options.quick else {}) | dict(options.parameters)
    words = [word for name, value in chosen.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    return words + (["--quick"] if variant == QUICK else [])


def run(case: Case) -> Outcome:
    """Write the data, fit from the command line, and hold the labels against the classes."""
    data = DATA[case.data]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path, labels = data.write(folder, case.draw)
        command = [*(sys.executable, "-W", "ignore", "-m", "coterie", "fit", str(path)), "--out", "run"]
        command += ["--encoder", "none", "--method", case.method, "--n-clusters", str(data.n_clusters)]
        command += ["--random-state", str(case.draw), *case.settings["options"]]
        measured: dict[str, Any] = processes.measure(
            command, folder, {"PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
        )
        truth, found = labels_of(folder / "run" / "labels.csv", labels)
        told = json.loads((folder / "run" / "run.json").read_text())
        measured["accuracy"] = clustering_accuracy(truth, found)
        measured["nmi"] = nmi(truth, found)
        by_pixels = _by_pixels(path, data.n_clusters, case.draw)
    measured["kmeans_accuracy"] = clustering_accuracy(truth[: len(by_pixels)], by_pixels)
    measured["points_above_kmeans"] = 100 * (measured["accuracy"] - measured["kmeans_accuracy"])
    measured["rows"] = len(truth)
    return Outcome(measured, resolved={"command": " ".join(command[3:]), "reading": told["reading"]})


def labels_of(path: Path, labels: dict[str, int]) -> tuple[scores.Labels, scores.Labels]:
    """Classes and clusters of the rows of a run."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    truth = np.unique([labels[row["id"]] for row in rows], return_inverse=True)[1]
    return truth.astype(np.int64), np.array([int(row["label"]) for row in rows])


def _by_pixels(path: Path, n_clusters: int, seed: int) -> scores.Labels:
    """The best of some runs of k-means on the pixels of the first pictures, read as the fit reads them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        pixels = np.asarray(read_samples(path).X[:KMEANS_ROWS])
    points = pixels.reshape(len(pixels), -1) / np.float32(255)
    return scores.kmeans(points, n_clusters, KMEANS_RESTARTS, seed)


MINUTES = Suite(
    "minutes",
    "Default fits on all cores, of PNG and WAV files: photos600 and pictures1440 are objects 51 to 100 of "
    "COIL-100, photos10000 images of CIFAR-10, enlarged, sounds10000 seconds of speech of 20 speakers",
    ("ddc", "adc"),
    DRAWS,
    _cases,
    run,
    columns=(
        metric("rows", "rows", digits=0),
        metric("ACC", "accuracy"),
        metric("k-means on pixels, ACC", "kmeans_accuracy"),
        metric("points above", "points_above_kmeans", digits=1),
        metric("wall, s", "wall_seconds", digits=0),
        metric("processor, s", "processor_seconds", digits=0),
        metric("memory of all processes, MiB", "peak_mib", digits=0),
        metric("load of the machine", "load", digits=1),
    ),
)
