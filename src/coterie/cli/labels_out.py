"""Clusters of rows as a table: CSV or Parquet, written whole or not at all."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from coterie.cli.label_table import COLUMNS, Row, as_text
from coterie.data.arrays import rows_in_memory
from coterie.data.files import atomic_write
from coterie.data.readers import Samples
from coterie.data.readers.parquet import load_arrow
from coterie.methods.clusterer import NeuralClusterer
from coterie.methods.l2c import L2C

if TYPE_CHECKING:
    from coterie.cli.corrected import Corrected

UNASSIGNED = -1
# rows whose probabilities are in memory at a time
_CHUNK = 50_000
# how a cell begins that a spreadsheet computes
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_PARQUET = (".parquet", ".pq")


def label_rows(
    estimator: NeuralClusterer | L2C, samples: Samples, threshold: float, said: Corrected | None = None
) -> Iterator[Row]:
    """Best and second cluster of each row; -1 for noise, and where the best is too improbable.

    What was `said` of the run's clusters is never contradicted.
    """
    names, n_samples = samples.names, len(samples.X)
    # the clusters of one set mean nothing in another
    is_set = isinstance(estimator, L2C)
    together = n_samples if is_set else rows_in_memory(samples.X.shape[1:], most=_CHUNK)
    for start in range(0, n_samples, together):
        part = samples.X[slice(start, start + together)]
        if said is not None and not isinstance(estimator, L2C):
            yield from said.rows(names[start : start + together], estimator, np.asarray(part), threshold)
            continue
        proba = estimator.predict_proba(part)
        assigned = proba.max(axis=1) >= threshold
        if getattr(estimator, "noise", False):
            assigned &= estimator.predict(part) >= 0
        yield from assigned_rows(names[start : start + together], proba, assigned)


def assigned_rows(
    names: Sequence[str], proba: npt.NDArray[np.float64], assigned: npt.NDArray[np.bool_]
) -> Iterator[Row]:
    """A row for each name: the best and the second cluster, -1 as the best where it is not assigned."""
    rows, best = np.arange(len(proba)), proba.argmax(axis=1)
    labels, first = np.where(assigned, best, UNASSIGNED).tolist(), proba[rows, best].tolist()
    if proba.shape[1] == 1:
        yield from zip(names, labels, first, repeat(None, len(rows)), repeat(None, len(rows)), strict=True)
        return
    others = proba.copy()
    others[rows, best] = -1
    second = others.argmax(axis=1)
    yield from zip(names, labels, first, second.tolist(), proba[rows, second].tolist(), strict=True)


def safe_for_spreadsheets(rows: Iterable[Row]) -> Iterator[Row]:
    """Rows whose names no spreadsheet takes for a formula."""
    for name, *rest in rows:
        yield (safe_name(name), *rest)  # type: ignore[misc]  # the rest keeps its types


def safe_name(name: str) -> str:
    """A name with a quote before it where it begins with =, +, -, @, tab or return.

    Examples
    --------
    >>> safe_name("=1+1"), safe_name("a")
    ("'=1+1", 'a')
    """
    return "'" + name if name.startswith(_FORMULA) else name


def write_labels(path: Path, rows: Iterable[Row]) -> Counter[int]:
    """Write the table; returns how many rows each cluster got."""
    sizes: Counter[int] = Counter()
    counted = _counted(rows, sizes)
    with atomic_write(path) as temporary:
        if path.suffix.lower() in _PARQUET:
            _write_parquet(temporary, counted)
        else:
            with open(temporary, "w", newline="", encoding="utf-8") as file:
                write_csv_rows(file, COLUMNS, map(as_text, counted))
    return sizes


def print_labels(stream: Any, rows: Iterable[Row]) -> None:
    """Write the table as CSV to a stream; nothing at all where the first row cannot be had."""
    texts = map(as_text, rows)
    write_csv_rows(stream, COLUMNS, chain([next(texts)], texts))


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write any table as CSV."""
    with atomic_write(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        write_csv_rows(file, header, rows)


def write_csv_rows(stream: Any, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a header and rows to a stream."""
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)


def _counted(rows: Iterable[Row], sizes: Counter[int]) -> Iterator[Row]:
    for row in rows:
        sizes[row[1]] += 1
        yield row


def _write_parquet(path: Path, rows: Iterator[Row]) -> None:
    arrow, parquet = load_arrow()
    types = (arrow.string(), arrow.int64(), arrow.float64(), arrow.int64(), arrow.float64())
    schema = arrow.schema(list(zip(COLUMNS, types, strict=True)))
    with parquet.ParquetWriter(path, schema) as writer:
        while part := [row for _, row in zip(range(_CHUNK), rows, strict=False)]:
            columns = [list(column) for column in zip(*part, strict=True)]
            writer.write_table(arrow.table(dict(zip(COLUMNS, columns, strict=True)), schema=schema))
