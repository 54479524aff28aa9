"""Data sets of the benchmarks: read from the folder that COTERIE_DATA names, or scikit-learn's own."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.datasets import load_digits

from coterie.data.readers import read_array

Array = npt.NDArray[Any]
VARIABLE = "COTERIE_DATA"
VALIDATION = "-validation"
CIFAR_BLOCK = (500, 32, 32, 3)


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


def _mnist() -> Split:
    where = folder("mnist")

    def both(prefix: str) -> tuple[Array, npt.NDArray[np.int64]]:
        labels = read_array(where / f"{prefix}-labels-idx1-ubyte.gz")
        return read_array(where / f"{prefix}-images-idx3-ubyte.gz").copy(), labels.astype(np.int64)

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
