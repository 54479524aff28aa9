"""Runs that are killed or stopped from outside go on as if they had not been."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from safetensors import safe_open
from tests.forked import Python
from tests.launched import ended
from tests.waiting import wait_until

from coterie.cli import main
from coterie.engine.checkpoint import FILE_NAME

WORKER = str(Path(__file__).with_name("worker.py"))
Digits = Any
STEPS = 24


def start(words: Sequence[str], folder: Path) -> Python:
    return Python([WORKER, *words], folder, COTERIE_HOLD=str(STEPS // 2))


def stop_amid(process: Python, run: Path, number: signal.Signals) -> tuple[str, str]:
    """Send a signal once the run has written a checkpoint; at the latest half-way, where it waits for one."""
    wait_until((run / "checkpoint" / FILE_NAME).exists, "a checkpoint")
    time.sleep(0.1)
    process.send_signal(number)
    return process.communicate()


def fit_words(run: str, steps: int) -> list[str]:
    sizes = ["--n-clusters", "10", "--n-restarts", "2", "--max-steps", str(steps), "--random-state", "3"]
    return ["fit", "x.npy", "--labels", "y.npy", "--out", run, *sizes, "--over-clustering", "true"]


def results(run: str) -> dict[str, Any]:
    """labels, history and every weight of a run."""
    with safe_open(Path(run, "model"), framework="np") as file:
        tensors = {name: file.get_tensor(name).tobytes() for name in file.keys()}  # noqa: SIM118
    return tensors | {name: Path(run, name).read_text() for name in ("labels.csv", "history.csv")}


def test_killed_and_stopped_runs_go_on_bitwise(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kinds = (signal.SIGKILL, signal.SIGINT, signal.SIGTERM)
    processes = [start(fit_words(kind.name, STEPS), files) for kind in kinds]
    printed = [
        stop_amid(*each) for each in zip(processes, [files / kind.name for kind in kinds], kinds, strict=True)
    ]
    assert [process.returncode for process in processes] == [-signal.SIGKILL, 130, 130]
    assert not any(Path(kind.name, "model").exists() for kind in kinds)
    for kind, (out, err) in zip(kinds[1:], printed[1:], strict=True):
        assert out == ""
        assert f"stopped by {kind.name} at step" in err
        again = shlex.join(["coterie", *fit_words(kind.name, STEPS), "--resume"])
        assert err.endswith(f"to resume: {again}\n")
        assert "Traceback" not in err

    assert main(fit_words("whole", STEPS)) == 0
    for kind in kinds:
        assert main([*fit_words(kind.name, STEPS), "--resume"]) == 0
        assert results(kind.name) == results("whole")
    capsys.readouterr()


# a slice is one step; after 4 checkpoints a worker is killed, after 12 the fit waits for a signal
WITH_WORKERS = """
import os, signal, sys, tempfile, time
from pathlib import Path
from coterie.cli import main
from coterie.engine import restarts, workers
from coterie.engine.checkpoint import Checkpointer
from coterie.engine.pool import Pool

start, write, executors, written = Pool._start, Checkpointer.write, [], []

def started(pool):
    executors.append(start(pool))
    return executors[-1]

def write_and_kill(checkpointer):
    write(checkpointer)
    written.append(1)
    if len(written) == 4:
        os.kill(next(iter(executors[-1]._processes)), signal.SIGKILL)
    if len(written) == 12:
        Path("held").write_text(str(len(executors)))
        while checkpointer._signal is None:
            time.sleep(0.01)

def one_step(*given):  # in a worker
    workers.SLICE_SECONDS = workers.SLICE_SHARE = 0
    return workers._advance(*given)

if __name__ == "__main__":
    assert tempfile.gettempdir() == os.environ["TMPDIR"]
    restarts.TRIAL_SECONDS = restarts.WORTH_SECONDS = Checkpointer.seconds = 0.0
    Pool._start, Checkpointer.write, workers._advance = started, write_and_kill, one_step
    sys.exit(main())
"""


def test_workers_and_signals_to_all_processes_lose_nothing(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A worker is killed; then all processes get SIGTERM, as of a scheduler that ends a job."""
    (files / "temporary").mkdir()
    (files / "fit.py").write_text(WITH_WORKERS)
    words = [*fit_words("run", STEPS), "--n-jobs", "2"]
    process = Python(["fit.py", *words], files, TMPDIR=str(files / "temporary"))
    with ended([process]):
        wait_until(lambda: (files / "held").exists() or process.returncode is not None, "some checkpoints")
        assert process.returncode is None, process.printed("err")
        os.killpg(process.pid, signal.SIGTERM)
        _, err = process.communicate()
    assert process.returncode == 130, err
    assert (files / "held").read_text() == "2"
    assert "stopped by SIGTERM at step" in err
    assert "Traceback" not in err
    assert list((files / "temporary").glob("coterie-*")) == []
    assert main([*words, "--n-jobs", "1", "--resume"]) == 0
    assert main(fit_words("whole", STEPS)) == 0
    assert results("run") == results("whole")
    capsys.readouterr()


def test_python_m_coterie(files: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "coterie", "evaluate", "y.npy", "--labels", "y.npy"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1].split()[:5] == ["150", "1.000", "1.000", "1.000", "10"]
