"""Which reader a path takes."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy.typing as npt

from coterie._checks import check_path
from coterie._errors import InputError
from coterie.data.items import TEXT as TEXT_ITEM
from coterie.data.items import Items
from coterie.data.modality import find_modality
from coterie.data.readers import images, sounds, texts
from coterie.data.readers.binary import BINARY_FORMATS, checked_numbers, is_binary, read_binary
from coterie.data.readers.frames import JSON_LINES, PARQUET, TEXT
from coterie.data.readers.labels import LabelTable, check_one_label_each, unknown_texts
from coterie.data.readers.options import Metadata, ReadOptions, Samples
from coterie.data.readers.parquet import parquet_labels
from coterie.data.readers.paths import check_file, files_below
from coterie.data.readers.registry import Reader, ending_in, registered_readers
from coterie.data.readers.table import parquet_parts, read_table
from coterie.data.readers.tar import NAME, read_tar, tar_parts
from coterie.data.readers.text import csv_labels
from coterie.data.readers.texts import list_files, read_texts

Array = npt.NDArray[Any]

# a file of vectors may come as an array or as a table
_ROWS = {"vectors", "table"}


def read_samples(path: str | os.PathLike[str], options: ReadOptions | None = None) -> Samples:
    """Read samples from a file, or from a folder of images or of sounds.

    Parameters
    ----------
    path : path-like
        ``.npy`` (mapped, not loaded), ``.npz`` (its only array, or the one called X or data), ``.csv``,
        ``.tsv``, ``.txt`` or ``.jsonl``, gzipped or not, ``.parquet``, idx, gzipped or not, or a folder,
        whose subfolders count too. In a table a column called id names the rows, one called label is left
        out, and columns that are not numbers become numbers as `coterie.data.table_steps.fit_steps` says.
    options : ReadOptions, optional

    Returns
    -------
    Samples
        Of numbers, n >= 1. A table gives float64 of shape (n, columns).

    Raises
    ------
    InputError
        If the path is missing, unreadable, damaged, empty, of another format, or holds what means no number;
        the message names the path, and line and column where there are any.

    Warns
    -----
    UserWarning
        For each thing that was detected and is not the usual, and each column that does not stay as it is.
    ImportError
        If the format needs a package that is not installed; the message names it.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "points.csv"
    ...     _ = file.write_text("id,x,y\\na,1,2\\nb,3,4\\n")
    ...     samples = read_samples(file)
    >>> samples.X, samples.ids
    (array([[1., 2.], [3., 4.]]), ('a', 'b'))
    """
    options = ReadOptions() if options is None else options
    place = check_path("path", path)
    samples = _read_folder(place, options) if os.path.isdir(place) else _read_file(place, options)
    _check_like(path, samples.modality, options.like or {})
    return samples


def _check_like(path: str | os.PathLike[str], modality: str, like: Metadata) -> None:
    """Raise where files hold other things than those of an earlier reading."""
    wanted = like.get("modality", modality)
    if wanted != modality and not {wanted, modality} <= _ROWS:
        raise InputError(
            f"{path} must hold {find_modality(wanted).plural}, as in the fit; it holds "
            f"{find_modality(modality).plural}"
        )


def read_labels(path: str | os.PathLike[str]) -> Array:
    """Read one label per sample from a file, in the order of the file.

    Parameters
    ----------
    path : path-like
        The files of `read_samples`; in an ``.npz`` the only array, or the one called y or labels. A csv has
        one column (every line is an entry, so a blank one is an unknown label), or a header with a column
        called label. Text becomes numbers only where no two texts become one number.

    Returns
    -------
    array of shape (n,)
        Of a csv: int64 or float64 where every entry is a number, text otherwise. An array of objects as
        soon as an entry is empty (it becomes None), or -1 (it stays that number) is among text.

    Raises
    ------
    InputError
        As `read_samples`, and if there is more than one label per sample.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "labels.csv"
    ...     _ = file.write_text("id,label\\n0,cat\\n1,\\n2,dog\\n")
    ...     read_labels(file)
    array(['cat', None, 'dog'], dtype=object)
    """
    return read_label_table(path).values


def read_label_table(path: str | os.PathLike[str]) -> LabelTable:
    """Read labels as `read_labels` does, with the other columns, by which they find their rows."""
    file = check_file(path)
    if file.name.lower().endswith(TEXT):
        table = csv_labels(file)
    elif file.suffix.lower() in PARQUET:
        table = parquet_labels(file)
    else:
        table = LabelTable(read_binary(file, ("y", "labels", "label")))
    values = unknown_texts(check_one_label_each(path, table.values))
    return LabelTable(values, table.columns, str(path), table.lines)


def labels_of(path: str | os.PathLike[str], samples: Samples) -> Array:
    """Read the labels of samples: each finds its sample by its id, as `LabelTable.for_rows` says."""
    return read_label_table(path).for_rows(samples.ids, len(samples.X), left_out=samples.left_out)


def _read_file(file: Path, options: ReadOptions) -> Samples:
    check_file(file)
    if options.table.text is not None:
        raise InputError(f"{file}: --text takes texts, which need an encoder; --encoder names one")
    found = next((reader for reader in _taking(file.name) if reader.read_file is not None), None)
    if found is None:
        formats = ", ".join(reader.formats for reader in _readers() if reader.read_file is not None)
        raise InputError(f"{file} must have one of the extensions {formats}")
    assert found.read_file is not None
    return found.read_file(file, options)


def read_parts(file: Path, options: ReadOptions) -> Iterator[Samples]:
    """The samples of a file some at a time, so that a file larger than memory can be read.

    Raises
    ------
    InputError
        As `read_samples`.
    """
    check_file(file)
    ways = (one.read_parts for one in _taking(file.name))
    way = next((one for one in ways if one is not None), None)
    for part in [_read_file(file, options)] if way is None else way(file, options):
        _check_like(file, part.modality, options.like or {})
        yield part


def _taking(name: str) -> list[Reader]:
    return [reader for reader in _readers() if reader.takes(name.lower())]


def _read_folder(folder: Path, options: ReadOptions) -> Samples:
    """Samples of a folder whose files one reader takes together; others are left out with a warning."""
    reader, found = _files_of(folder)
    assert reader.read_folder is not None
    return reader.read_folder(folder, found, options)


def _files_of(folder: Path) -> tuple[Reader, list[Path]]:
    """The reader of a folder's samples, and its files; others are left out with a warning."""
    files = files_below(folder)
    taken: dict[Reader, list[Path]] = {}
    for file in files:
        reader = next((one for one in _taking(file.name) if one.read_folder is not None), None)
        if reader is not None:
            taken.setdefault(reader, []).append(file)
    if len(taken) > 1:  # a text beside pictures is a note on them
        taken = {reader: found for reader, found in taken.items() if reader.modality != TEXT_ITEM}
    expected = " or of ".join(reader.plural for reader in _readers() if reader.read_folder is not None)
    if len(taken) != 1:
        held = " and ".join(f"{len(found)} {reader.plural}" for reader, found in taken.items())
        held = held or f"{len(files)} files, none of which can be read"
        raise InputError(f"{folder} must be a folder of {expected}, but it holds {held}")
    (reader, found), *_ = taken.items()
    if len(found) < len(files):
        warnings.warn(f"{folder}: {len(files) - len(found)} files of other kinds are ignored", stacklevel=5)
    return reader, found


def read_items(path: str | os.PathLike[str], options: ReadOptions | None = None) -> Items | None:
    """Pictures, sounds or texts as they lie in their files, for an encoder.

    Parameters
    ----------
    path : path-like
        A folder of images, sounds or ``.txt`` files, whose subfolders count too; or, with
        `TableOptions.text`, a table with a column of texts, or a ``.txt`` file with a text in each line.
    options : ReadOptions, optional

    Returns
    -------
    Items or None
        None where the path holds numbers.

    Raises
    ------
    InputError
        As `read_samples`.

    Examples
    --------
    >>> import tempfile
    >>> from coterie.data.readers import TableOptions
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "reviews.csv"
    ...     _ = file.write_text("id,review\\na,good\\nb,bad\\n")
    ...     items = read_items(file, ReadOptions(table=TableOptions(text="review")))
    >>> items.values, items.ids
    (['good', 'bad'], ('a', 'b'))
    """
    options = ReadOptions() if options is None else options
    if os.path.isdir(path):
        if options.table.text is not None:
            raise InputError(f"--text must name a column of a table; {path} is a folder")
        reader, files = _files_of(Path(path))
        found: Items | None = list_files(Path(path), files, str(reader.modality), options)
    else:
        found = None if options.table.text is None else read_texts(check_file(path), options)
    if found is not None:
        _check_like(path, found.modality, options.like or {})
    return found


def path_endings() -> dict[str, tuple[str, ...]]:
    """How names of files that are one sample each end, by modality."""
    return {str(reader.modality): reader.endings for reader in _readers() if reader.endings}


def _read_array_file(file: Path, options: ReadOptions) -> Samples:
    return Samples(checked_numbers(file, read_binary(file, ("X", "x", "data"))))


def _folder_reader(
    formats: str,
    endings: tuple[str, ...],
    read: Callable[[Path, Sequence[Path], ReadOptions], Samples],
    modality: str,
) -> Reader:
    return Reader(formats, ending_in(*endings), read_folder=read, modality=modality, endings=endings)


_TABLES = ".csv, .tsv, .txt, .jsonl (also with .gz), .parquet"
# in the order in which they are asked
_OWN = (
    Reader(_TABLES, ending_in(*TEXT, *JSON_LINES), read_table),
    Reader(".parquet", ending_in(*PARQUET), read_table, read_parts=parquet_parts),
    Reader(NAME, ending_in(NAME), read_tar, read_parts=tar_parts),
    Reader(BINARY_FORMATS, is_binary, _read_array_file),
    _folder_reader("images", images.SUFFIXES, images.read_images, "image"),
    _folder_reader("sounds", sounds.SUFFIXES, sounds.read_sounds, "sound"),
    _folder_reader("texts", texts.SUFFIXES, texts.refuse_texts, TEXT_ITEM),
)


def _readers() -> tuple[Reader, ...]:
    """All readers, in the order in which they are asked."""
    return (*registered_readers(), *_OWN)
