"""Suites of prediction at scale and of joint runs, on few rows."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from benchmarks.suites import ranks
from benchmarks.suites.base import Options
from tests.benchmarks.quick import quick


def test_a_mapped_prediction_is_held_against_a_bare_pass(tmp_path: Path) -> None:
    (record,) = quick("shards", tmp_path, "--methods", "mapped")
    metrics = record["metrics"]
    assert metrics["share_of_bare"] == pytest.approx(metrics["bare_4000"] / metrics["predict_4000"])
    assert metrics["growth"] == pytest.approx(metrics["predict_4000"] / metrics["predict_2000"] - 1)
    assert 50 < metrics["anonymous_mib"] < 4096


def test_one_of_the_processes_prints_what_a_step_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "1")
    monkeypatch.setattr("os.sched_setaffinity", lambda pid, cores: None)
    (case,) = ranks._cases(Options(methods=("ccn-vectors",), quick=True))
    ranks._write_rows(tmp_path, case.settings["rows"], case.settings["shape"], 0)
    ranks.main(tmp_path, case.method, dict(case.settings), 0)
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert sum(found["labels"]) == 300
    assert found["step"] > 0
    assert found["processor"] > 0
    assert np.load(tmp_path / "x.npy").shape == (300, 64)
