"""The record of mapped arrays: what it measures, on few rows."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from benchmarks.suites.memmap import anonymous

from benchmarks import run


def test_memory_and_time_of_a_mapped_fit(tmp_path: Path) -> None:
    assert run.main(["memmap", "--quick", "--methods", "ccn", "--out", str(tmp_path)]) == 0
    (path,) = tmp_path.glob("memmap/*.json")
    record = json.loads(path.read_text())
    metrics = record["metrics"]
    assert record["settings"] == {"rows": 2000, "batch_size": 500}
    assert [one["epochs"] for one in record["runs"]] == [1]
    assert 0.48 < metrics["file_mib"] < 0.5
    assert 50 < metrics["start_mib"] <= metrics["peak_mib"] < 4096
    assert metrics["fit_microseconds_a_row"] == 1e6 * metrics["fit_seconds"] / 2000


def test_anonymous_memory_is_what_arrays_take() -> None:
    before = anonymous()
    held = np.ones(8 * 2**20)
    assert 0.9 * held.nbytes < anonymous() - before < 2 * held.nbytes
