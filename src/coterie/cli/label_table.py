"""Rows of a table of labels; no torch."""

from __future__ import annotations

COLUMNS = ("id", "label", "probability", "second", "second_probability")
# id, cluster or -1, its probability, the second cluster and its probability, if there are two
Row = tuple[str, int, float, int | None, float | None]


def as_text(row: Row) -> tuple[object, ...]:
    """A row as its cells are written."""
    name, label, probability, second, second_probability = row
    if second is None:
        return name, label, f"{probability:.6f}", "", ""
    return name, label, f"{probability:.6f}", second, f"{second_probability:.6f}"
