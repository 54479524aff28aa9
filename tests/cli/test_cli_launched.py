"""`coterie fit` in the processes of a launcher: one prints and writes, and all end together."""

from __future__ import annotations

import csv
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.forked import Python
from tests.launched import ended, free_port, launch
from tests.waiting import wait_until

from coterie.cli import main
from coterie.engine.checkpoint import FILE_NAME

WORKER = str(Path(__file__).with_name("worker.py"))
FIT = ["fit", "x.npy", "--labels", "y.npy", "--n-clusters", "10", "--random-state", "3", "--augment", "none"]
FIT += ["--over-clustering", "true", "--n-restarts", "2"]


def start(words: Sequence[str], world: int, folders: Sequence[Path], **variables: str) -> list[Python]:
    port = free_port()
    return [
        launch([WORKER, *words], (rank, world), port, folders[rank % len(folders)], **variables)
        for rank in range(world)
    ]


def finished(processes: Sequence[Python]) -> list[tuple[int | None, str, str]]:
    """Exit codes, standard output and standard error."""
    with ended(processes):
        printed = [process.communicate() for process in processes]
    return [(one.returncode, *each) for one, each in zip(processes, printed, strict=True)]


def labels_of(run: str) -> list[list[str]]:
    with open(Path(run, "labels.csv"), newline="", encoding="utf-8") as file:
        return [[row["id"], row["label"]] for row in csv.DictReader(file)]


def test_two_processes_print_and_write_once_what_one_does(files: Path) -> None:
    words = [*FIT, "--max-steps", "30", "--out"]
    first, second = finished(start([*words, "two"], 2, [files]))
    assert (first[0], second) == (0, (0, "", ""))
    assert first[1].endswith("wrote two/\n")
    assert first[1].count("cluster  samples") == 1
    assert "Traceback" not in first[2]
    assert main([*words, "one"]) == 0
    assert labels_of("two") == labels_of("one")
    assert {path.name for path in Path("two").iterdir()} == {path.name for path in Path("one").iterdir()}


def test_a_process_that_dies_ends_all_and_the_checkpoint_stands(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*FIT, "--max-steps", "4000", "--out", "run"]
    processes = start(words, 2, [files])
    checkpoint = files / "run" / "checkpoint" / FILE_NAME
    wait_until(checkpoint.exists, "a checkpoint")
    processes[1].send_signal(signal.SIGKILL)
    first, second = finished(processes)
    assert (first[0], second[0]) == (130, -signal.SIGKILL)
    assert "another process has ended without a reason: it was killed" in first[2]
    assert first[2].rstrip().endswith("--resume")
    assert "Traceback" not in first[2]
    assert checkpoint.exists()
    assert not (files / "run" / "model").exists()


def test_a_process_that_fails_in_a_step_ends_all_with_its_reason(files: Path) -> None:
    failing = """
import os, sys
from coterie import InputError
from coterie.cli import main
from coterie.engine import loop
from coterie.engine.checkpoint import Checkpointer
Checkpointer.seconds, step = 0.0, loop._fitting_step
def fail(task, run, modules):
    if os.environ["RANK"] == "1" and run.step == 5:
        raise InputError("batch_size=100 does not fit")
    step(task, run, modules)
loop._fitting_step = fail
sys.exit(main(sys.argv[1:]))
"""
    words, port = ["-c", failing, *FIT, "--max-steps", "400", "--out", "run"], free_port()
    first, second = finished([launch(words, (rank, 2), port, files) for rank in range(2)])
    assert (first[0], second[0]) == (130, 2)
    assert "rank 1 has ended: batch_size=100 does not fit" in first[2]
    assert "Traceback" not in first[2] + second[2]
    assert (files / "run" / "checkpoint" / FILE_NAME).exists()
    assert not (files / "run" / "model").exists()


def test_a_machine_without_the_data_is_named(files: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Two machines: each process is the first one of its own."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    words = [*FIT, "--max-steps", "3", "--out", "run"]
    first, second = finished(start(words, 2, [files, elsewhere], LOCAL_RANK="0"))
    assert (first[0], second[0]) == (2, 2)
    assert "error: rank 1 on" in first[2]
    assert "x.npy cannot be read" in first[2]
    assert second[1:] == ("", "")
    assert not list(elsewhere.iterdir())


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"WORLD_SIZE": "2"}, "RANK, MASTER_ADDR, MASTER_PORT is not set: start the processes with torchrun"),
        ({"WORLD_SIZE": "2", "RANK": "1"}, "MASTER_ADDR, MASTER_PORT is not set"),
        ({"WORLD_SIZE": "two"}, "WORLD_SIZE=two must be a number"),
        ({"WORLD_SIZE": "0"}, "WORLD_SIZE=0 must be a number"),
        (
            {"WORLD_SIZE": "2", "RANK": "2", "MASTER_ADDR": "a", "MASTER_PORT": "1"},
            "RANK=2 must be < WORLD_SIZE=2",
        ),
    ],
)
def test_a_launcher_without_a_rendezvous(
    variables: dict[str, str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert main([*FIT, "--out", "run"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("coterie fit: error: ")
    assert message in printed.err


def test_processes_that_cannot_meet_say_so(files: Path) -> None:
    (alone,) = finished(
        [launch([WORKER, *FIT, "--out", "run"], (1, 2), free_port(), files, COTERIE_MEET="2")]
    )
    assert alone[0] == 2
    assert "rank 1 of 2 on" in alone[2]
    assert "cannot meet the others at MASTER_ADDR:MASTER_PORT" in alone[2]


def test_the_first_process_waits_for_those_who_ask_why_it_failed(files: Path) -> None:
    """However late the others ask: they say nothing of what it says."""
    late = "import sys, time; from coterie.engine import processes; said = processes.is_said\n"
    late += "processes.is_said = lambda text: (time.sleep(2), said(text))[1]\n"
    late += "from coterie.cli import main; sys.exit(main(sys.argv[1:]))"
    words, port = ["fit", "missing.npy", "--method", "ddc", "--out", "run"], free_port()
    first, second = finished([launch(["-c", late, *words], (rank, 2), port, files) for rank in range(2)])
    assert (first[0], second) == (2, (2, "", ""))
    assert "missing.npy cannot be read" in first[2]


@pytest.mark.parametrize("words", [["methods"], ["--help"], ["fit", "--help"], ["fit", "x.npy"]])
def test_other_processes_print_nothing(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("RANK", "1")
    assert main(words) in (0, 2)
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "")
