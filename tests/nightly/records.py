"""What a nightly run or a soak found, as a committed JSON of the benchmarks' schema."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import record

RESULTS = Path(__file__).with_name("results")


@dataclass(frozen=True)
class Found:
    """The variable part of a record.

    Attributes
    ----------
    suite : str
        ``"soak"`` or ``"nightly"``.
    variant : str
        The end of the file's name.
    settings, metrics : mapping
    runs : list of dict
        Of each part.
    seconds : float
    command : str
    """

    suite: str
    variant: str
    settings: Mapping[str, Any]
    metrics: Mapping[str, float]
    runs: list[dict[str, Any]]
    seconds: float
    command: str


def write(folder: Path, found: Found) -> Path:
    """Write a record; the commit is that of the code when the process began, if that asked for it then."""
    result = record.surroundings() | {
        "suite": found.suite,
        "method": "all",
        "data": "digits",
        "variant": found.variant,
        "draw": 0,
        "settings": found.settings,
        "resolved": {},
        "metrics": found.metrics,
        "runs": found.runs,
        "departures": [],
        "seconds": found.seconds,
        "command": found.command,
    }
    path = folder / f"{found.suite}-{found.variant}.json"
    record.write(path, {name: result[name] for name in record.SCHEMA})
    return path
