"""Options of reading files, and the samples that were read."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from coterie._errors import InputError
from coterie.data.arrays import SampleArray
from coterie.data.items import Items
from coterie.data.modality import modality_of_shape
from coterie.data.readers.paths import check_regular

Metadata = Mapping[str, Any]
_SHOWN = 5


@dataclass(frozen=True)
class TableOptions:
    """How to read a table; None means that it is detected.

    Attributes
    ----------
    sep : str or None
        What separates entries: one character.
    decimal : "," or "." or None
    header : bool or None
        Whether the first line names the columns.
    id : str or None
        The column of names of the rows; None: the one called id, or the index that pandas writes.
    label : str or None
        The column of classes, which is no feature.
    features, drop : tuple of str
        The columns to use, all if there are none; columns to leave out.
    cyclic_dates : bool
        Dates also give the time of the year, of the week and of the day, as sine and cosine.
    text : str or None
        The column of texts, which an encoder takes; of a file that ends in .txt, "lines" takes each line.
    """

    sep: str | None = None
    decimal: str | None = None
    header: bool | None = None
    id: str | None = None
    label: str | None = None
    features: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    cyclic_dates: bool = False
    text: str | None = None


@dataclass(frozen=True)
class ReadOptions:
    """How to read a file or folder.

    Attributes
    ----------
    strict : bool
        Refuse what would otherwise be made to fit: images of several sizes, sounds of several lengths,
        columns that are not numbers, missing values.
    skip_broken : bool
        Leave files out that cannot be read, with a warning, instead of refusing the folder.
    image_size : (height, width) or None
        Size of all images; None finds one for them.
    like : mapping or None
        `Samples.reading` of an earlier reading: new files are brought into the same shape.
    table : TableOptions
    """

    strict: bool = False
    skip_broken: bool = False
    image_size: tuple[int, int] | None = None
    like: Metadata | None = None
    table: TableOptions = field(default_factory=TableOptions)


@dataclass(frozen=True)
class Samples:
    """Samples that were read, and what they are called.

    Attributes
    ----------
    X : array of shape (n, ...)
    ids : tuple of str or None
        Names of the rows: a column called id, or paths of files; None where they only have numbers.
    how : mapping
        JSON metadata that reading other files in the same way needs.
    left_out : tuple of str
        Names of the files that could not be read and were left out.
    modality : str
        What the samples are: "image", "sound", "text", "table", "vectors", or a name given to
        `coterie.data.modality.register_modality`. It chooses networks, views and how samples are shown. An
        estimator's ``fit`` and ``predict`` take the whole object as X. Where it is not given, vectors or
        images by their shape.
    labels : array of shape (n,) or None
        Classes of the samples, from the column that `TableOptions.label` names.
    items : Items or None
        What the samples were before an encoder made them vectors.
    """

    X: SampleArray
    ids: tuple[str, ...] | None = None
    how: Metadata = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    modality: str = ""
    labels: npt.NDArray[Any] | None = None
    items: Items | None = None

    def __post_init__(self) -> None:
        if not self.modality:
            object.__setattr__(self, "modality", modality_of_shape(self.X.shape[1:]))

    @property
    def names(self) -> Sequence[str]:
        """The ids, or the rows' numbers from 0."""
        return [str(row) for row in range(len(self.X))] if self.ids is None else self.ids

    @property
    def reading(self) -> Metadata:
        """What `ReadOptions.like` takes: the modality, and how the samples were read."""
        return {"modality": self.modality, **self.how}

    def take(self, rows: Sequence[int]) -> Samples:
        """Some of the samples, in the order of `rows`; they are read now."""
        return dataclasses.replace(
            self,
            X=self.X[np.asarray(rows, dtype=np.int64)],
            ids=None if self.ids is None else tuple(self.ids[row] for row in rows),
            labels=None if self.labels is None else self.labels[list(rows)],
            items=None if self.items is None else self.items.take(rows),
        )


class Broken:
    """Files of a folder that could not be read, and why."""

    def __init__(self) -> None:
        self.reasons: dict[str, str] = {}

    @contextmanager
    def noting(self, name: str, *kinds: type[Exception]) -> Iterator[None]:
        """Note a file whose reading raises an InputError, or one of other kinds."""
        expected: tuple[type[Exception], ...] = (InputError, *kinds)
        try:
            yield
        except expected as error:
            self.reasons[name] = str(error).strip().partition("\n")[0] or type(error).__name__

    def named(self, folder: Path, files: Sequence[Path]) -> dict[str, Path]:
        """Files by their paths in the folder; those that cannot be opened or named are noted.

        A name that is not text could not be written to labels.csv after the training.
        """
        found: dict[str, Path] = {}
        for file in files:
            name = file.relative_to(folder).as_posix()
            shown = name.encode("utf-8", "backslashreplace").decode()
            with self.noting(shown):
                if shown != name:
                    raise InputError("its name must be UTF-8; rename it")
                check_regular(file)
                found[name] = file
        return found

    def check(self, folder: Path, n_files: int, skip: bool) -> None:
        """Raise where files are broken and may not be skipped, or where none is left."""
        if self.reasons and not skip:
            raise InputError(f"{self._text(folder, n_files)}; --skip-broken ignores them")
        if len(self.reasons) == n_files:
            raise InputError(self._text(folder, n_files))

    def warn(self, folder: Path, n_files: int) -> None:
        """Say which files were left out."""
        if self.reasons:
            warnings.warn(f"{self._text(folder, n_files)}; they are ignored", stacklevel=4)

    def _text(self, folder: Path, n_files: int) -> str:
        named = [f"{name} ({reason})" for name, reason in list(self.reasons.items())[:_SHOWN]]
        more = len(self.reasons) - len(named)
        rest = f" and {more} more" if more else ""
        return f"{folder}: {len(self.reasons)} of {n_files} files cannot be read: {', '.join(named)}{rest}"
