"""The record of default fits: time, memory of all processes, and agreement with the classes."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from benchmarks.suites import Options, minutes

from benchmarks import processes, run


def test_a_command_is_measured_with_its_children(tmp_path: Path) -> None:
    work = "import subprocess, sys, time; block = bytes(50 << 20); subprocess.run([sys.executable, '-c', "
    work += "'import time; block = bytearray(b\"1\") * (100 << 20); time.sleep(1.5)'])"
    found = processes.measure([sys.executable, "-c", work], tmp_path)
    assert 100 < found["peak_mib"] < 400
    assert found["wall_seconds"] > 1.5
    assert 0 < found["processor_seconds"] < 60
    with pytest.raises(RuntimeError, match="exit code 3"):
        processes.measure([sys.executable, "-c", "raise SystemExit(3)"], tmp_path)


def test_a_default_fit_of_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = np.zeros((24, 3, 16, 16), dtype=np.uint8)
    images[::2, 0] = 200
    labels = (np.arange(24) % 2).tolist()

    def write(folder: Path, draw: int) -> tuple[Path, dict[str, int]]:
        return minutes.write_pictures(folder, images, labels, [(16 + draw % 7, 20)] * 24)

    monkeypatch.setitem(minutes.DATA, "tiny", minutes.Data(write, 2))
    words = ["minutes", "--quick", "--methods", "ddc", "--data", "tiny", "--out", str(tmp_path)]
    assert run.main(words) == 0
    (path,) = tmp_path.glob("minutes/*.json")
    record = json.loads(path.read_text())
    metrics = record["metrics"]
    assert metrics["rows"] == 24
    assert metrics["kmeans_accuracy"] == 1.0
    assert metrics["points_above_kmeans"] == pytest.approx(100 * (metrics["accuracy"] - 1))
    assert 100 < metrics["peak_mib"] < 4000
    assert record["resolved"]["reading"]["size"] == [20, 18]


def test_first_looks_are_cases_of_their_own() -> None:
    cases = minutes._cases(Options(data="mnist10000", methods=("ddc",)))
    assert [(case.variant, case.settings["options"]) for case in cases] == [("quick", ["--quick"])]
