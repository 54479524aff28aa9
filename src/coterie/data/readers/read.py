"""Which reader a path takes."""

from __future__ import annotations

import os
import re
import warnings
from pathlib import Path
from typing import Any

import numpy.typing as npt

from coterie._errors import InputError
from coterie.data.readers import images, sounds
from coterie.data.readers.binary import read_idx, read_numpy
from coterie.data.readers.labels import LabelTable, check_one_label_each, unknown_texts
from coterie.data.readers.options import ReadOptions, Samples
from coterie.data.readers.parquet import parquet_labels, parquet_table
from coterie.data.readers.paths import check_file, files_below
from coterie.data.readers.table import Table
from coterie.data.readers.text import csv_labels, csv_table

Array = npt.NDArray[Any]

_FORMATS = ".npy, .npz, .csv, .parquet, .idx (also -idx3-ubyte and the like), and idx with .gz"
_IDX_NAME = re.compile(r"[.-]idx\d*(-ubyte)?(\.gz)?$")
PARQUET = (".parquet", ".pq")
_TABLES = (".csv", *PARQUET)


def read_samples(path: str | os.PathLike[str], options: ReadOptions | None = None) -> Samples:
    """Read samples from a file, or from a folder of images or of sounds.

    Parameters
    ----------
    path : path-like
        ``.npy`` (mapped, not loaded), ``.npz`` (its only array, or the one called X or data), ``.csv``
        (comma separated numbers, with or without a header), ``.parquet`` (columns of numbers, or one of
        vectors), idx, gzipped or not, or a folder, whose subfolders count too. In a table a column called id
        names the rows, and one called label is left out.
    options : ReadOptions, optional

    Returns
    -------
    Samples
        Of numbers, n >= 1. A csv gives float64 of shape (n, columns).

    Raises
    ------
    InputError
        If the path is missing, unreadable, damaged, empty, of another format, or does not hold numbers; the
        message names the path, and the line where there is one.
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
    place = Path(path)
    samples = _read_folder(place, options) if os.path.isdir(place) else _read_file(place)
    like = dict(options.like or {})
    kinds = {like.get("kind"), samples.how["kind"]}
    if kinds == {"images", "sounds"}:
        raise InputError(f"{path} holds {samples.how['kind']}; {like['kind']} as in the fit are expected")
    wanted, columns = like.get("columns"), samples.how.get("columns")
    if wanted and columns and wanted != columns:
        raise InputError(f"{path} has the columns {', '.join(columns)}; {', '.join(wanted)} are expected")
    return samples


def read_array(path: str | os.PathLike[str]) -> Array:
    """Read samples from a file: the samples of `read_samples`.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "points.csv"
    ...     _ = file.write_text("x,y\\n1,2\\n3,4\\n")
    ...     read_array(file)
    array([[1., 2.],
           [3., 4.]])
    """
    return _read_file(check_file(path)).X  # type: ignore[return-value]  # files hold arrays


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
        soon as an entry is empty (it becomes None), or -1 (it stays that number) stands beside text.

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
    """Read labels as `read_labels` does, with the columns beside them, by which they find their rows."""
    file = check_file(path)
    if file.suffix.lower() == ".csv":
        table = csv_labels(file)
    elif file.suffix.lower() in PARQUET:
        table = parquet_labels(file)
    else:
        table = LabelTable(_binary(file, ("y", "labels", "label")))
    values = unknown_texts(check_one_label_each(path, table.values))
    return LabelTable(values, table.columns, str(path), table.lines)


def labels_of(path: str | os.PathLike[str], samples: Samples) -> Array:
    """Read the labels of samples: each finds its sample by its id, as `LabelTable.for_rows` says."""
    return read_label_table(path).for_rows(samples.ids, len(samples.X), left_out=samples.left_out)


def _read_file(file: Path) -> Samples:
    check_file(file)
    if file.suffix.lower() not in _TABLES:
        return Samples(_checked(file, _binary(file, ("X", "x", "data"))), None, {"kind": "arrays"})
    table: Table = csv_table(file) if file.suffix.lower() == ".csv" else parquet_table(file)
    columns = None if table.columns is None else list(table.columns)
    return Samples(_checked(file, table.values), table.ids, {"kind": "tables", "columns": columns})


def _binary(file: Path, names: tuple[str, ...]) -> Array:
    name = file.name.lower()
    if _IDX_NAME.search(name):
        return read_idx(file)
    if name.endswith((".npy", ".npz")):
        return read_numpy(file, names)
    raise InputError(f"{file} has no known extension; expected one of {_FORMATS}")


def _checked(file: Path, found: Array) -> Array:
    if found.dtype.kind not in "biuf":
        raise InputError(f"{file} must hold numbers; got dtype {found.dtype}")
    if found.ndim == 0 or found.size == 0:
        raise InputError(f"{file} holds no samples; its shape is {found.shape}")
    return found


def _read_folder(folder: Path, options: ReadOptions) -> Samples:
    files = files_below(folder)
    seen = [file for file in files if file.suffix.lower() in images.SUFFIXES]
    heard = [file for file in files if file.suffix.lower() in sounds.SUFFIXES]
    if bool(seen) == bool(heard):
        held = f"{len(seen)} images and {len(heard)} sounds"
        if not seen:
            held = f"{len(files)} files, none of them an image or a sound"
        raise InputError(f"{folder} holds {held}; a folder of images or of sounds is expected")
    others = len(files) - len(seen) - len(heard)
    if others:
        warnings.warn(f"{folder}: {others} other files were left out", stacklevel=3)
    if seen:
        return images.read_images(folder, seen, options)
    return sounds.read_sounds(folder, heard, options)
