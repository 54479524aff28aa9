"""Labels in files of text: a column of them, or a table with one."""

from __future__ import annotations

from pathlib import Path

from coterie._errors import InputError
from coterie.data.readers.dialect import is_number, text_rows
from coterie.data.readers.labels import LabelTable, typed_labels


def csv_labels(file: Path) -> LabelTable:
    """Labels of a file of one column, or of its column called label, and the other columns."""
    rows = list(text_rows(file))
    if not rows:
        raise InputError(f"{file} is empty; it must hold one label per line")
    if max(len(cells) for _, cells in rows) <= 1:
        return LabelTable(typed_labels(_one_column([cells[0].strip() if cells else "" for _, cells in rows])))
    names = [cell.strip() for cell in rows[0][1]]
    lower = [name.lower() for name in names]
    if "label" not in lower:
        held = ", ".join(lower)
        raise InputError(
            f"{file} has several columns: its first line must call one of them label, got {held}"
        )
    for line, cells in rows[1:]:
        if cells and len(cells) != len(names):
            raise InputError(
                f"{file}, line {line} must have {len(names)} entries, as the header, got {len(cells)}"
            )
    kept = [(line, cells) for line, cells in rows[1:] if cells]
    place = lower.index("label")
    columns = {
        name: tuple(cells[number] for _, cells in kept)
        for number, name in enumerate(names)
        if number != place
    }
    entries = [cells[place].strip() for _, cells in kept]
    return LabelTable(typed_labels(entries), columns, str(file), [line for line, _ in kept])


def _one_column(entries: list[str]) -> list[str]:
    """Drop the first entry where it is a header: called label, or text above numbers only."""
    head, rest = entries[0], entries[1:]
    if head.lower() in ("label", "labels"):
        return rest
    numbers = [is_number(entry) for entry in rest if entry not in ("", "-1")]
    return rest if head and not is_number(head) and numbers and all(numbers) else entries
