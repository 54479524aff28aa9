"""The list of what a GPU's minutes are used for."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from benchmarks.clock import Clock
from benchmarks.estimators import RecordedDDC
from benchmarks.suites import SUITES, Case, Outcome, omniglot
from torch import Tensor

from benchmarks import clock, datasets, gpu, record
from coterie._errors import Interrupted
from coterie._types import Batch, Output
from coterie.engine.objective import Objective

RINGS = gpu.Job(
    "ddc-circles", "--draws 140 --set n_restarts=1 --set max_steps=150 --set restarts=sequential", 1
)
LONG = gpu.Job("step", "--draws 1 --methods ccl-labels", 1e6, resumable=False)


@pytest.fixture(autouse=True)
def _any_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "MARGIN_SECONDS", 0.0)


@pytest.fixture
def cifar10(monkeypatch: pytest.MonkeyPatch) -> None:
    def load() -> datasets.Split:
        images = np.random.default_rng(0).integers(0, 256, (300, 3, 32, 32), dtype=np.uint8)
        labels = np.arange(300) % 10
        return datasets.Split("cifar10", images[:200], labels[:200], images[200:], labels[200:])

    monkeypatch.setitem(datasets._LOADERS, "cifar10", (load, 0.1))


@pytest.fixture
def six_characters(alphabets: None, tmp_path: Path) -> Iterator[None]:
    """The alphabet to discover with more drawings than there are outputs."""
    where = tmp_path / "data" / "omniglot"
    white = np.ones((6, 20, 105, 105), dtype=bool)
    for character in range(6):
        white[character, :, 12 * character : 12 * character + 10] = False
    np.savez(where / "images_evaluation.npz", images=white)
    rows = (where / "alphabets.csv").read_text().replace("Angelic,0,3,4", "Angelic,0,5,6")
    (where / "alphabets.csv").write_text(rows)
    caches = (datasets.omniglot, omniglot._alphabet, omniglot._spn)
    for cache in caches:
        cache.cache_clear()
    yield
    for cache in caches:
        cache.cache_clear()


@pytest.mark.filterwarnings("ignore::coterie.CollapseWarning")  # after twenty steps
@pytest.mark.parametrize("suite", ["ddc-mnist", "adc", "cifar10", "step"])
@pytest.mark.usefixtures("mnist", "cifar10")
def test_all_of_it_runs_quickly_on_a_cpu(suite: str, tmp_path: Path) -> None:
    folders = ["--out", str(tmp_path / "out"), "--checkpoints", str(tmp_path / "kept")]
    assert gpu.main(["--quick", "--only", suite, *folders]) == 0
    found = record.read_all(tmp_path / "out")
    assert {one["suite"] for one in found} == {suite}
    assert all(one["command"].startswith("python -m benchmarks.gpu --quick") for one in found)
    assert not list((tmp_path / "kept").glob("*"))


@pytest.mark.filterwarnings("ignore::coterie.SimilarityWarning")  # after twenty steps
@pytest.mark.usefixtures("six_characters")
def test_characters_run_quickly_on_a_cpu(tmp_path: Path) -> None:
    folders = ["--out", str(tmp_path / "out"), "--checkpoints", str(tmp_path / "kept")]
    assert gpu.main(["--quick", "--only", "omniglot", *folders]) == 0
    methods = {one["method"] for one in record.read_all(tmp_path / "out")}
    assert {"spn", "ccn-ccl", "ccn-kcl-100"} <= methods


def test_every_job_has_cases_and_draws_of_its_own() -> None:
    """A row that is committed has other draws, or was made with other settings under another variant."""
    for job in gpu.JOBS:
        cases = gpu.cases_of(job, quick=False)
        assert cases, job.suite
        taken = {
            (one["suite"], one["draw"]) for one in record.read_all() if one["machine"]["device"] == "cpu"
        }
        assert not {(case.suite, case.draw) for case in cases} & taken


def work(tmp_path: Path) -> gpu.Work:
    return gpu.Work(tmp_path / "out", tmp_path / "kept", "python -m benchmarks.gpu")


def test_the_clock_stops_what_runs() -> None:
    clock, start = Clock(0.2 / 60), time.monotonic()
    with pytest.raises(Interrupted), clock.stops():
        time.sleep(120)
    assert time.monotonic() - start < 100
    assert clock.left() <= 0


def test_a_stopped_case_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock's signal arrives at a step of the first call; the second one ends where one call would."""
    seen: list[int] = []
    rows = np.random.default_rng(0).normal(size=(40, 3))

    def fit(case: Case) -> Outcome:
        class Watched(RecordedDDC):
            def objective_for(self, preset: Objective) -> Objective:
                terms = preset.terms

                def counted(output: Output, batch: Batch) -> dict[str, Tensor]:
                    seen.append(1)
                    if len(seen) == stop_at:
                        os.kill(os.getpid(), signal.SIGTERM)
                    return terms(output, batch)

                monkeypatch.setattr(preset, "terms", counted)
                return preset

        settings: dict[str, Any] = {
            "n_restarts": 1,
            "max_steps": 12,
            "over_clustering": True,
            "batch_size": 8,
        }
        model = Watched(2, restarts="sequential", random_state=0, **settings).fit(rows)
        return Outcome({"loss": model.loss_}, model.runs_, model.resolved_)

    case = Case("ddc-circles", "ddc", "rows", "", 140, {})
    suite = dataclasses.replace(SUITES["ddc-circles"], make_cases=lambda _: [case], run_case=fit)
    monkeypatch.setitem(SUITES, "ddc-circles", suite)
    job = gpu.Job("ddc-circles", "", 1)

    def call(folder: Path) -> gpu.Work:
        one = work(folder)
        clock = Clock(5)
        if stop_at:
            monkeypatch.setattr(clock, "left", lambda: -1.0 if len(seen) >= stop_at else 60.0)
        assert gpu._work_through([job], clock, one) == 0
        return one

    stop_at = 0
    assert call(tmp_path / "whole").done == 1
    whole = len(seen)
    seen.clear()
    stop_at = 5
    first = call(tmp_path)
    assert (first.done, first.waiting) == (0, [case.name])
    stop_at = 0
    assert call(tmp_path).done == 1
    assert len(seen) == whole
    results = [
        record.read(folder / "out/ddc-circles/ddc-rows-draw140.json")
        for folder in (tmp_path / "whole", tmp_path)
    ]
    assert results[0]["metrics"] == results[1]["metrics"]
    assert not list((tmp_path / "kept").glob("*"))


def test_a_case_too_long_for_what_is_left_waits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = work(tmp_path)
    done.run_job(LONG, Clock(1))
    assert done.waiting == ["ccl-labels-noise28-draw1"]
    assert "about 1000000 s, but" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_missing_data_are_named_and_the_rest_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(datasets.VARIABLE, str(tmp_path))
    folders = ["--out", str(tmp_path / "out"), "--checkpoints", str(tmp_path / "kept")]
    assert gpu.main(["--quick", "--only", "ddc-mnist,l2c-metrics", *folders]) == 2
    assert "ddc-mnist: data are missing: COTERIE_DATA=" in capsys.readouterr().err
    found = record.read_all(tmp_path / "out")
    assert {one["suite"] for one in found} == {"l2c-metrics"}
    assert all(one["command"].startswith("python -m benchmarks.gpu --quick") for one in found)


def test_a_result_of_other_settings_is_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for steps, said in ((2, False), (2, False), (3, True)):
        job = gpu.Job("ddc-circles", f"--draws 140 --set n_restarts=1 --set max_steps={steps}", 1)
        one = work(tmp_path)
        one.run_job(job, Clock(5))
        assert ("its result is of other settings" in capsys.readouterr().err) == said


@pytest.mark.parametrize(
    ("words", "message"),
    [(["--only", "pairs"], "--only must name suites of the list, got pairs"), ([], "there is no GPU here")],
)
def test_bad_calls(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert gpu.main(words) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("minutes", ["0", "-1", "nan", "inf", "soon"])
def test_minutes_are_a_number_above_zero(minutes: str) -> None:
    with pytest.raises(SystemExit) as caught:
        gpu.main(["--minutes", minutes])
    assert caught.value.code == 2


@pytest.mark.parametrize(("code", "expected"), [(0, 0), (1, 2)])
def test_tests_that_need_a_gpu_run_first(
    code: int, expected: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran: list[list[str]] = []

    def run(command: list[str], **settings: Any) -> subprocess.CompletedProcess[bytes]:
        ran.append(command)
        return subprocess.CompletedProcess(command, code)

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(subprocess, "run", run)
    work = gpu.Work(Path("out"), Path("checkpoints"), "")
    assert gpu._work_through([], Clock(1.0), work) == expected
    assert [command[1:] for command in ran] == [["-m", "pytest", "-W", "default", "-m", "gpu", "tests/gpu"]]
    assert ("the tests that need a GPU fail" in capsys.readouterr().err) == bool(code)
