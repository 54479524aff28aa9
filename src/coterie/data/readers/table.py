"""A table of any columns as samples: its features as numbers, its ids and its labels."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from coterie._errors import InputError, InputTypeError, ReadingNote
from coterie.data.readers.frames import Frame, arrow_frame, read_frame
from coterie.data.readers.labels import typed_labels
from coterie.data.readers.options import Metadata, ReadOptions, Samples
from coterie.data.readers.parquet import arrow_parts
from coterie.data.table_steps import TableSteps, apply_steps, fit_steps


def read_table(file: Path, options: ReadOptions) -> Samples:
    """Read a table; its columns become numbers as `fit_steps` says, or as in an earlier reading.

    Raises
    ------
    InputError
        The file is no table, a column of the earlier reading is missing, a value is not of its column's kind;
        or something had to be changed and `strict` was asked for.
    """
    return _samples(file, read_frame(file, options.table, (options.like or {}).get("columns")), options)


def parquet_parts(file: Path, options: ReadOptions) -> Iterator[Samples]:
    """The rows of a Parquet file, some at a time; later parts are read as the first one."""
    for rows in arrow_parts(file):
        frame = arrow_frame(file, rows, options.table, (options.like or {}).get("columns"))
        part = _samples(file, frame, options)
        if not options.like:
            options = dataclasses.replace(options, like=part.reading)
        yield part


def _samples(file: Path, frame: Frame, options: ReadOptions) -> Samples:
    like = dict(options.like or {})
    if not len(frame.values):
        raise InputError(f"{file} must hold at least one sample, got shape {frame.values.shape}")
    places = _places(file, frame, like)
    features = frame.values.iloc[:, places]
    names = None if frame.names is None else [frame.names[place] for place in places]
    notes = list(frame.notes)
    try:
        if like.get("table_steps"):
            steps = TableSteps.from_json(like["table_steps"])
        else:
            called = [frame.called(place) for place in places]
            cyclic = options.table.cyclic_dates
            steps, said = fit_steps(features, called, cyclic_dates=cyclic, place=frame.place)
            notes += said
        values, said = apply_steps(steps, features, place=frame.place)
    except (InputError, InputTypeError) as error:
        raise InputError(f"{file}, {error}") from error
    _say(file, [*notes, *said], options.strict)
    how = {"columns": names, "table_steps": steps.as_json()}
    return Samples(values, frame_ids(frame), how, modality="table", labels=frame_labels(frame))


def _say(file: Path, notes: Sequence[str], strict: bool) -> None:
    """Say what was detected and done, or refuse it."""
    if notes and strict:
        raise InputError(f"{file}: --strict does not allow changes: {'; '.join(notes)}")
    for note in notes:
        warnings.warn(f"{file}: {note}", ReadingNote, stacklevel=5)


def _places(file: Path, frame: Frame, like: Metadata) -> list[int]:
    """Places of the features, as many as those of an earlier reading."""
    places = list(frame.roles.features)
    steps = like.get("table_steps")
    if steps and len(steps) != len(places):
        raise InputError(
            f"{file} must have {len(steps)} columns of features, as in the fit, got {len(places)}"
        )
    return places


def frame_ids(frame: Frame) -> tuple[str, ...] | None:
    """Names of the rows, where a column has them."""
    place = frame.roles.id
    return None if place is None else tuple(map(str, frame.values.iloc[:, place]))


def frame_labels(frame: Frame) -> Any:
    """Classes of the rows, where a column was named; unknown ones as None."""
    place = frame.roles.label
    if place is None:
        return None
    column = frame.values.iloc[:, place]
    return typed_labels(["" if value is None or value != value else str(value) for value in column])
