"""Standard streams that are full, closed or not read: results name them, and no fit ends because of them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

COMMAND = [sys.executable, "-m", "coterie"]
FIT = ["fit", "x.npy", "--labels", "y.npy", "--out", "run", "--n-clusters", "10", "--n-restarts", "1"]
FIT += ["--max-steps", "2", "--over-clustering", "true"]
FULL = Path("/dev/full")


def run(words: list[str], buffered: bool, **streams: Any) -> tuple[int, str]:
    """Exit code and what is on the standard error, if that is a pipe."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    environment |= {} if buffered else {"PYTHONUNBUFFERED": "1"}
    done = subprocess.run(
        [*COMMAND, *words],
        env=environment | {"OMP_NUM_THREADS": "1"},
        check=False,
        text=True,
        **{"stderr": subprocess.PIPE} | streams,
    )
    return done.returncode, done.stderr or ""


@pytest.mark.parametrize("buffered", [True, False])
@pytest.mark.parametrize("words", [["--help"], ["--version"], ["methods"], ["fit", "--help"]])
def test_a_full_standard_output_is_named(words: list[str], buffered: bool) -> None:
    with FULL.open("w") as full:
        code, err = run(words, buffered, stdout=full)
    said = "error: standard output cannot be written: No space left on device"
    assert (code, said in err, err.count("\n")) == (2, True, 1)


@pytest.mark.parametrize("buffered", [True, False])
@pytest.mark.parametrize("words", [["--help"], ["methods"], ["fit", "--help"]])
def test_a_reader_that_has_gone_ends_a_command_silently(words: list[str], buffered: bool) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    assert run(words, buffered, stdout=writing) == (141, "")
    os.close(writing)


def test_a_fit_does_not_end_with_its_log(files: Path) -> None:
    with FULL.open("w") as full:
        code, _ = run(FIT, True, stdout=subprocess.DEVNULL, stderr=full)
    assert code == 0
    assert (files / "run" / "labels.csv").exists()


def test_a_fit_needs_no_streams(files: Path) -> None:
    """As a service or a program without a console starts it."""
    closing = "import os, sys\nfor stream in (0, 1, 2): os.close(stream)\n"
    closing += f"os.execv(sys.executable, {[*COMMAND, *FIT]!r})"
    done = subprocess.run([sys.executable, "-c", closing], check=False)
    assert done.returncode == 0
    assert (files / "run" / "labels.csv").exists()
