"""The clustering as it is shown, as tables."""

from __future__ import annotations

import csv
import itertools
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from coterie.cli.label_table import Row
from coterie.cli.open.library import FOLDER, JOURNAL, REFITS
from coterie.corrections.shown import ASIDE
from coterie.corrections.workbench import Workbench

LABELS, CLUSTERS, PAIRS = "labels.csv", "clusters.csv", "pairs.csv"


def label_rows(bench: Workbench, threshold: float, rows: npt.NDArray[np.int64] | None = None) -> list[Row]:
    """Rows of labels.csv.

    Parameters
    ----------
    bench : Workbench
    threshold : float
        Of the fit: less certain samples of which nothing was said are -1.
    rows : int64 array, optional
        Those that are asked for; by default all.
    """
    shown, scores = bench.shown, bench.scores
    asked = np.arange(len(shown.labels)) if rows is None else rows
    label, certainty, said = shown.labels[asked], shown.certainty[asked], shown.said[asked]
    written = np.where(said | (certainty >= threshold), label, ASIDE)
    joined = np.array([bench.canonical(cluster) for cluster in scores.clusters])
    others = np.where(joined[None, :] == label[:, None], -1.0, scores.values[asked])
    second = others.argmax(axis=1)
    p_second = others[np.arange(len(others)), second]
    columns = (asked, written, certainty, joined[second], p_second)
    return [
        (bench.names[row], label, p, *((other, q) if q >= 0 else (None, None)))
        for row, label, p, other, q in zip(*(column.tolist() for column in columns), strict=True)
    ]


def pair_lines(bench: Workbench) -> list[tuple[str, str, int]]:
    """What was said as pairs of names, for `coterie fit --pairs`."""
    columns = (column.tolist() for column in bench.pairs())
    return [(bench.names[i], bench.names[j], same) for i, j, same in zip(*columns, strict=True)]


def other_lines(path: Path, names: Sequence[str]) -> list[list[str]]:
    """Lines of a table of labels on samples of other names, which were placed after the fit."""
    known = set(names)
    return [line for line in read_lines(path) if line[0] not in known]


def read_lines(path: Path) -> list[list[str]]:
    """Lines of a table without its header; none of a file that cannot be read."""
    try:
        with open(path, newline="", encoding="utf-8") as file:
            return [line for line in csv.reader(file) if line][1:]
    except OSError:
        return []


def set_aside(run: Path) -> None:
    """Put away what was said of the clusters of a model that another fit has replaced.

    Ids mean other clusters now. What was said of pairs of samples still holds, and stays in pairs.csv, from
    which the next session takes it over.
    """
    for name in (FOLDER, REFITS):
        shutil.rmtree(run / name, ignore_errors=True)
    (run / CLUSTERS).unlink(missing_ok=True)
    if (run / JOURNAL).exists():
        names = (run / f"corrections-{number}.jsonl" for number in itertools.count(1))
        kept = next(place for place in names if not place.exists())
        (run / JOURNAL).rename(kept)
        print(
            f"coterie: corrections of the earlier fit are in {kept}; answers in {run / PAIRS} still hold",
            file=sys.stderr,
        )
