"""How files are read: as options say, and as an earlier run read its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from coterie.cli.options.reading import given_options, reading_values
from coterie.data import ReadOptions
from coterie.data.readers import TableOptions

_OF_TABLES = {field.name for field in dataclasses.fields(TableOptions)}


def reading_options(options: Any, metadata: Mapping[str, Any] | None = None) -> ReadOptions:
    """What the options say of reading, and in place of those not given what those of an earlier run say."""
    return _read_options(given_options(options, metadata), (metadata or {}).get("reading") or None)


def options_of_run(metadata: Mapping[str, Any]) -> ReadOptions:
    """How the files of a run are read again: as it read them."""
    said: Mapping[str, Any] = metadata.get("reading_options") or {}
    return _read_options(said, metadata.get("reading") or None)


def _read_options(said: Mapping[str, Any], like: Mapping[str, Any] | None) -> ReadOptions:
    values = reading_values(said)
    table = TableOptions(**{name: values.pop(name) for name in _OF_TABLES})
    return ReadOptions(**values, like=like, table=table)
