"""Arrays and labels from files: npy, npz, csv and idx (the format of MNIST, also gzipped)."""

from __future__ import annotations

import csv
import gzip
import math
import os
import re
import struct
import zipfile
import zlib
from array import array
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from coterie._errors import InputError

Array = npt.NDArray[Any]

_FORMATS = ".npy, .npz, .csv, .idx (also -idx3-ubyte and the like), and idx with .gz"
_IDX_NAME = re.compile(r"[.-]idx\d*(-ubyte)?(\.gz)?$")
_IDX_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_array(path: str | os.PathLike[str]) -> Array:
    """Read samples from a file.

    Parameters
    ----------
    path : path-like
        ``.npy`` (mapped, not loaded), ``.npz`` (its only array, or the one called X or data), ``.csv``
        (comma separated numbers, with or without a header) or idx, gzipped or not.

    Returns
    -------
    array of shape (n, ...)
        Numbers, n >= 1; read-only where it is mapped. A csv gives float64 of shape (n, columns).

    Raises
    ------
    InputError
        If the file is missing, unreadable, damaged, empty, of another format, or does not hold numbers; the
        message names the path, and the line where there is one.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "points.csv"
    ...     _ = file.write_text("x,y\\n1,2\\n3,4\\n")
    ...     read_array(file)
    array([[1., 2.],
           [3., 4.]])
    """
    found = _read(path, ("X", "x", "data"), _csv_numbers)
    if found.dtype.kind not in "biuf":
        raise InputError(f"{path} must hold numbers; got dtype {found.dtype}")
    if found.ndim == 0 or found.size == 0:
        raise InputError(f"{path} holds no samples; its shape is {found.shape}")
    return found


def read_labels(path: str | os.PathLike[str]) -> Array:
    """Read one label per sample from a file.

    Parameters
    ----------
    path : path-like
        The formats of `read_array`; in an ``.npz`` the only array, or the one called y or labels. A csv has
        one column (every line is an entry, so a blank one is an unknown label), or a header with a column
        called label.

    Returns
    -------
    array of shape (n,)
        Of a csv: int64 or float64 where every entry is a number, text otherwise. An array of objects as
        soon as an entry is empty (it becomes None), or -1 (it stays that number) stands beside text.

    Raises
    ------
    InputError
        As `read_array`, and if there is more than one label per sample.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "labels.csv"
    ...     _ = file.write_text("id,label\\n0,cat\\n1,\\n2,dog\\n")
    ...     read_labels(file)
    array(['cat', None, 'dog'], dtype=object)
    """
    found = _read(path, ("y", "labels", "label"), _csv_labels)
    if found.ndim == 2 and found.shape[1] == 1:
        found = found[:, 0]
    if found.ndim != 1:
        raise InputError(f"{path} must hold one label per sample, shape (n,); got shape {found.shape}")
    if not len(found):
        raise InputError(f"{path} holds no labels")
    return found


def check_file(path: str | os.PathLike[str]) -> Path:
    """Return the path of a file that can be opened, or raise an error that says why not."""
    file = Path(path)
    if file.is_dir():
        raise InputError(f"{path} is a directory; expected a file")
    try:
        file.open("rb").close()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    return file


def csv_rows(path: str | os.PathLike[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield (line number, entries) of a comma separated UTF-8 file; a blank line has no entries."""
    with check_file(path).open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.reader(stream, strict=True)
        try:
            for cells in reader:
                yield reader.line_num, cells
        except UnicodeDecodeError as error:
            raise InputError(f"{path} is not UTF-8 text (after line {reader.line_num})") from error
        except csv.Error as error:
            raise InputError(f"{path}, line {reader.line_num}: {error}") from error


def _read(path: str | os.PathLike[str], names: tuple[str, ...], read_csv: Callable[[Path], Array]) -> Array:
    file = check_file(path)
    name = file.name.lower()
    if name.endswith(".csv"):
        return read_csv(file)
    if _IDX_NAME.search(name):
        return _read_idx(file)
    if name.endswith((".npy", ".npz")):
        return _read_numpy(file, names)
    raise InputError(f"{path} has no known extension; expected one of {_FORMATS}")


def _read_numpy(file: Path, names: tuple[str, ...]) -> Array:
    try:
        if file.suffix.lower() == ".npz":
            with file.open("rb") as stream, np.lib.npyio.NpzFile(stream, allow_pickle=False) as archive:
                return np.asarray(archive[_pick(file, archive.files, names)])
        return np.lib.format.open_memmap(file, mode="r")
    except InputError:
        raise
    except (ValueError, EOFError, OSError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(
            f"{file} cannot be read as {file.suffix.lower()} (damaged, or an array of objects): {error}"
        ) from error


def _pick(file: Path, found: list[str], names: tuple[str, ...]) -> str:
    if len(found) == 1:
        return found[0]
    named = [name for name in names if name in found]
    if not named:
        wanted, held = " or ".join(names), ", ".join(found) or "none"
        raise InputError(f"{file} must hold one array, or one called {wanted}; it holds {held}")
    return named[0]


def _read_idx(file: Path) -> Array:
    try:
        content = gzip.decompress(file.read_bytes()) if file.suffix.lower() == ".gz" else file.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{file} cannot be unpacked (damaged, or no gzip): {error}") from error
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in _IDX_TYPES:
        raise InputError(
            f"{file} is not in idx format: it must begin with 0, 0, a type and the number of axes"
        )
    dtype, n_axes = np.dtype(_IDX_TYPES[content[2]]), content[3]
    start = 4 + 4 * n_axes
    if len(content) < start:
        raise InputError(f"{file} is truncated: it ends within its header")
    shape = struct.unpack(f">{n_axes}I", content[4:start])
    expected = start + math.prod(shape) * dtype.itemsize
    if len(content) != expected:
        what = "is truncated" if len(content) < expected else "is too long"
        raise InputError(
            f"{file} {what}: shape {shape} of {dtype.name} needs {expected} bytes; it has {len(content)}"
        )
    values = np.frombuffer(content, dtype, offset=start).reshape(shape)
    return values.astype(dtype.newbyteorder("="), copy=False)


def _csv_numbers(file: Path) -> Array:
    rows = ((line, cells) for line, cells in csv_rows(file) if cells)
    first = next(rows, None)
    if first is None:
        raise InputError(f"{file} is empty; expected comma separated numbers")
    width = len(first[1])
    values = array("d")
    for line, cells in rows if _is_header(first[1]) else chain([first], rows):
        if len(cells) != width:
            raise InputError(f"{file}, line {line}: {len(cells)} entries where the first line has {width}")
        try:
            values.extend([float(cell) for cell in cells])
        except ValueError:
            column = next(place for place, cell in enumerate(cells, 1) if not _is_number(cell))
            raise InputError(
                f"{file}, line {line}, column {column}: expected a number; got {cells[column - 1]!r}"
            ) from None
    return np.array(values, dtype=np.float64).reshape(-1, width)


def _is_header(cells: list[str]) -> bool:
    """A first line is a header when nothing in it is a number: one odd entry is a mistake in a row."""
    return not any(_is_number(cell) for cell in cells)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _csv_labels(file: Path) -> Array:
    rows = list(csv_rows(file))
    if not rows:
        raise InputError(f"{file} is empty; expected one label per line")
    width = max(len(cells) for _, cells in rows)
    if width <= 1:
        return _typed(_one_column([cells[0].strip() if cells else "" for _, cells in rows]))
    names = [cell.strip().lower() for cell in rows[0][1]]
    if "label" not in names:
        held = ", ".join(names)
        raise InputError(
            f"{file} has several columns: its first line must call one of them label; got {held}"
        )
    place, entries = names.index("label"), []
    for line, cells in rows[1:]:
        if cells and len(cells) != len(names):
            raise InputError(f"{file}, line {line}: {len(cells)} entries where the header has {len(names)}")
        if cells:
            entries.append(cells[place].strip())
    return _typed(entries)


def _one_column(entries: list[str]) -> list[str]:
    """Drop the first entry where it is a header: called label, or text above numbers only."""
    head, rest = entries[0], entries[1:]
    if head.lower() in ("label", "labels"):
        return rest
    numbers = [_is_number(entry) for entry in rest if entry not in ("", "-1")]
    return rest if head and not _is_number(head) and numbers and all(numbers) else entries


def _typed(entries: list[str]) -> Array:
    """Entries as int64, float64 or text; as objects when some are empty or text stands beside -1."""
    convert = _converter([entry for entry in entries if entry])
    values = [convert(entry) if entry else None for entry in entries]
    mixed = len({type(value) for value in values}) > 1 or None in values
    return np.array(values, dtype=object if mixed else None)


def _converter(given: list[str]) -> Callable[[str], int | float | str]:
    for kind in (int, float):
        try:
            [kind(entry) for entry in given]
        except ValueError:
            continue
        return kind
    # the unknown label stays one in a column of text
    return lambda entry: -1 if entry == "-1" else entry
