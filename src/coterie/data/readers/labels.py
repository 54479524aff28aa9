"""Labels from files, and which rows they belong to."""

from __future__ import annotations

import os
import warnings
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
            An id of the file is given twice, or all of them belong to other rows.
        """
        if self.ids is None or self.ids == names:
            return self.values
        places = {name: row for row, name in enumerate(names or map(str, range(n_rows)))}
        unknown = [name for name in self.ids if name not in places]
        if unknown and names is None and len(self.ids) == n_rows:
            return self.values  # ids of some other source: the order has to serve
        if len(unknown) == len(self.ids):
            raise InputError(f"{self.path}: id {unknown[0]!r} is none of the {n_rows} rows, nor is any other")
        if unknown:
            warnings.warn(
                f"{self.path}: {len(unknown)} ids are none of the {n_rows} rows, {unknown[0]!r} for one; "
                "left out",
                stacklevel=2,
            )
        if len(set(self.ids)) < len(self.ids):
            raise InputError(f"{self.path}: an id is given twice; one label for each is expected")
        taken = [place for place, name in enumerate(self.ids) if name in places]
        rows = [places[self.ids[place]] for place in taken]
        whole = len(rows) == n_rows
        found = np.empty_like(self.values, shape=n_rows) if whole else np.full(n_rows, None, dtype=object)
        found[rows] = self.values[taken] if whole else self.values[taken].tolist()
        return found


def check_one_label_each(path: str | os.PathLike[str], found: Array) -> Array:
    """Labels as one axis, or an error that says what they are instead."""
    if found.ndim == 2 and found.shape[1] == 1:
        found = found[:, 0]
    if found.ndim != 1:
        raise InputError(f"{path} must hold one label per sample, shape (n,); got shape {found.shape}")
    if not len(found):
        raise InputError(f"{path} holds no labels")
    return found
