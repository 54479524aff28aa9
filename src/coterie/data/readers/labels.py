"""Labels from files, and which rows they belong to."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from coterie._errors import InputError

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class LabelTable:
    """Labels as they stand in a file.

    Attributes
    ----------
    values : array of shape (n,)
    ids : tuple of str or None
        What the rows are called, where the file says so.
    path : str
    """

    values: Array
    ids: tuple[str, ...] | None
    path: str

    def for_rows(self, names: tuple[str, ...] | None, n_rows: int) -> Array:
        """The labels in the order of some rows, None for a row of which the file says nothing.

        Parameters
        ----------
        names : tuple of str or None
            Ids of the rows; None where they only have numbers from 0.
        n_rows : int

        Raises
        ------
        InputError
            An id of the file is given twice or is none of the rows.
        """
        if self.ids is None or self.ids == names:
            return self.values
        places = {name: row for row, name in enumerate(names or map(str, range(n_rows)))}
        unknown = next((name for name in self.ids if name not in places), None)
        if unknown is not None and names is None and len(self.ids) == n_rows:
            return self.values  # ids of some other source: the order has to serve
        if unknown is not None:
            raise InputError(f"{self.path}: id {unknown!r} is none of the {n_rows} rows")
        if len(set(self.ids)) < len(self.ids):
            raise InputError(f"{self.path}: an id is given twice; one label for each is expected")
        rows = np.array([places[name] for name in self.ids])
        if len(rows) == n_rows:
            ordered = np.empty_like(self.values)
            ordered[rows] = self.values
            return ordered
        sparse = np.full(n_rows, None, dtype=object)
        sparse[rows] = self.values.tolist()
        return sparse


def check_one_label_each(path: str | os.PathLike[str], found: Array) -> Array:
    """Labels as one axis, or an error that says what they are instead."""
    if found.ndim == 2 and found.shape[1] == 1:
        found = found[:, 0]
    if found.ndim != 1:
        raise InputError(f"{path} must hold one label per sample, shape (n,); got shape {found.shape}")
    if not len(found):
        raise InputError(f"{path} holds no labels")
    return found
