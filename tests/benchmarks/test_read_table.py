"""The record of reading a table: what it measures, on few rows."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks import run


def test_time_and_memory_of_reading_a_table(tmp_path: Path) -> None:
    assert run.main(["read-table", "--quick", "--out", str(tmp_path)]) == 0
    (path,) = tmp_path.glob("read-table/*.json")
    record = json.loads(path.read_text())
    metrics = record["metrics"]
    assert record["settings"] == {"rows": 20_000, "repeats": 1}
    assert metrics["ratio"] == metrics["coterie_seconds"] / metrics["pandas_seconds"] > 0
    assert 0 <= metrics["coterie_arrays"] < 100
