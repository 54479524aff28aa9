"""Data of a command as numbers: read, or through an encoder, whose vectors are kept beside the run."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coterie._errors import InputError, ReadingNote
from coterie._launcher import place
from coterie.data import ReadOptions, Samples, read_samples
from coterie.data.items import TEXT, Items, picture_items
from coterie.data.modality import find_modality
from coterie.data.readers import read_items
from coterie.encoders.choice import choose_encoder, encoder_of
from coterie.encoders.embedding import embed_items
from coterie.encoders.protocol import Encoder, described, metadata_of
from coterie.encoders.registry import AUTO, automatic_encoder, missing_advice

FOLDER = "embeddings"


@dataclass(frozen=True)
class Encoding:
    """How data become vectors.

    Attributes
    ----------
    wanted : str or None
        Name of an encoder, "auto", or None for data that are numbers.
    folder : Path
        Where vectors are kept and found again.
    n_jobs : int or None
        Processes.
    metadata : mapping or None
        Of the encoder that an earlier fit had, which is taken whatever is wanted.
    shown : bool
        Whether progress is shown, and which encoder "auto" takes.
    """

    wanted: str | None
    folder: Path
    n_jobs: int | None = -1
    metadata: Mapping[str, Any] | None = None
    shown: bool = True


def embeddings_folder(run: str | Path, given: str | None) -> Path:
    """Where a run keeps vectors."""
    return Path(run, FOLDER) if given is None else Path(given)


def read_encoded(path: str, options: ReadOptions, encoding: Encoding) -> Samples:
    """Samples of a path, as numbers or as an encoder's vectors.

    Raises
    ------
    InputError
        The path cannot be read, or needs an encoder that is not there or takes other samples.
    ImportError
        The encoder's package is missing.
    """
    if encoding.wanted is None and encoding.metadata is None:
        return read_samples(path, options)
    items = read_items(path, options)
    if items is None:
        return _numbers(path, options, encoding)
    encoder = _encoder_for(items, path, options, encoding)
    if encoder is None:
        return read_samples(path, options)
    if encoding.shown and place().is_first:
        print(f"coterie: encoder: {described(metadata_of(encoder))}", file=sys.stderr)
    return _embedded(items, encoder, options, encoding)


def _embedded(items: Items, encoder: Encoder, options: ReadOptions, encoding: Encoding) -> Samples:
    return embed_items(
        items,
        encoder,
        folder=encoding.folder,
        n_jobs=encoding.n_jobs,
        shown=encoding.shown and place().is_first,
        skip_broken=options.skip_broken,
    )


def _encoder_for(items: Items, path: str, options: ReadOptions, encoding: Encoding) -> Encoder | None:
    """The encoder; None where "auto" leaves pictures or sounds to a network of their own."""
    if encoding.metadata is not None:
        return encoder_of(encoding.metadata)
    if encoding.wanted != AUTO or items.modality == TEXT:
        return choose_encoder(encoding.wanted, items.modality)
    if options.image_size is not None:
        return None
    found = automatic_encoder(items.modality)
    if found is None:
        warnings.warn(
            f"{path}: no encoder for {find_modality(items.modality).plural} is installed, so a network is "
            f"trained on them from scratch; {missing_advice(items.modality)}",
            ReadingNote,
            stacklevel=3,
        )
    return found


def _numbers(path: str, options: ReadOptions, encoding: Encoding) -> Samples:
    """Data that are numbers: pictures among them may have an encoder by name, others have none."""
    samples = read_samples(path, options)
    if encoding.metadata is None and encoding.wanted == AUTO:
        return samples
    found = picture_items(samples.X)
    if found is None:
        raise InputError(
            f"{path} holds {find_modality(samples.modality).plural} of numbers, which no encoder takes; "
            "--encoder none clusters them as they are, --text COL names a column of texts"
        )
    items = Items(found.values, found.modality, samples.ids, labels=samples.labels, reading=samples.reading)
    if encoding.metadata is None:
        encoder = choose_encoder(encoding.wanted, items.modality)
    else:
        encoder = encoder_of(encoding.metadata)
    return _embedded(items, encoder, options, encoding)
