"""Texts: files of a folder, a column of a table, or lines of a file; and files as they lie, for encoders."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from coterie._errors import InputError
from coterie.data.items import TEXT, Items
from coterie.data.readers.frames import read_frame
from coterie.data.readers.options import Broken, ReadOptions
from coterie.data.readers.table import frame_ids, frame_labels

SUFFIXES = (".txt",)
LINES = "lines"


def list_files(folder: Path, files: Sequence[Path], modality: str, options: ReadOptions) -> Items:
    """Files of a folder as items, named by their paths in it."""
    broken = Broken()
    names = broken.named(folder, files)
    broken.check(folder, len(files), options.skip_broken)
    broken.warn(folder, len(files))
    return Items(
        list(names.values()), modality, tuple(names), tuple(broken.reasons), reading={"modality": modality}
    )


def refuse_texts(folder: Path, files: Sequence[Path], options: ReadOptions) -> NoReturn:
    """Texts are no numbers."""
    raise InputError(f"{folder} holds texts, which need an encoder; --encoder names one")


def read_texts(file: Path, options: ReadOptions) -> Items:
    """The column of a table that holds texts, or the lines of a ``.txt`` file.

    Raises
    ------
    InputError
        The file is no table, or has no such column, or no text.
    """
    is_lines = options.table.text == LINES and file.name.lower().endswith((".txt", ".txt.gz"))
    found = _lines(file) if is_lines else _column(file, options)
    if not len(found):
        raise InputError(f"{file} holds no texts")
    return found


def _lines(file: Path) -> Items:
    try:
        raw = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        lines = raw.decode("utf-8-sig").splitlines()
    except (UnicodeDecodeError, EOFError, OSError) as error:
        raise InputError(f"{file} cannot be read as text in UTF-8: {error}") from error
    while lines and not lines[-1].strip():
        lines.pop()
    return Items(lines, TEXT, reading={"modality": TEXT})


def _column(file: Path, options: ReadOptions) -> Items:
    frame = read_frame(file, options.table)
    column = frame.values.iloc[:, frame.roles.text]
    texts = ["" if _is_missing(value) else str(value) for value in column]
    return Items(texts, TEXT, frame_ids(frame), labels=frame_labels(frame), reading={"modality": TEXT})


def _is_missing(value: Any) -> bool:
    return value is None or value != value
