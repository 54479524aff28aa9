"""One benchmark result as JSON: what was run, where, with what, and what came out; and its one schema."""

from __future__ import annotations

import datetime
import functools
import json
import math
import os
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
import torch

import coterie
from coterie.data.files import atomic_write

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
SCHEMA_VERSION = 1

# A type, a list of one type [t], or the fields of an object. A "?" behind a field's name: it may be null.
SCHEMA: dict[str, Any] = {
    "schema": int,
    "suite": str,
    "method": str,
    "data": str,
    "variant": str,
    "draw": int,
    "settings": dict,
    "resolved": dict,
    "metrics": dict,
    "runs": [dict],
    "departures": [str],
    "seconds": float,
    "machine": {
        "platform": str,
        "cpu?": str,
        "cpu_count": int,
        "torch_threads": int,
        "device": str,
    },
    "versions": {"coterie": str, "torch": str, "numpy": str, "sklearn": str, "python": str},
    "commit": {"revision?": str, "dirty?": bool},
    "command": str,
    "date": str,
}


class RecordError(ValueError):
    """A record that does not follow the schema."""


def validate(record: object) -> dict[str, Any]:
    """Hold a record against the schema.

    Parameters
    ----------
    record : object
        As parsed from JSON.

    Returns
    -------
    dict
        The record itself.

    Raises
    ------
    RecordError
        With every fault found.
    """
    faults = _faults(record, SCHEMA, "record")
    if not faults:
        assert isinstance(record, dict)
        faults = _content_faults(record)
    if faults:
        raise RecordError("; ".join(faults))
    assert isinstance(record, dict)
    return record


def _faults(value: object, expected: Any, where: str) -> list[str]:
    if isinstance(expected, list):
        if not isinstance(value, list):
            return [f"{where}: a list is expected, got {type(value).__name__}"]
        return [
            fault
            for number, sample in enumerate(value)
            for fault in _faults(sample, expected[0], f"{where}[{number}]")
        ]
    if isinstance(expected, dict):
        return _object_faults(value, expected, where)
    return [] if _is_a(value, expected) else [f"{where}: {expected.__name__} is expected, got {value!r:.60}"]


def _object_faults(value: object, expected: Mapping[str, Any], where: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{where}: an object is expected, got {type(value).__name__}"]
    names = {name.removesuffix("?"): name for name in expected}
    faults = [f"{where}: {name} is missing" for name in names if name not in value]
    faults += [f"{where}: {name} is not in the schema" for name in value if name not in names]
    for name in names.keys() & value.keys():
        if value[name] is None and names[name].endswith("?"):
            continue
        faults += _faults(value[name], expected[names[name]], f"{where}.{name}")
    return faults


def _is_a(value: object, kind: type) -> bool:
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, int | float) if kind is float else isinstance(value, kind)


def _content_faults(record: Mapping[str, Any]) -> list[str]:
    faults = []
    if record["schema"] != SCHEMA_VERSION:
        faults.append(f"record.schema: {SCHEMA_VERSION} is expected, got {record['schema']}")
    if not record["metrics"]:
        faults.append("record.metrics: at least one metric is expected")
    faults += [f"record.metrics.{name}: not finite" for name in _not_finite(record["metrics"])]
    try:
        datetime.datetime.fromisoformat(record["date"])
    except ValueError:
        faults.append(f"record.date: an ISO date is expected, got {record['date']!r}")
    return faults


def _not_finite(metrics: Mapping[str, Any]) -> list[str]:
    return [name for name, value in metrics.items() if isinstance(value, float) and not math.isfinite(value)]


@functools.cache
def machine() -> dict[str, Any]:
    """Where the numbers are taken."""
    device = "cpu"
    if torch.cuda.is_available():
        device = torch.cuda.get_device_name(0)
    return {
        "platform": platform.platform(),
        "cpu": _cpu_model(),
        "cpu_count": os.cpu_count() or 1,
        "torch_threads": torch.get_num_threads(),
        "device": device,
    }


def _cpu_model() -> str | None:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or None


def versions() -> dict[str, str]:
    """With what the numbers are taken."""
    return {
        "coterie": coterie.__version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "sklearn": sklearn.__version__,
        "python": platform.python_version(),
    }


@functools.cache
def commit() -> dict[str, Any]:
    """Revision of the code, and whether the disk holds another; read once, when a process starts."""
    revision = _git("rev-parse", "HEAD")
    changed = _git("status", "--porcelain", "--", "src", "benchmarks", ":!benchmarks/results")
    return {"revision": revision, "dirty": None if changed is None else bool(changed)}


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=ROOT, check=False, capture_output=True, text=True, timeout=30
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def surroundings() -> dict[str, Any]:
    """The fields of a record that do not depend on the case."""
    return {
        "schema": SCHEMA_VERSION,
        "machine": machine(),
        "versions": versions(),
        "commit": commit(),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def plain(value: Any) -> Any:
    """Numbers and arrays of numpy as what JSON knows; other objects by their name or text."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(name): plain(sample) for name, sample in value.items()}
    if isinstance(value, list | tuple):
        return [plain(sample) for sample in value]
    if isinstance(value, np.generic | np.ndarray):
        return plain(value.tolist())
    return getattr(value, "__name__", str(value))


def write(path: Path, record: Mapping[str, Any]) -> None:
    """Validate a record and write it whole or not at all."""
    checked = validate(plain(record))
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as temporary:
        temporary.write_text(_dump(checked) + "\n", encoding="utf-8")


def _dump(record: Mapping[str, Any]) -> str:
    """Indented JSON whose contingency tables take one line per row."""
    lines = [f'  "{name}": {_dump_field(value)}' for name, value in record.items()]
    return "{\n" + ",\n".join(lines) + "\n}"


def _dump_field(value: Any) -> str:
    if isinstance(value, dict) and value:
        inner = [f"    {json.dumps(name)}: {json.dumps(sample)}" for name, sample in value.items()]
        return "{\n" + ",\n".join(inner) + "\n  }"
    if isinstance(value, list) and value:
        return "[\n" + ",\n".join(f"    {json.dumps(sample)}" for sample in value) + "\n  ]"
    return json.dumps(value)


def read(path: Path) -> dict[str, Any]:
    """Read and validate one record.

    Raises
    ------
    RecordError
        The file is no JSON or does not follow the schema; the message names it.
    """
    try:
        return validate(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, OSError) as error:
        raise RecordError(f"{path}: {error}") from error


def read_all(folder: Path = RESULTS) -> list[dict[str, Any]]:
    """All records below a folder, in the order of their paths."""
    return [read(path) for path in sorted(folder.glob("*/*.json"))]
