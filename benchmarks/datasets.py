"""Data sets of the benchmarks: read from the folder that COTERIE_DATA names, or scikit-learn's own."""

from __future__ import annotations

import collections
import csv
import functools
import gzip
import io
import json
import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.signal import resample_poly
from sklearn.datasets import load_digits
from sklearn.feature_extraction.text import TfidfVectorizer
from torch.nn import functional

from coterie.data.audio import log_mel
from coterie.data.readers import read_labels, read_samples

Array = npt.NDArray[Any]
VARIABLE = "COTERIE_DATA"
VALIDATION = "-validation"
CIFAR_BLOCK = (500, 32, 32, 3)
SPEECH_RATE, SPEECH_FRAMES = 16_000, 22


class DataMissingError(RuntimeError):
    """A benchmark's data are not where they are expected."""


@dataclass(frozen=True)
class Split:
    """Training and test rows of one data set.

    Attributes
    ----------
    name : str
    x_train, x_test : uint8 or float64 arrays of shape (n, ...)
    y_train, y_test : int64 arrays of shape (n,)
    departures : tuple of str
        What differs from the data set as published.
    """

    name: str
    x_train: Array
    y_train: npt.NDArray[np.int64]
    x_test: Array
    y_test: npt.NDArray[np.int64]
    departures: tuple[str, ...] = ()

    def take(self, n_train: int | None, n_test: int | None) -> Split:
        """The first rows only, with a note; None keeps all."""
        kept = self.x_train[:n_train], self.y_train[:n_train], self.x_test[:n_test], self.y_test[:n_test]
        if len(kept[0]) == len(self.x_train) and len(kept[2]) == len(self.x_test):
            return self
        note = f"first {len(kept[0]):,} training and first {len(kept[2]):,} test rows only"
        return Split(self.name, *kept, (*self.departures, note))


def load(name: str) -> Split:
    """Read a data set by name.

    Parameters
    ----------
    name : {"mnist", "cifar10", "digits"}, also with "-validation" behind it
        With the suffix the test rows are the last sixth (mnist), tenth (cifar10) or quarter (digits) of the
        training rows, and the true test rows are not read.

    Returns
    -------
    Split

    Raises
    ------
    DataMissingError
        COTERIE_DATA is not set or lacks the files.
    ValueError
        There is no such data set.
    """
    base = name.removesuffix(VALIDATION)
    if base not in _LOADERS:
        raise ValueError(
            f"data: {name!r} is unknown; one of {', '.join(sorted(_LOADERS))}, or with {VALIDATION}"
        )
    load_one, share = _LOADERS[base]
    split = load_one()
    if base == name:
        return split
    cut = len(split.x_train) - round(share * len(split.x_train))
    x, y = split.x_train, split.y_train
    note = f"validation: trained on the first {cut:,} training rows, measured on the other {len(x) - cut:,}"
    return Split(name, x[:cut], y[:cut], x[cut:], y[cut:], (note,))


def folder(name: str) -> Path:
    """The folder of one data set under COTERIE_DATA."""
    root = os.environ.get(VARIABLE)
    if not root:
        raise DataMissingError(
            f"{VARIABLE} is not set: point it to the folder that holds {name}/ (see benchmarks/README.md)"
        )
    found = Path(root) / name
    if not found.is_dir():
        raise DataMissingError(f"{VARIABLE}={root}: there is no folder {name} in it")
    return found


@dataclass(frozen=True)
class Alphabet:
    """One alphabet of Omniglot: 20 drawings of each of its characters.

    Attributes
    ----------
    name : str
    images : uint8 array of shape (n, side, side)
        Ink is 255.
    characters : int64 array of shape (n,)
        In 0..n_characters-1.
    """

    name: str
    images: Array
    characters: npt.NDArray[np.int64]

    @property
    def n_characters(self) -> int:
        return int(self.characters.max()) + 1


@functools.cache
def omniglot(part: str, side: int = 32) -> tuple[Alphabet, ...]:
    """The alphabets of Omniglot's "background" or "evaluation" part, images averaged down to side x side."""
    where = folder("omniglot")
    with (where / "alphabets.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["set"] == part]
    white = np.load(where / f"images_{part}.npz")["images"]
    found = []
    for row in rows:
        ink = ~white[int(row["first_label"]) : int(row["last_label"]) + 1]
        small = functional.interpolate(
            torch.from_numpy(ink.reshape(-1, 1, *ink.shape[2:]).astype(np.float32)), (side, side), mode="area"
        )
        images = (255 * small[:, 0]).round().to(torch.uint8).numpy()
        found.append(Alphabet(row["alphabet"], images, np.repeat(np.arange(len(ink)), ink.shape[1])))
    return tuple(found)


N_BACKGROUND = 964  # characters of Omniglot's "background" part


@functools.cache
def omniglot_characters(side: int = 28) -> tuple[Array, npt.NDArray[np.int64]]:
    """Drawings of all characters, uint8 (n, side, side), and characters (n,), those of "background" first."""
    parts = [*omniglot("background", side), *omniglot("evaluation", side)]
    firsts = np.cumsum([0, *(part.n_characters for part in parts[:-1])])
    codes = [first + part.characters for first, part in zip(firsts, parts, strict=True)]
    return np.concatenate([part.images for part in parts]), np.concatenate(codes)


@functools.cache
def coil100(side: int = 64) -> tuple[Array, npt.NDArray[np.int64]]:
    """COIL-100: uint8 images (n, 3, side, side), averaged down, and objects (n,), 36 views of most."""
    try:
        from PIL import Image
    except ImportError as error:
        raise DataMissingError("COIL-100 is stored as webp: pip install pillow to read it") from error
    with zipfile.ZipFile(folder("coil100") / "coil100_views_mult10.zip") as archive:
        names = sorted(archive.namelist())
        images = [np.asarray(Image.open(io.BytesIO(archive.read(name))).convert("RGB")) for name in names]
    objects = np.array([int(name.removeprefix("obj").partition("__")[0]) - 1 for name in names])
    full = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float()
    small = functional.interpolate(full, (side, side), mode="area").round().to(torch.uint8)
    return small.numpy(), objects


@functools.cache
def speakers(n_mels: int = 40, speed: float = 1.0) -> tuple[Array, npt.NDArray[np.int64]]:
    """Log-mel pictures, float32 (n, n_mels, 22), of six pieces of speech of each of 250 speakers (n,).

    Another speed than 1 changes pitch and formants too, which makes another speaker; what is then short of
    22 frames is filled up from its own start.
    """
    waves, codes, _ = speaker_waves()
    stacked = resample_poly(waves, 100, round(100 * speed), axis=1).astype(np.float32)
    pictures = log_mel(torch.from_numpy(stacked), SPEECH_RATE, n_fft=1024, hop=1024, n_mels=n_mels).numpy()
    frames = np.arange(SPEECH_FRAMES) % pictures.shape[2]
    return pictures[:, :, frames], codes


def speaker_waves() -> tuple[Array, npt.NDArray[np.int64], int]:
    """The same pieces as float32 (n, t), their speakers (n,), and samples a second."""
    try:
        import soundfile
    except ImportError as error:
        raise DataMissingError("the speech is stored as flac: pip install soundfile to read it") from error
    with zipfile.ZipFile(folder("speechocean762_subset") / "speech_flac.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".flac"))
        waves = [soundfile.read(io.BytesIO(archive.read(name)), dtype="float32")[0] for name in names]
    codes = np.unique([name.rpartition("/")[0] for name in names], return_inverse=True)[1]
    return np.stack(waves), codes.astype(np.int64), SPEECH_RATE


@functools.cache
def reuters(n_topics: int = 4, n_words: int = 2000) -> tuple[Array, npt.NDArray[np.int64], tuple[str, ...]]:
    """Stories of Reuters-21578 with exactly one topic, of the commonest topics.

    Returns
    -------
    float32 array of shape (n, n_words)
        TF-IDF of the commonest words but stop words, rows of length 1.
    int64 array of shape (n,)
        Topics.
    tuple of str
        Their names, the commonest first.
    """
    texts, labels, names = reuters_stories(n_topics)
    features = TfidfVectorizer(max_features=n_words, stop_words="english").fit_transform(texts)
    return features.toarray().astype(np.float32), labels, names


def reuters_stories(n_topics: int = 4) -> tuple[list[str], npt.NDArray[np.int64], tuple[str, ...]]:
    """The same stories as texts, title first, with their topics."""
    with gzip.open(folder("reuters21578") / "reuters21578.jsonl.gz", "rt", encoding="utf-8") as lines:
        stories = [json.loads(line) for line in lines]
    told = [story for story in stories if len(story["topics"]) == 1 and story["body"]]
    counts = collections.Counter(story["topics"][0] for story in told)
    names = tuple(name for name, _ in counts.most_common(n_topics))
    kept = [story for story in told if story["topics"][0] in names]
    texts = [f"{story['title']} {story['body']}" for story in kept]
    labels = np.array([names.index(story["topics"][0]) for story in kept], dtype=np.int64)
    return texts, labels, names


def _mnist() -> Split:
    where = folder("mnist")

    def both(prefix: str) -> tuple[Array, npt.NDArray[np.int64]]:
        labels = read_labels(where / f"{prefix}-labels-idx1-ubyte.gz")
        images = read_samples(where / f"{prefix}-images-idx3-ubyte.gz").X
        return np.array(images), labels.astype(np.int64)

    return Split("mnist", *both("train"), *both("t10k"))


def _cifar10() -> Split:
    where = folder("cifar10")
    with zipfile.ZipFile(where / "cifar10_webp.zip") as archive:
        train = _cifar_images(archive, "train_")
        test = _cifar_images(archive, "test1000_")
    return Split(
        "cifar10",
        train,
        np.load(where / "train_labels.npy").astype(np.int64),
        test,
        np.load(where / "test1000_labels.npy").astype(np.int64),
        ("test accuracy is measured on the first 1,000 of the 10,000 test images",),
    )


def _cifar_images(archive: zipfile.ZipFile, prefix: str) -> Array:
    try:
        from PIL import Image
    except ImportError as error:
        raise DataMissingError("CIFAR-10 is stored as webp: pip install pillow to read it") from error
    blocks = []
    for name in sorted(name for name in archive.namelist() if name.startswith(prefix)):
        with Image.open(io.BytesIO(archive.read(name))) as image:
            blocks.append(np.asarray(image.convert("RGB")).reshape(CIFAR_BLOCK))
    return np.ascontiguousarray(np.concatenate(blocks).transpose(0, 3, 1, 2))


def _digits() -> Split:
    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(images))
    x, y = images[order].reshape(-1, 8, 8), labels[order].astype(np.int64)
    return Split("digits", x[:1300], y[:1300], x[1300:], y[1300:])


_LOADERS: dict[str, tuple[Callable[[], Split], float]] = {
    "mnist": (_mnist, 1 / 6),
    "cifar10": (_cifar10, 1 / 10),
    "digits": (_digits, 1 / 4),
}
