"""Readers by the files that they take; a new kind of file is one more reader."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from coterie.data.modality import find_modality
from coterie.data.readers.options import ReadOptions, Samples


@dataclass(frozen=True)
class Reader:
    """How files of one format become samples.

    Attributes
    ----------
    formats : str
        The formats as messages list them, such as ".npy, .npz".
    takes : callable
        Whether a file of this name, in lower case, is one of this reader's.
    read_file : callable or None
        Samples of one file; None where a file is one sample of a folder.
    read_folder : callable or None
        Samples of the files of a folder that this reader takes, at least one; None where files are not read
        together.
    modality : str or None
        What a folder's files are; None where `read_folder` is None.
    read_parts : callable or None
        The samples of one file some at a time, where it is not mapped and may be larger than memory.
    endings : tuple of str
        Endings of the files that hold one sample each, for lists of paths; may be empty.
    """

    formats: str
    takes: Callable[[str], bool]
    read_file: Callable[[Path, ReadOptions], Samples] | None = None
    read_folder: Callable[[Path, Sequence[Path], ReadOptions], Samples] | None = None
    modality: str | None = None
    read_parts: Callable[[Path, ReadOptions], Iterator[Samples]] | None = None
    endings: tuple[str, ...] = ()

    @property
    def plural(self) -> str:
        """What the files of a folder are called."""
        return "files" if self.modality is None else find_modality(self.modality).plural


_READERS: list[Reader] = []


def register_reader(reader: Reader) -> None:
    """Make a reader known: it is asked before the library's own and those that were registered earlier."""
    if reader not in _READERS:
        _READERS.insert(0, reader)


def registered_readers() -> tuple[Reader, ...]:
    """Readers in addition to the library's own, in the order in which they are asked."""
    return tuple(_READERS)


def ending_in(*suffixes: str) -> Callable[[str], bool]:
    """Whether a name ends in one of some suffixes.

    Examples
    --------
    >>> ending_in(".png", ".jpg")("a.jpg")
    True
    """
    return lambda name: name.endswith(suffixes)
