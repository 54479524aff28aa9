"""Samples that are not numbers yet: files of pictures or sounds, texts, pictures as bytes."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from coterie._errors import InputError

IMAGE, SOUND, TEXT = "image", "sound", "text"
# a file, a text, or a picture of uint8 of shape (h, w) or (3, h, w)
Item = Path | str | npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Items:
    """Samples that an encoder turns into vectors.

    Attributes
    ----------
    values : sequence of Path, str or uint8 array
        Files, texts or pictures, one a sample.
    modality : str
        "image", "sound" or "text". A file of modality "text" holds one text.
    ids : tuple of str or None
        Names of the samples; None where they only have numbers.
    left_out : tuple of str
        Names of the files that could not be read and were left out.
    labels : array of shape (n,) or None
        Classes of the samples, where a column was named.
    reading : mapping
        What reading other files in the same way needs, as JSON.
    """

    values: Sequence[Item]
    modality: str
    ids: tuple[str, ...] | None = None
    left_out: tuple[str, ...] = ()
    labels: npt.NDArray[Any] | None = None
    reading: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.values)

    def name_of(self, row: int) -> str:
        """The id, or the row's number from 0."""
        return f"row {row}" if self.ids is None else self.ids[row]

    def digest(self, row: int) -> str:
        """A hash of the content of a sample, whatever its file is called."""
        value = self.values[row]
        if isinstance(value, Path):
            with value.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        if isinstance(value, str):
            return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
        shaped = f"{value.shape}{value.dtype}".encode()
        return hashlib.sha256(shaped + np.ascontiguousarray(value).tobytes()).hexdigest()

    def without(self, rows: Sequence[int]) -> Items:
        """The others, in order; the names of those left out are noted."""
        gone = set(rows)
        others = self.take([row for row in range(len(self)) if row not in gone])
        left_out = (*self.left_out, *(self.name_of(row) for row in sorted(gone)))
        return dataclasses.replace(others, left_out=left_out)

    def take(self, rows: Sequence[int]) -> Items:
        """Some of them, in the order of `rows`."""
        return dataclasses.replace(
            self,
            values=[self.values[row] for row in rows],
            ids=None if self.ids is None else tuple(self.ids[row] for row in rows),
            labels=None if self.labels is None else self.labels[list(rows)],
        )


def as_items(X: Any, suffixes: Callable[[], Mapping[str, tuple[str, ...]]]) -> Items | None:
    """A list of paths or of texts as items; None where X is of another kind.

    Strings are paths where all of them end as files of one modality do.

    Parameters
    ----------
    X : object
    suffixes : callable
        Gives how names of files of each modality end; called for lists of strings or paths alone.

    Raises
    ------
    InputError
        Paths and texts are mixed, or paths are of several modalities.

    Examples
    --------
    >>> as_items(["a cat", "a dog"], lambda: {"image": (".png",)}).modality
    'text'
    >>> as_items(["a.png", "b.PNG"], lambda: {"image": (".png",)}).modality
    'image'
    """
    listed = _strings(X)
    if listed is None:
        return None
    endings = suffixes()
    found = [_modality_of_path(entry, endings) for entry in listed]
    n_paths = sum(isinstance(entry, os.PathLike) for entry in listed)
    if not n_paths and None in found:
        return Items([str(entry) for entry in listed], TEXT)
    if None in found or len(set(found)) > 1:
        row = (
            found.index(None)
            if None in found
            else next(i for i, kind in enumerate(found) if kind != found[0])
        )
        raise InputError(
            f"X must hold paths of one kind of file, or texts; entry {row} is {str(listed[row])!r:.60}, "
            f"entry 0 is {str(listed[0])!r:.60}"
        )
    (modality,) = set(found)
    names = tuple(os.fspath(entry) for entry in listed)
    return Items([Path(name) for name in names], str(modality), names)


def picture_items(X: Any) -> Items | None:
    """Pictures of uint8, of shape (n, h, w) or (n, 3, h, w), as items; None for other arrays."""
    values = np.asarray(X)
    shaped = values.ndim == 3 or (values.ndim == 4 and values.shape[1] == 3)
    return Items(values, IMAGE) if shaped and values.dtype == np.uint8 else None  # type: ignore[arg-type]  # rows


def _strings(X: Any) -> list[Any] | None:
    """The entries of a sequence of strings or paths, at least one; None for anything else."""
    if isinstance(X, str | bytes | Mapping) or not hasattr(X, "__len__") or not hasattr(X, "__getitem__"):
        return None
    if (
        getattr(X, "ndim", 1) != 1
        or len(X) == 0
        or getattr(getattr(X, "dtype", None), "kind", "O") not in "OUT"
    ):
        return None
    try:
        entries = list(X)
    except (TypeError, KeyError, IndexError):  # a data set that counts but is not walked through
        return None
    return entries if all(isinstance(entry, str | os.PathLike) for entry in entries) else None


def _modality_of_path(entry: Any, suffixes: Mapping[str, tuple[str, ...]]) -> str | None:
    name = os.fspath(entry).lower()
    return next((modality for modality, ends in suffixes.items() if name.endswith(ends)), None)
