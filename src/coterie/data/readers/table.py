"""A table of numbers whose rows may have names, from whatever file it comes."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from coterie._errors import InputError

ID_NAME = "id"
# what pandas calls the index that it writes: before the columns of a CSV file, after those of Parquet
FIRST_NAMES = ("", "unnamed: 0", "__index_level_0__")
LAST_NAME = "__index_level_0__"
_LABEL_NAMES = ("label", "labels")


@dataclass(frozen=True)
class Table:
    """Values of shape (n, d), the names of the d columns and of the n rows where the file has them."""

    values: npt.NDArray[Any]
    columns: tuple[str, ...] | None
    ids: tuple[str, ...] | None


def split_columns(path: str | os.PathLike[str], names: Sequence[str]) -> tuple[int | None, list[int]]:
    """Place of the column called id, and those of the features: all others but one of labels.

    Clusters are not to be found from the labels that may lie in the same file.
    """
    lower = [name.lower() for name in names]
    labels = [place for place, name in enumerate(lower) if name in _LABEL_NAMES]
    ids = [place for place, name in enumerate(lower) if name == ID_NAME]
    if not ids:
        ids = _index_column(path, names)
    if len(ids) > 1:
        raise InputError(f"{path}: {len(ids)} columns are called {ID_NAME}; at most one is expected")
    features = [place for place in range(len(names)) if place not in labels + ids]
    if not features:
        raise InputError(f"{path} has no column of numbers; its columns are {', '.join(names)}")
    if labels:
        left = ", ".join(names[place] for place in labels)
        warnings.warn(f"{path}: column {left} is not used as a feature", stacklevel=2)
    return (ids[0] if ids else None), features


def _index_column(path: str | os.PathLike[str], names: Sequence[str]) -> list[int]:
    """Place of an index that pandas wrote: the first column, or in Parquet the last one."""
    if not any(names):  # no header at all
        return []
    lower = [name.strip().lower() for name in names]
    found = [0] if lower[0] in FIRST_NAMES else [len(names) - 1] if lower[-1] == LAST_NAME else []
    for place in found:
        called = names[place] or "without a name"
        warnings.warn(f"{path}: column {called} is taken as ids, as pandas writes its index", stacklevel=4)
    return found
