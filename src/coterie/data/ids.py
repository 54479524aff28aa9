"""Ids of samples: which row a name means."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from coterie._errors import InputError, InputTypeError


def names_of(ids: object) -> list[str]:
    """Ids as text, one per row, or an error."""
    wrong = f"ids must be a sequence with one id per row, got {type(ids).__name__}"
    if isinstance(ids, str | bytes) or not isinstance(ids, Iterable):
        raise InputTypeError(wrong)
    try:
        return list(map(str, ids))
    except TypeError as error:  # a sparse matrix, an array of no axis
        raise InputTypeError(wrong) from error


class RowIds:
    """Rows by their ids, which compare as text, as they are written.

    Parameters
    ----------
    ids : iterable
        What the rows are called, in order.

    Examples
    --------
    >>> ids = RowIds([9, 5, 7])
    >>> ids.row("5"), "0" in ids
    (1, False)
    """

    def __init__(self, ids: Iterable[object]) -> None:
        self._rows: dict[str, int] = {}
        self._again: dict[str, int] = {}
        self._size = 0
        for row, name in enumerate(names_of(ids)):
            if self._rows.setdefault(name, row) != row:
                self._again.setdefault(name, row)
            self._size += 1

    def __len__(self) -> int:
        return self._size

    def __contains__(self, name: str) -> bool:
        return name in self._rows

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def row(self, name: str) -> int:
        """The row that a name means.

        Raises
        ------
        InputError
            The name is none of the ids, or the id of several rows. The message goes on from what held it.
        """
        if name not in self._rows:
            raise InputError(
                f"must be one of the ids of {self._size} samples, got {name!r}{self._hint(name)}"
            )
        if name in self._again:
            raise InputError(
                f"must name one sample; {name!r} is the id of rows {self._rows[name]} and "
                f"{self._again[name]}: give each row its own id"
            )
        return self._rows[name]

    def _hint(self, name: str) -> str:
        """What may have been meant."""
        if name.strip() in self._rows:
            return f"; ids compare as they are written, and {name.strip()!r} is one of them"
        if name.strip().isdecimal():
            return "; row numbers are not accepted where rows have ids"
        return ""
