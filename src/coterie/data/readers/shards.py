"""Data in many files of one kind: named by a pattern, read in parts, and sampled."""

from __future__ import annotations

import dataclasses
import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from coterie._errors import InputError
from coterie.data.readers.options import ReadOptions, Samples
from coterie.data.readers.read import read_parts


def is_pattern(path: str) -> bool:
    """Whether a path stands for several files.

    Examples
    --------
    >>> is_pattern("shards/*.npy"), is_pattern("x.npy")
    (True, False)
    """
    return glob.has_magic(path) and not os.path.exists(path)


def find_shards(pattern: str) -> list[Path]:
    """The files of a pattern, in the order of their names; with links whose file is gone, to be named.

    Raises
    ------
    InputError
        There is none.
    """
    matched = sorted(glob.glob(pattern, recursive=True))
    found = [Path(name) for name in matched if os.path.isfile(name) or not os.path.exists(name)]
    if not found:
        raise InputError(f"{pattern} must match at least one file; quote the pattern")
    return found


def sample_shards(files: Sequence[Path], options: ReadOptions, n_rows: int, seed: int = 0) -> Samples:
    """A random sample of the rows of all shards, in their order; ids are ``SHARD:ID``.

    Each shard is read once, in parts. Every row gets a random number, and those of the smallest numbers are
    kept: the sample does not depend on how the rows lie in parts.

    Parameters
    ----------
    files : sequence of Path
    options : ReadOptions
        Of how the first part is read; the others are read as that one.
    n_rows : int
        All rows where there are not more.
    seed : int

    Raises
    ------
    InputError
        A shard cannot be read, or its samples have another shape; the message names it.
    """
    rng = np.random.default_rng(seed)
    kept: list[Samples] = []
    keys: list[np.ndarray[tuple[int], np.dtype[np.float64]]] = []
    for file in files:
        for part in numbered_parts(file, options):
            if kept and part.X.shape[1:] != kept[0].X.shape[1:]:
                raise InputError(
                    f"{file} must hold samples of shape {kept[0].X.shape[1:]}, as {files[0]}, "
                    f"got {part.X.shape[1:]}"
                )
            if not kept and options.like is None:
                options = dataclasses.replace(options, like=part.reading)
            drawn = rng.random(len(part.X))
            bound = _bound(keys, n_rows)
            rows = np.flatnonzero(drawn < bound)
            names = part.names
            ids = tuple(f"{file.name}:{names[row]}" for row in rows.tolist())
            labels = None if part.labels is None else part.labels[rows]
            kept.append(dataclasses.replace(part, X=part.X[rows], ids=ids, labels=labels))
            keys.append(drawn[rows])
    return _joined(kept, np.concatenate(keys) <= _bound(keys, n_rows - 1))


def _bound(keys: Sequence[np.ndarray[tuple[int], np.dtype[np.float64]]], n_rows: int) -> float:
    """The random number below which a row may still be among the `n_rows` smallest."""
    every = np.concatenate(keys) if keys else np.empty(0)
    return 1.0 if len(every) <= n_rows else float(np.partition(every, n_rows)[n_rows])


def _joined(parts: Sequence[Samples], chosen: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Samples:
    rows = np.concatenate([part.X[:] for part in parts])[chosen]
    names = [name for part in parts for name in part.ids or ()]
    ids = tuple(name for name, is_in in zip(names, chosen, strict=True) if is_in)
    labels = [part.labels for part in parts if part.labels is not None]
    known = np.concatenate(labels)[chosen] if len(labels) == len(parts) else None
    return dataclasses.replace(parts[0], X=rows, ids=ids, labels=known)


def numbered_parts(file: Path, options: ReadOptions) -> Iterator[Samples]:
    """The parts of a shard; rows without ids have their numbers in the whole shard."""
    start = 0
    for part in read_parts(file, options):
        size = len(part.X)
        if part.ids is None and start:
            yield dataclasses.replace(part, ids=tuple(str(row) for row in range(start, start + size)))
        else:
            yield part
        start += size
