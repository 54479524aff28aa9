"""Clusters of rows as a table: CSV or Parquet, written whole or not at all."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from coterie.cli.label_table import COLUMNS, NONE, LabelPart, csv_lines, part_of
from coterie.data.arrays import rows_in_memory
from coterie.data.files import atomic_write
from coterie.data.readers import Samples
from coterie.data.readers.parquet import load_arrow
from coterie.methods.clusterer import NeuralClusterer
from coterie.methods.l2c import L2C

if TYPE_CHECKING:
    from coterie.cli.corrected import Corrected

UNASSIGNED = NONE
# rows whose probabilities are in memory at a time
_CHUNK = 50_000
# how a cell begins that a spreadsheet computes
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_PARQUET = (".parquet", ".pq")


def label_parts(
    estimator: NeuralClusterer | L2C, samples: Samples, threshold: float, said: Corrected | None = None
) -> Iterator[LabelPart]:
    """Best and second cluster of each row; -1 for noise, and where the best is too improbable.

    What was `said` of the run's clusters is never contradicted.
    """
    n_samples = len(samples.X)
    # the clusters of one set mean nothing in another
    is_set = isinstance(estimator, L2C)
    together = n_samples if is_set else rows_in_memory(samples.X.shape[1:], most=_CHUNK)
    for start in range(0, n_samples, together):
        end = min(start + together, n_samples)
        part = samples.X[slice(start, end)]
        # numbers of millions of rows are many
        names = [*map(str, range(start, end))] if samples.ids is None else samples.ids[start:end]
        if said is not None and not isinstance(estimator, L2C):
            yield part_of(said.rows(names, estimator, np.asarray(part), threshold))
            continue
        proba = estimator.predict_proba(part)
        assigned = proba.max(axis=1) >= threshold
        if getattr(estimator, "noise", False):
            assigned &= estimator.predict(part) >= 0
        yield assigned_part(names, proba, assigned)


def assigned_part(
    names: Sequence[str], proba: npt.NDArray[np.float64], assigned: npt.NDArray[np.bool_]
) -> LabelPart:
    """A row for each name: the best and the second cluster, -1 as the best where it is not assigned."""
    rows, best = np.arange(len(proba)), proba.argmax(axis=1)
    labels, first = np.where(assigned, best, UNASSIGNED), proba[rows, best]
    if proba.shape[1] == 1:
        return LabelPart(names, labels, first, np.full(len(rows), NONE), np.zeros(len(rows)))
    others = proba.copy()
    others[rows, best] = -1
    second = others.argmax(axis=1)
    return LabelPart(names, labels, first, second, proba[rows, second])


def safe_for_spreadsheets(parts: Iterable[LabelPart]) -> Iterator[LabelPart]:
    """Rows whose names no spreadsheet takes for a formula."""
    for part in parts:
        yield dataclasses.replace(part, names=[*map(safe_name, part.names)])


def safe_name(name: str) -> str:
    """A name with a quote before it where it begins with =, +, -, @, tab or return.

    Examples
    --------
    >>> safe_name("=1+1"), safe_name("a")
    ("'=1+1", 'a')
    """
    return "'" + name if name.startswith(_FORMULA) else name


def write_labels(path: Path, parts: Iterable[LabelPart]) -> Counter[int]:
    """Write the table; returns how many rows each cluster got."""
    sizes: Counter[int] = Counter()
    counted = _counted(parts, sizes)
    with atomic_write(path) as temporary:
        if path.suffix.lower() in _PARQUET:
            _write_parquet(temporary, counted)
        else:
            with open(temporary, "w", newline="", encoding="utf-8") as file:
                _write_lines(file, counted)
    return sizes


def print_labels(stream: Any, parts: Iterable[LabelPart]) -> None:
    """Write the table as CSV to a stream; nothing at all where the first rows cannot be had."""
    made = iter(parts)
    _write_lines(stream, chain([next(made)], made))


def _write_lines(stream: Any, parts: Iterable[LabelPart]) -> None:
    stream.write(",".join(COLUMNS) + "\n")
    for part in parts:
        stream.write(csv_lines(part))


def _counted(parts: Iterable[LabelPart], sizes: Counter[int]) -> Iterator[LabelPart]:
    for part in parts:
        found, counts = np.unique(part.labels, return_counts=True)
        sizes.update(dict(zip(found.tolist(), counts.tolist(), strict=True)))
        yield part


def _write_parquet(path: Path, parts: Iterable[LabelPart]) -> None:
    arrow, parquet = load_arrow()
    types = (arrow.string(), arrow.int64(), arrow.float64(), arrow.int64(), arrow.float64())
    schema = arrow.schema(list(zip(COLUMNS, types, strict=True)))
    with parquet.ParquetWriter(path, schema) as writer:
        for part in parts:
            missing = part.second == NONE
            second, q = (arrow.array(one, mask=missing) for one in (part.second, part.second_probability))
            columns = [part.names, part.labels, part.probability, second, q]
            writer.write_table(arrow.table(dict(zip(COLUMNS, columns, strict=True)), schema=schema))
