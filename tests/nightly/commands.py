"""Commands in forked children: this process has imported the library, so that no start costs an import."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ParamSpec, TypeVar

import numpy as np

from coterie import CCN, DDC, CollapseWarning
from coterie._signals import STOP_SIGNALS
from coterie.cli import fit, main
from coterie.engine import restarts
from coterie.engine.checkpoint import Checkpointer

KILL = signal.SIGKILL
Taken = ParamSpec("Taken")
Given = TypeVar("Given")
SIGNALS = (KILL, *STOP_SIGNALS)
STOPPED = 130
# of an end that is none of ours
SIGNS = ("Traceback", "fault of coterie", "Exception ignored", "resource_tracker:")
# seconds after which what was asked to end hangs: of a machine that is busy with other work
PATIENCE = 120.0


def warm_up() -> None:
    """Fit once in this process: what the first fit imports is then there for all children."""
    X = np.random.default_rng(0).normal(size=(40, 6))
    for method in (CCN, DDC):
        quick = method(n_clusters=2, n_restarts=4, restarts="successive-halving", max_steps=4)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CollapseWarning)
            quick.fit(X, np.arange(40) % 2)


class Command:
    """``coterie WORDS`` in a session of its own: its output in files, its temporary files in a folder.

    Parameters
    ----------
    words : sequence of str
    folder : Path
        Where it runs.
    begin_at_writing : bool
        `wait_until_begun` waits until training is over and the run's files are about to be written.
    """

    def __init__(self, words: Sequence[str], folder: Path, begin_at_writing: bool = False) -> None:
        self.folder = folder
        self.temporary = folder / "temporary"
        self.temporary.mkdir(exist_ok=True)
        for name in ("out", "err"):
            (folder / name).write_text("")
        self._begun, begin = os.pipe()
        context = multiprocessing.get_context("fork")
        self._process = context.Process(target=self._run, args=(list(words), begin, begin_at_writing))
        self._process.start()
        os.close(begin)
        assert self._process.pid is not None
        self.pid: int = self._process.pid

    def _run(self, words: list[str], begin: int, begin_at_writing: bool) -> None:
        """In the child: become what a shell starts."""
        os.setsid()
        os.chdir(self.folder)
        for number in SIGNALS[1:]:
            signal.signal(number, signal.SIG_DFL)
        for stream, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(self.folder / name, os.O_WRONLY), stream)
        sys.stdout, sys.stderr = (open(stream, "w", closefd=False) for stream in (1, 2))  # noqa: SIM115
        tempfile.tempdir = os.environ["TMPDIR"] = str(self.temporary)
        Checkpointer.seconds = restarts.TRIAL_SECONDS = restarts.WORTH_SECONDS = 0.0
        if begin_at_writing:
            fit._write_run = _after_a_word(begin, fit._write_run)
        else:
            os.write(begin, b".")
        sys.exit(main(words))

    def wait_until_begun(self) -> None:
        """Wait until the command is about to begin, or the part of it that was asked for."""
        os.read(self._begun, 1)  # empty where the command has ended before

    def is_alive(self) -> bool:
        """Whether it has not ended."""
        return self._process.is_alive()

    def pause(self, seconds: float) -> None:
        """Wait for some time, or until it has ended."""
        self._process.join(seconds)

    def send(self, number: int) -> None:
        """Send a signal to the command alone, as a scheduler does."""
        if self._process.is_alive():
            os.kill(self.pid, number)

    def wait(self, seconds: float = PATIENCE) -> int | None:
        """Exit code, negative for a signal; None where the command hangs: it is killed then."""
        self._process.join(seconds)
        code = self._process.exitcode
        if code is None:
            os.killpg(self.pid, KILL)
            self._process.join()
        os.close(self._begun)
        return code

    def said(self) -> str:
        """What it printed, on both streams."""
        return "".join((self.folder / name).read_text() for name in ("out", "err"))

    def left(self, seconds: float = 20.0) -> list[str]:
        """Processes of the command's session and temporary files that outlive it, after some time."""
        end = time.monotonic() + seconds
        while found := [*self._processes(), *(str(path) for path in self.temporary.glob("coterie-*"))]:
            if time.monotonic() > end:
                return found
            time.sleep(0.05)
        return []

    def _processes(self) -> list[str]:
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                state, _, _, session = stat.read_text().rpartition(")")[2].split()[:4]
            except OSError:  # it has just ended
                continue
            if int(session) == self.pid and state != "Z":
                found.append(f"process {stat.parent.name}")
        return found


def _after_a_word(pipe: int, call: Callable[Taken, Given]) -> Callable[Taken, Given]:
    """A call that first writes to a pipe."""

    def told(*arguments: Taken.args, **named: Taken.kwargs) -> Given:
        os.write(pipe, b".")
        return call(*arguments, **named)

    return told


def faults_of(command: Command, number: int, code: int | None) -> list[str]:
    """What is wrong with a command's end after a signal: another exit code, a traceback, something left."""
    name, said, faults = signal.Signals(number).name, command.said(), []
    # a signal before the command's handlers or after them ends it in the system's own way
    if code not in (0, -number, *([STOPPED] if number != KILL else [])):
        faults.append(f"{name}: exit code {code}, {said[-600:]}")
    faults += [f"{name}: {said[-600:]}" for sign in SIGNS if sign in said]
    if left := command.left():
        faults.append(f"{name}: left behind {', '.join(left)}")
        shutil.rmtree(command.temporary)
    return faults
