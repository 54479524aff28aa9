"""The record of mapped arrays: what it measures, on few rows."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from benchmarks.record import ROOT

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
    # in a process of its own: what other tests let go of would be reused or given back here
    code = (
        "import numpy as np; from benchmarks.processes import anonymous; before = anonymous(); "
        "held = np.ones(8 * 2**20); print((anonymous() - before) / held.nbytes)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert 0.9 < float(done.stdout) < 2
