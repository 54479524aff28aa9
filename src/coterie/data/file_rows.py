"""Samples in files of their own, decoded when they are drawn: memory stays flat however many there are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from coterie._errors import InputError
from coterie._types import Rows

Array = npt.NDArray[Any]
# one sample of a file
Decode = Callable[[Path], Array]
# decoded folders up to this size are held as arrays
EAGER_BYTES = 256 * 2**20
# decoded samples that are kept; the first ones that are drawn, since shuffled passes come back to all alike
CACHE_BYTES = 256 * 2**20
# threads that decode; image and sound libraries let others work meanwhile
LOADERS = 2


class FileRows:
    """Rows (n, ...) of which each is a file; a bounded number of them stays decoded.

    Parameters
    ----------
    folder : Path
    names : sequence of str
        Paths in the folder, at least one.
    decode : callable
        ``decode(path)`` is one sample; called in several threads. It can be pickled.
    like : array
        A decoded sample, which has the shape and type of all.
    cache_bytes : int
        Decoded samples that are kept.

    Attributes
    ----------
    shape : tuple of int
    dtype : np.dtype
    ndim : int
    """

    def __init__(
        self, folder: Path, names: Sequence[str], decode: Decode, like: Array, cache_bytes: int = CACHE_BYTES
    ) -> None:
        self._folder, self._names, self._decode, self._like = folder, tuple(names), decode, like
        self._cache_bytes = cache_bytes
        # one block: many small ones would break up the memory that decoding uses in between
        room = min(cache_bytes // max(1, like.nbytes), len(names))
        self._cache = np.empty((room, *like.shape), like.dtype)
        # places in the cache of rows that are decoded
        self._kept: dict[int, int] = {}
        # what was said to be drawn next, and what before that
        self._coming: list[dict[int, Future[Array]]] = [{}, {}]
        self._loaders: ThreadPoolExecutor | None = None
        self.shape = (len(self._names), *like.shape)
        self.dtype = like.dtype
        self.ndim = len(self.shape)

    def __reduce__(self) -> tuple[type[FileRows], tuple[Any, ...]]:
        """Copies, as other processes get them, begin with nothing decoded."""
        return FileRows, (self._folder, self._names, self._decode, self._like, self._cache_bytes)

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, rows: Rows | slice | int) -> Array:
        """Decoded rows; of a single number, one sample."""
        if isinstance(rows, int | np.integer):
            sample: Array = self[np.array([range(len(self))[rows]])][0]
            return sample
        numbers = _numbers(rows, len(self))
        found = np.empty((len(numbers), *self.shape[1:]), self.dtype)
        waiting = {number: self._ahead(number) for number in numbers if number not in self._kept}
        for place, number in enumerate(numbers):
            if number in self._kept:
                found[place] = self._cache[self._kept[number]]
                continue
            found[place] = self._result(number, waiting[number])
            if len(self._kept) < len(self._cache):
                self._cache[len(self._kept)] = found[place]
                self._kept[number] = len(self._kept)
        return found

    def expect(self, rows: Rows | slice) -> None:
        """Begin to decode rows that are drawn soon; those expected before the last call are forgotten."""
        numbers = _numbers(rows, len(self))
        fresh = {number: self._ahead(number) for number in numbers if number not in self._kept}
        self._coming = [self._coming[1], fresh]

    def _ahead(self, number: int) -> Future[Array]:
        """A sample that is being decoded: one that was expected, or one that begins now."""
        for expected in self._coming:
            if number in expected:
                return expected[number]
        if self._loaders is None:
            self._loaders = ThreadPoolExecutor(LOADERS, thread_name_prefix="coterie-loader")
        return self._loaders.submit(self._decode, Path(self._folder, self._names[number]))

    def _result(self, number: int, future: Future[Array]) -> Array:
        try:
            sample = future.result()
        except (InputError, OSError) as error:
            raise InputError(
                f"{self._folder}: {self._names[number]} ({error}) cannot be read; --skip-broken leaves it out"
            ) from error
        if sample.shape != self.shape[1:] or sample.dtype != self.dtype:
            raise InputError(f"{self._folder}: {self._names[number]} has changed since the folder was read")
        return sample


def _numbers(rows: Rows | slice, n: int) -> list[int]:
    if isinstance(rows, slice):
        return list(range(*rows.indices(n)))
    chosen = np.asarray(rows)
    chosen = np.flatnonzero(chosen) if chosen.dtype == bool else chosen
    numbers: list[int] = chosen.tolist()
    return numbers


def read_rows(
    folder: Path, names: Sequence[str], decode: Decode, broken: Callable[[str], Any], check_all: bool
) -> tuple[Array | FileRows, list[str]]:
    """Decode a folder's samples, all at once where they are few, otherwise when they are drawn.

    Parameters
    ----------
    folder : Path
    names : sequence of str
        Paths in the folder, at least one.
    decode : callable
        As of `FileRows`.
    broken : callable
        ``broken(name)`` is a context in which errors of a file are noted and suppressed.
    check_all : bool
        Decode all of many samples once, so that those that cannot be read are noted now.

    Returns
    -------
    rows : array or FileRows
        The samples that can be decoded; empty if none can.
    names : list of str
        Their names.
    """
    kept: list[str] = []
    rows: Array | None = None
    for place, name in enumerate(names):
        with broken(name):
            sample = decode(Path(folder, name))
            if rows is None:
                if len(names) * sample.nbytes > EAGER_BYTES:
                    rest = names[place:]
                    good = (
                        [one for one in rest if _decodes(folder, one, decode, broken)] if check_all else rest
                    )
                    return FileRows(folder, good, decode, sample), list(good)
                rows = np.empty((len(names), *sample.shape), sample.dtype)
            rows[len(kept)] = sample
            kept.append(name)
    return (np.empty(0) if rows is None else rows[: len(kept)]), kept


def _decodes(folder: Path, name: str, decode: Decode, broken: Callable[[str], Any]) -> bool:
    found = False
    with broken(name):
        decode(Path(folder, name))
        found = True
    return found
