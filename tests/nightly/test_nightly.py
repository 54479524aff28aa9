"""A slice of the nightly test and of the soak; and each of them sees what it is there to see.

Kills take a process that has started no thread: `.ci/run` runs a slice of them by the command itself.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.nightly import calls, soak
from tests.nightly.__main__ import LABEL
from tests.nightly.calls import Calling, Surface
from tests.nightly.commands import STOPPED, faults_of
from tests.nightly.kills import SCENES
from tests.nightly.models import Mutation
from tests.nightly.records import RESULTS

from benchmarks import record
from coterie import InputError


def test_a_few_changed_models(tmp_path: Path) -> None:
    mutation = Mutation(tmp_path, 7)
    for _ in range(60):
        mutation.try_one()
    assert mutation.faults == []
    assert mutation.counts["refused"] > 0
    assert mutation.counts["loaded, predicts"] > 0


def test_a_few_calls(tmp_path: Path) -> None:
    calling = Calling(tmp_path, 7)
    for _ in range(300):
        calling.try_one()
    assert calling.faults == []
    assert calling.counts["refused"] > 0
    assert calling.counts["gave a result"] > 0


def raw(x: int) -> int:
    return [1][x]


def own(x: int) -> int:
    raise InputError("x must be another")


def endless(x: int) -> None:
    signal.raise_signal(signal.SIGALRM)


@pytest.mark.parametrize(
    ("call", "outcome"),
    [(raw, "faults"), (own, "refused"), (endless, "faults"), (lambda x: x, "gave a result")],
)
def test_an_error_of_python_and_an_endless_call_are_faults(
    call: Callable[[int], Any], outcome: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_losses", "_metrics"):
        monkeypatch.setattr(calls, name, lambda: [])
    monkeypatch.setattr(calls, "_pairs", lambda folder: [])
    monkeypatch.setattr(calls, "_models", lambda folder: [Surface("x", call, {"x": 0})])
    monkeypatch.setattr(calls, "odd_argument", lambda chance: 3)
    calling = Calling(tmp_path, 0)
    calling.try_one()
    assert dict(calling.counts) == {outcome: 1}


class Ended:
    """A command as `faults_of` sees it."""

    def __init__(self, said: str, left: list[str], folder: Path) -> None:
        self.said, self.left, self.temporary = lambda: said, lambda: left, folder / "temporary"
        self.temporary.mkdir()


@pytest.mark.parametrize(
    ("number", "code", "said", "left", "n"),
    [
        (signal.SIGTERM, STOPPED, "coterie fit: stopped by SIGTERM", [], 0),
        (signal.SIGTERM, -signal.SIGTERM, "", [], 0),
        (signal.SIGKILL, -signal.SIGKILL, "", [], 0),
        (signal.SIGKILL, STOPPED, "", [], 1),
        (signal.SIGINT, 1, "", [], 1),
        (signal.SIGINT, None, "", [], 1),
        (signal.SIGINT, STOPPED, "Traceback (most recent call last)", [], 1),
        (signal.SIGHUP, STOPPED, "", ["process 7"], 1),
    ],
)
def test_an_end_that_is_not_ours_is_a_fault(
    number: int, code: int | None, said: str, left: list[str], n: int, tmp_path: Path
) -> None:
    command: Any = Ended(said, left, tmp_path)
    assert len(faults_of(command, number, code)) == n


@pytest.mark.parametrize(
    ("name", "more", "fault"),
    [
        ("resident", 10**5, "memory grew by"),
        ("threads", 1, "threads: 3 became 22"),
        ("open_files", 1, "open_files: 3 became 22"),
        ("processes", 1, "processes: 3 became 22"),
        ("files", 1, "files: 3 became 22"),
    ],
)
def test_what_grows_is_a_fault(name: str, more: int, fault: str) -> None:
    first = {"resident": 10**7, "threads": 3, "open_files": 3, "processes": 3, "files": 3}
    assert soak.judge([first] * 20) == []
    found = soak.judge([first | {name: first[name] + number * more} for number in range(20)])
    assert len(found) == 1
    assert fault in found[0]


def test_the_recorded_soak_was_long_and_flat() -> None:
    paths = sorted(RESULTS.glob("soak-*.json"))
    assert paths
    for path in paths:
        found = record.read(path)
        assert found["commit"]["dirty"] is False
        assert found["seconds"] >= 7_200
        assert found["metrics"]["growth"] <= soak.MOST_GROWTH
        for name in ("threads", "open_files", "processes", "files"):
            assert found["metrics"][f"{name}_last"] <= found["metrics"][f"{name}_first"]


def test_the_recorded_nightly_run_was_whole() -> None:
    """Its fault: a stop in the middle of starting workers printed a warning of loky's; nothing was lost."""
    found = record.read(RESULTS / "nightly-seed27.json")
    counts = {part["part"]: part["counts"] for part in found["runs"]}
    assert found["commit"]["dirty"] is False
    assert all(counts[place]["kills"] == 50 for place in (*SCENES, LABEL))
    assert sum(counts["models"].values()) == 1_000
    assert sum(counts["calls"].values()) == 10_000
    assert all("semlock" in fault for part in found["runs"] for fault in part["faults"])


def test_the_recorded_sessions_contradict_nothing() -> None:
    found = record.read(RESULTS / "nightly-corrections-1000.json")
    (part,) = found["runs"]
    assert found["commit"]["dirty"] is False
    assert part["counts"]["sessions"] == 1_000
    assert part["faults"] == []
