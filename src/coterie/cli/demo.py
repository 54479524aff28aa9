"""`coterie demo`: three ways to cluster scikit-learn's digits, or whole sets of points; no download."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits

from coterie.cli.demo_photos import CREDIT, make_new_folder, write_photos
from coterie.cli.demo_sets import run_sets
from coterie.cli.options.demo import N_IMAGES, N_PHOTOS
from coterie.cli.table import format_table
from coterie.data import Pairs
from coterie.data.readers.images import load_pillow
from coterie.methods.ccn import CCN
from coterie.metrics import clustering_accuracy, dominant_clusters, nmi, purity

N_PAIRS = 500
N_LABELS = 100
IntArray = npt.NDArray[np.int64]


def run(options: Any, words: Sequence[str]) -> None:
    """Print a comparison, or write images."""
    if options.images is not None:
        write_images(Path(options.images))
        print(f"wrote {N_IMAGES:,} images to {options.images}")
        return
    if options.photos is not None:
        write_photos(Path(options.photos))
        print(f"wrote {N_PHOTOS} pieces of two photos to {options.photos} (by {CREDIT})")
        return
    shown = run_sets if options.method == "l2c" else run_demo
    print(shown(options.random_state), end="")


def run_demo(random_state: int = 0, verbose: int = 1) -> str:
    """Cluster the 1,797 digits without knowledge, from 500 random pairs and from 100 labels.

    Returns
    -------
    str
        A table of accuracy, NMI, purity and the number of dominant clusters over all rows, and a line on
        what it shows.
    """
    X, y = load_digits(return_X_y=True)
    rows = [
        _row("k-means", "nothing", y, *_timed(lambda: _k_means(X, random_state))),
        _row(
            "CCN, KCL",
            f"{N_PAIRS} random pairs",
            y,
            *_timed(lambda: _from_pairs(X, y, random_state, verbose)),
        ),
        _row("CCN, CCL", f"{N_LABELS} labels", y, *_timed(lambda: _from_labels(X, y, random_state, verbose))),
    ]
    header = ("method", "given", "ACC", "NMI", "purity", "dominant", "seconds")
    share = N_PAIRS / (len(y) * (len(y) - 1) / 2)
    known = f"{N_PAIRS} pairs are {share:.2%} of all pairs, {N_LABELS} labels {N_LABELS / len(y):.1%} of rows"
    return (
        f"digits: {len(y):,} images of 8x8 pixels, 10 classes; {known}.\n\n"
        f"{format_table(header, rows)}\n\n"
        "ACC: share of rows right under the best one-to-one match of clusters and classes; all rows count,\n"
        "those given among them. dominant: clusters with at least n/10 rows.\n"
    )


def write_images(folder: Path) -> None:
    """Write the first digits as PNG files of 8x8 pixels, 0000.png and so on, into a new folder.

    Raises
    ------
    InputError
        The folder is there, or cannot be made.
    ImportError
        pillow is missing.
    """
    pillow, _ = load_pillow()
    make_new_folder(folder, "--images")
    for number, image in enumerate(load_digits().images[:N_IMAGES]):
        pillow.fromarray((image * 15).astype(np.uint8)).save(folder / f"{number:04}.png")


def _timed(fit: Any) -> tuple[IntArray, float]:
    start = time.perf_counter()
    return fit(), time.perf_counter() - start


def _row(method: str, given: str, y: IntArray, labels: IntArray, seconds: float) -> list[object]:
    scores = [clustering_accuracy(y, labels), nmi(y, labels), purity(y, labels)]
    return [method, given, *scores, dominant_clusters(labels, 10), f"{seconds:.0f}"]


def _k_means(X: npt.NDArray[np.float64], seed: int) -> IntArray:
    labels: IntArray = KMeans(10, n_init=10, random_state=seed).fit_predict(X)
    return labels


def _from_pairs(X: npt.NDArray[np.float64], y: IntArray, seed: int, verbose: int) -> IntArray:
    pairs = Pairs.from_labels(y, N_PAIRS, random_state=seed)
    return CCN(n_clusters=10, loss="kcl", random_state=seed, verbose=verbose).fit_predict(X, pairs=pairs)


def _from_labels(X: npt.NDArray[np.float64], y: IntArray, seed: int, verbose: int) -> IntArray:
    known = np.random.default_rng(seed).choice(len(y), N_LABELS, replace=False)
    partly = np.full(len(y), -1)
    partly[known] = y[known]
    return CCN(n_clusters=10, random_state=seed, verbose=verbose).fit_predict(X, partly)
