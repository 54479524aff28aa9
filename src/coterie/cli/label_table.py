"""Tables of labels, a part of their rows at a time and whole columns at once; no torch."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import numpy.typing as npt

from coterie.data.files import atomic_write

COLUMNS = ("id", "label", "probability", "second", "second_probability")
# in the columns of clusters: none; as a label: not assigned
NONE = -1
# id, cluster or -1, its probability, the second cluster and its probability, if there are two
Row = tuple[str, int, float, int | None, float | None]
_Bytes = npt.NDArray[np.uint8]
_QUOTED = re.compile('[",\r\n]')
_THREE_DIGITS = np.array([list(f"{number:03}".encode()) for number in range(1000)], np.uint8)
# millionths nearer than this to a half are rounded from all digits
_HALF_WAY = 1e-6


@dataclass(frozen=True)
class LabelPart:
    """Some rows of a table of labels.

    Attributes
    ----------
    names : sequence of str
    labels : int64 array of shape (n,)
        -1: not assigned.
    probability : float64 array of shape (n,), values in [0, 1]
    second : int64 array of shape (n,)
        -1: there is no second cluster.
    second_probability : float64 array of shape (n,), values in [0, 1]
        Of any value where there is no second cluster.
    """

    names: Sequence[str]
    labels: npt.NDArray[np.int64]
    probability: npt.NDArray[np.float64]
    second: npt.NDArray[np.int64]
    second_probability: npt.NDArray[np.float64]

    def rows(self) -> Iterator[Row]:
        """The rows one by one."""
        columns = (self.labels, self.probability, self.second, self.second_probability)
        for name, label, p, second, q in zip(self.names, *(one.tolist() for one in columns), strict=True):
            yield name, label, p, *((None, None) if second == NONE else (second, q))


def part_of(rows: Iterable[Row]) -> LabelPart:
    """Rows as one part."""
    names, labels, p, second, q = tuple(zip(*rows, strict=True)) or ((),) * 5
    return LabelPart(
        names,
        np.array(labels, dtype=np.int64),
        np.array(p, dtype=np.float64),
        np.array([NONE if one is None else one for one in second], dtype=np.int64),
        np.array([0.0 if one is None else one for one in q], dtype=np.float64),
    )


def write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write any table as CSV, whole or not at all."""
    with atomic_write(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def as_text(row: Row) -> tuple[object, ...]:
    """A row as its cells are written."""
    name, label, probability, second, second_probability = row
    if second is None:
        return name, label, f"{probability:.6f}", "", ""
    return name, label, f"{probability:.6f}", second, f"{second_probability:.6f}"


def csv_lines(part: LabelPart) -> str:
    """A part as lines of CSV: what `csv.writer` makes of `as_text`, in a third of the time.

    Cells of numbers are made for all rows at once, as bytes padded with zero bytes, which are then left out.

    Examples
    --------
    >>> csv_lines(part_of([("a", 3, 0.75, 1, 0.25), ("b,c", 0, 1.0, None, None)]))
    'a,3,0.750000,1,0.250000\\n"b,c",0,1.000000,,\\n'
    """
    has_second = (part.second != NONE)[:, None]
    cells = [
        _integers(part.labels),
        _millionths(part.probability),
        _integers(part.second) * has_second,
        _millionths(part.second_probability) * has_second,
    ]
    comma, end = (np.full((len(part.labels), 1), ord(one), np.uint8) for one in ",\n")
    padded = np.concatenate([*chain.from_iterable((comma, cell) for cell in cells), end], axis=1)
    numbers = padded.tobytes().translate(None, b"\0").decode("ascii").splitlines(keepends=True)
    return "".join(chain.from_iterable(zip(_quoted(part.names), numbers, strict=True)))


def _quoted(names: Sequence[str]) -> Sequence[str]:
    """Names as cells: in quotes where they hold what ends a cell or a line."""
    if not _QUOTED.search("".join(names)):
        return names
    return ['"' + name.replace('"', '""') + '"' if _QUOTED.search(name) else name for name in names]


def _integers(values: npt.NDArray[np.int64]) -> _Bytes:
    """Digits of numbers from -1 on, one row each."""
    texts = np.array([str(number).encode() for number in range(NONE, 1 + values.max(initial=0))])
    return texts[values - NONE].view(np.uint8).reshape(len(values), texts.itemsize)


def _millionths(values: npt.NDArray[np.float64]) -> _Bytes:
    """Numbers from 0 on and below 10 as ``f"{value:.6f}"`` writes them, one row each."""
    scaled = values * 1e6
    whole = np.rint(scaled).astype(np.int64)
    for place in np.flatnonzero(np.abs(scaled - np.floor(scaled) - 0.5) < _HALF_WAY).tolist():
        whole[place] = int(f"{values[place]:.6f}".replace(".", ""))
    text = np.empty((len(values), 8), np.uint8)
    text[:, 0], text[:, 1] = ord("0") + whole // 1_000_000, ord(".")
    text[:, 2:5], text[:, 5:] = _THREE_DIGITS[whole // 1000 % 1000], _THREE_DIGITS[whole % 1000]
    return text
