"""Records follow the schema, and the pages and figures show what they hold."""

from __future__ import annotations

import copy
import dataclasses
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from benchmarks.clock import Clock
from benchmarks.suites import SUITES, Case, Outcome
from tests.benchmarks.quick import quick

from benchmarks import datasets, figures, record, run, side_by_side, tables


def test_committed_records_follow_the_schema() -> None:
    for path in sorted(record.RESULTS.glob("**/*.json")):
        found = record.read(path)
        assert found["suite"] in SUITES, path
        named = [found["method"], found["data"], found["variant"], f"draw{found['draw']}"]
        stem = "-".join(part for part in named if part)
        assert path == record.RESULTS / found["suite"] / f"{stem}.json"
        assert path.stat().st_size < 100_000, path


def test_results_page_is_what_the_records_give() -> None:
    assert tables.PAGE.read_text(encoding="utf-8") == tables.page(record.read_all()), "run `make tables`"


def test_a_row_for_the_mean_over_alphabets() -> None:
    one = next(
        each for each in record.read_all() if each["suite"] == "omniglot" and each["method"] == "k-means"
    )
    pair = [one | {"metrics": {"target_accuracy": value}, "variant": str(value)} for value in (0.5, 0.7)]
    rows = tables.table("omniglot", [*pair, pair[0] | {"method": "spn"}])
    assert [row for row in rows if "mean of" in row] == [
        "| omniglot | mean of 2 alphabets | k-means | 1 (0) | 60.0 ± 14.1 | "
        f"{one['seconds']:.0f} ± 0 | 21.7 % / 0.353 (on pixels) |"
    ]


def test_a_result_with_the_same_settings_is_not_run_again(
    mnist: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--methods", "cross-entropy", "--sizes", "3")
    quick("labels", tmp_path, *arguments)
    (path,) = tmp_path.glob("labels/*.json")
    before = path.stat().st_mtime_ns
    quick("labels", tmp_path, *arguments)
    assert "0 run, 0 failed" in capsys.readouterr().err
    assert path.stat().st_mtime_ns == before
    quick("labels", tmp_path, *arguments, "--set", "max_steps=5")
    assert path.stat().st_mtime_ns > before
    assert record.read(path)["resolved"]["steps"] == 5


def test_a_result_of_other_settings_is_said(
    mnist: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["labels", "--quick", "--out", str(tmp_path), "--draws", "3", "--methods", "cross-entropy"]

    def states(*more: str) -> list[str]:
        capsys.readouterr()
        assert run.main([*words, "--sizes", "3", *more, "--list"]) == 0
        return [line.split()[0] for line in capsys.readouterr().out.splitlines()]

    assert states() == ["missing"]
    quick("labels", tmp_path, "--methods", "cross-entropy", "--sizes", "3", "--set", "max_steps=2")
    assert states("--set", "max_steps=2") == ["done"]
    assert states("--set", "max_steps=3") == ["changed"]
    quick("labels", tmp_path, "--methods", "cross-entropy", "--sizes", "3", "--set", "max_steps=3")
    assert "its result is of other settings and is replaced" in capsys.readouterr().err


def test_a_case_that_outlasts_the_minutes_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cases = [Case("ddc-circles", name, "rows", "", 140, {}) for name in ("short", "long", "next")]

    def fit(case: Case) -> Outcome:
        if case.method == "long":  # until the clock's signal
            monkeypatch.setattr(Clock, "left", lambda self: -1.0)
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(60)
        return Outcome({"loss": 0.0})

    suite = dataclasses.replace(SUITES["ddc-circles"], make_cases=lambda _: cases, run_case=fit)
    monkeypatch.setitem(SUITES, "ddc-circles", suite)
    assert run.main(["ddc-circles", "--out", str(tmp_path), "--minutes", "5"]) == 0
    told = capsys.readouterr().err
    assert "stopped: the minutes are over" in told
    assert "1 run, 0 failed, 2 wait" in told
    assert [one["method"] for one in record.read_all(tmp_path)] == ["short"]
    with pytest.raises(SystemExit):
        run.main(["ddc-circles", "--minutes", "0"])
    assert "minutes=0 must be a finite number > 0" in capsys.readouterr().err


def test_figures_of_records(mnist: Path, tmp_path: Path) -> None:
    for suite in ("pairs", "outputs", "noise"):
        quick(suite, tmp_path / "results", "--methods", "ccn-kcl", "--set", "max_steps=3")
    written = figures.draw(tmp_path / "results", tmp_path / "figures")
    assert len(written) == 4
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in written)
    assert figures.draw(tmp_path / "nothing", tmp_path / "figures") == []


def test_schema_names_every_fault(valid: dict[str, Any], tmp_path: Path) -> None:
    broken = copy.deepcopy(valid)
    del broken["suite"]
    broken["draw"] = "3"
    broken["machine"]["colour"] = "grey"
    broken["departures"] = [1]
    with pytest.raises(record.RecordError) as caught:
        record.validate(broken)
    message = str(caught.value)
    for fault in ("suite is missing", "record.draw: int", "colour is not in", "record.departures[0]: str"):
        assert fault in message
    path = tmp_path / "broken.json"
    path.write_text(json.dumps(broken))
    with pytest.raises(record.RecordError, match=r"broken\.json"):
        record.read(path)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"metrics": {}}, "at least one metric"),
        ({"metrics": {"loss": float("nan")}}, "loss: not finite"),
        ({"date": "yesterday"}, "ISO date"),
        ({"schema": 0}, "1 is expected"),
        ({"seconds": True}, "float is expected"),
    ],
)
def test_schema_refuses_content(valid: dict[str, Any], changes: dict[str, Any], fault: str) -> None:
    with pytest.raises(record.RecordError, match=fault):
        record.validate(valid | changes)


def test_unknown_commit_is_allowed(valid: dict[str, Any]) -> None:
    record.validate(valid | {"commit": {"revision": None, "dirty": None}})


def test_missing_data_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(datasets.VARIABLE, raising=False)
    assert run.main(["labels", "--quick", "--out", str(tmp_path)]) == 2
    assert "COTERIE_DATA is not set" in capsys.readouterr().err
    monkeypatch.setenv(datasets.VARIABLE, str(tmp_path))
    assert run.main(["labels", "--quick", "--out", str(tmp_path)]) == 2
    assert "no folder mnist" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--methods", "magic"], ["--data", "magic"]])
def test_unknown_names_are_refused(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run.main(["labels", "--quick", "--out", str(tmp_path), *arguments]) == 2
    assert "magic" in capsys.readouterr().err


def test_the_page_side_by_side_is_what_the_records_give() -> None:
    text = side_by_side.PAGE.read_text(encoding="utf-8")
    assert side_by_side.refreshed(text, record.read_all()) == text, "run `make tables`"
    assert text.count(side_by_side.START) == text.count(side_by_side.END) == 1


def test_side_by_side_shows_losses_failures_and_what_is_missing() -> None:
    def of(method: str, draw: int, variant: str = "n200", **metrics: float) -> dict[str, Any]:
        return {
            "suite": "peers",
            "data": "digits",
            "variant": variant,
            "method": method,
            "draw": draw,
            "metrics": metrics,
        }

    records = [
        of("ccn", 1, accuracy=0.5, processor_seconds=20.0),
        of("mpck-means", 1, accuracy=0.75, processor_seconds=2.0),
        of("mpck-means", 2, accuracy=0.25, processor_seconds=2.0),  # CCN lacks this draw
        of("cop-means", 1, failed=1.0),
        of("pck-means", 1, accuracy=0.6, processor_seconds=1.0, failed=0.0),
        of("pck-means", 2, failed=1.0),
    ]
    lines = side_by_side.tables(records)
    assert "- digits, 200 pairs, ccn: 25.0 **below** (1 draw)." in lines
    rows = {line.split(" | ")[0]: line for line in lines[lines.index("From 200 random pairs:") :][:9]}
    assert "| **60.0** (1 draw, 1 s, no clustering in 1 of 2 draws) |" in rows["| pck-means"]
    assert "| 50.0 (2 draws, 2 s) |" in rows["| mpck-means"]
    assert "| no clustering in 1 of 1 draws |" in rows["| cop-means"]
    assert rows["| ccn"].count(side_by_side.PENDING) == 4
    assert rows["| ccn-features"].count(side_by_side.PENDING) == 2  # of images alone
