"""Archives of samples as WebDataset writes them: files of one sample share the name before the first dot."""

from __future__ import annotations

import dataclasses
import io
import tarfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from coterie._errors import InputError
from coterie.data.readers.binary import checked_numbers
from coterie.data.readers.images import SUFFIXES, decoder_for, header_of
from coterie.data.readers.options import ReadOptions, Samples

Array = npt.NDArray[Any]
NAME = ".tar"
_ARRAY = ".npy"
# of decoded samples that are in memory at a time
PART_BYTES = 64 * 2**20
_UNREADABLE = (tarfile.TarError, OSError, EOFError, ValueError)


def read_tar(file: Path, options: ReadOptions) -> Samples:
    """All samples of an archive: arrays of one shape (``.npy``), or images.

    What else a sample has, such as ``.json`` or ``.cls``, is not read.

    Raises
    ------
    InputError
        The archive is damaged, or holds no samples or those of several shapes.
    """
    parts = list(tar_parts(file, options))
    ids = tuple(name for part in parts for name in part.ids or ())
    return dataclasses.replace(parts[0], X=np.concatenate([part.X[:] for part in parts]), ids=ids)


def tar_parts(file: Path, options: ReadOptions) -> Iterator[Samples]:
    """The samples of an archive in its order, some at a time; see `read_tar`."""
    try:
        with tarfile.open(file, "r:") as archive:
            yield from _parts(file, archive, options)
    except _UNREADABLE as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{file} cannot be read as a tar archive (damaged?): {error}") from error


def _parts(file: Path, archive: tarfile.TarFile, options: ReadOptions) -> Iterator[Samples]:
    members = [one for one in archive.getmembers() if one.isfile()]
    chosen = [one for one in members if _ending(one.name) in (_ARRAY, *SUFFIXES)]
    arrays = [one for one in chosen if _ending(one.name) == _ARRAY]
    chosen = arrays or chosen
    if not chosen:
        raise InputError(
            f"{file} must hold .npy files or images, but none of its {len(members)} files is one"
        )

    def content(member: tarfile.TarInfo) -> io.BytesIO:
        stream = archive.extractfile(member)
        assert stream is not None  # it is a file
        return io.BytesIO(stream.read())

    decode: Callable[[io.BytesIO], Array] = _decode_array
    how: dict[str, Any] = {}
    modality = ""
    if not arrays:
        headers = {one.name: header_of(content(one)) for one in chosen}
        image = decoder_for(file, headers, options)
        decode, how, modality = image.from_stream, image.how, "image"
    for names, rows in _stacked(file, chosen, lambda member: decode(content(member))):
        yield Samples(checked_numbers(file, rows), names, how, modality=modality)


def _stacked(
    file: Path, members: Sequence[tarfile.TarInfo], decode: Callable[[tarfile.TarInfo], Array]
) -> Iterator[tuple[tuple[str, ...], Array]]:
    """Names and decoded samples, as many at a time as fit into `PART_BYTES`."""
    names: list[str] = []
    rows: list[Array] = []
    for member in members:
        try:
            row = decode(member)
        except (InputError, ValueError) as error:
            raise InputError(f"{file}: {member.name} cannot be read: {error}") from error
        if rows and row.shape != rows[0].shape:
            raise InputError(
                f"{file}: all samples must have one shape, but {member.name} has {row.shape} and {names[0]} "
                f"{rows[0].shape}"
            )
        names.append(_key(member.name))
        rows.append(row)
        if len(rows) * row.nbytes >= PART_BYTES:
            yield tuple(names), np.stack(rows)
            names, rows = [], []
    if rows:
        yield tuple(names), np.stack(rows)


def _decode_array(stream: io.BytesIO) -> Array:
    row: Array = np.load(stream, allow_pickle=False)
    return row


def _key(name: str) -> str:
    """What the files of one sample share."""
    folder, _, last = name.rpartition("/")
    key = last.partition(".")[0]
    return f"{folder}/{key}" if folder else key


def _ending(name: str) -> str:
    return Path(name).suffix.lower()
