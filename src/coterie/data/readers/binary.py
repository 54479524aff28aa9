"""Arrays in numpy's formats, and idx, the format of MNIST."""

from __future__ import annotations

import gzip
import lzma
import math
import re
import struct
import sys
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from coterie._errors import InputError

Array = npt.NDArray[Any]

# what numpy and zipfile raise on damaged, forged, encrypted or too large files
_UNREADABLE = (
    *(ValueError, TypeError, OverflowError, RuntimeError, MemoryError, EOFError, OSError, SyntaxError),
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, tokenize.TokenError, struct.error),
)

BINARY_FORMATS = ".npy, .npz, .idx (also -idx3-ubyte and the like), and idx with .gz"
_IDX_NAME = re.compile(r"[.-]idx\d*(-ubyte)?(\.gz)?$")
_IDX_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def is_binary(name: str) -> bool:
    """Whether a file of this name, in lower case, is one of numpy's or idx."""
    return name.endswith((".npy", ".npz")) or _IDX_NAME.search(name) is not None


def read_binary(file: Path, names: tuple[str, ...]) -> Array:
    """The array of a file; of an ``.npz`` the only one, or the first called so."""
    name = file.name.lower()
    if _IDX_NAME.search(name):
        return read_idx(file)
    if is_binary(name):
        return read_numpy(file, names)
    raise InputError(f"{file} must have one of the extensions {BINARY_FORMATS}, .csv, .parquet")


def checked_numbers(file: Path, found: Array) -> Array:
    """Samples of a file, or an error that says why they are none."""
    if found.dtype.kind not in "biuf":
        raise InputError(f"{file} must hold numbers, got dtype {found.dtype}")
    if found.ndim == 0 or found.size == 0:
        raise InputError(f"{file} must hold at least one sample, got shape {found.shape}")
    return found


def read_numpy(file: Path, names: tuple[str, ...]) -> Array:
    """Map an ``.npy`` file, or load one array of an ``.npz``: the only one, or the first called so."""
    try:
        if file.suffix.lower() == ".npz":
            with file.open("rb") as stream, np.lib.npyio.NpzFile(stream, allow_pickle=False) as archive:
                return _checked_text(np.asarray(archive[_pick(file, archive.files, names)]))
        return _checked_text(np.lib.format.open_memmap(file, mode="r"))
    except InputError:
        raise
    except _UNREADABLE as error:
        raise InputError(
            f"{file} cannot be read as {file.suffix.lower()} (damaged, or an array of objects): "
            f"{error!s:.200}"
        ) from error


def _checked_text(found: Array) -> Array:
    """An array, or an error where its texts hold what is no character: Python would crash on it."""
    if found.dtype.kind == "U" and found.nbytes:
        codes = np.ascontiguousarray(found).view(found.dtype.byteorder.replace("|", "=") + "u4")
        if codes.max() > sys.maxunicode:
            raise ValueError(f"its texts hold the character {codes.max()}")
    return found


def _pick(file: Path, found: list[str], names: tuple[str, ...]) -> str:
    if len(found) == 1:
        return found[0]
    named = [name for name in names if name in found]
    if not named:
        wanted, held = " or ".join(names), ", ".join(found) or "none"
        raise InputError(f"{file} must hold one array, or one called {wanted}; it holds {held}")
    return named[0]


def read_idx(file: Path) -> Array:
    """An idx file, gzipped or not, in this machine's byte order."""
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
