"""Python in processes of its own that fork from one which has imported the library: no start costs an import.

That one is multiprocessing's fork server, a fresh process with one thread. What a test says of the import
itself, or of how Python ends, needs a real start.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import shutil
import signal
import sys
import tempfile
import types
import weakref
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from tests.waiting import PATIENCE, wait_until

from coterie._signals import STOP_SIGNALS

SERVER = multiprocessing.get_context("forkserver")
# what a fit, its labels and a page import
SERVER.set_forkserver_preload(
    [
        *("coterie.cli.fit", "coterie.cli.predict", "coterie.cli.open.prepare", "coterie.engine.processes"),
        *("coterie.methods.ccn", "coterie.methods.ddc", "coterie.methods.distillation"),
        *("sklearn.cluster", "sklearn.manifold", "tqdm.auto"),
        "torch._dynamo",  # DistributedDataParallel imports it: two seconds in each process
    ]
)
STREAMS = ("out", "err")


class Python:
    """``python WORDS``, as `subprocess.Popen` starts it: alone in its session, with both streams kept.

    Parameters
    ----------
    words : sequence of str
        A file, ``-c`` and code, or ``-m`` and a module; then arguments.
    folder : Path, optional
        Where it runs; the working folder unless given.
    ignored : sequence of Signals
        Signals that it ignores from the start, as under nohup.
    **variables : str
        Variables of its environment beside those of this process.

    Attributes
    ----------
    pid : int
    """

    def __init__(
        self,
        words: Sequence[str],
        folder: Path | None = None,
        ignored: Sequence[signal.Signals] = (),
        **variables: str,
    ) -> None:
        self._streams = Path(tempfile.mkdtemp(prefix="streams-"))
        weakref.finalize(self, shutil.rmtree, self._streams)
        for name in STREAMS:
            (self._streams / name).touch()
        environment = {**os.environ, "OMP_NUM_THREADS": "1", **variables}
        place = (str(folder or Path.cwd()), str(self._streams), environment, tuple(ignored))
        # one that was forked by the server, which has no thread yet, forks itself
        begun = SERVER if multiprocessing.parent_process() is None else multiprocessing.get_context("fork")
        self._process = begun.Process(target=_become, args=(list(words), *place))
        self._process.start()
        assert self._process.pid is not None
        self.pid: int = self._process.pid

    @property
    def returncode(self) -> int | None:
        """Exit code, negative for a signal; None while it runs."""
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        """Send a signal to it, unless it has ended."""
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float = PATIENCE) -> tuple[str, str]:
        """Wait for its end; what it printed on both streams."""
        self._process.join(timeout)
        assert self.returncode is not None, f"not within {timeout:.0f} s: the process ends"
        out, err = (self.printed(name) for name in STREAMS)
        return out, err

    def printed(self, name: str) -> str:
        """What it has printed so far on the stream "out" or "err"."""
        return (self._streams / name).read_text(encoding="utf-8")

    def first_line(self) -> str:
        """Wait for the first line of its standard output."""
        wait_until(lambda: "\n" in self.printed("out") or self.returncode is not None, "a line is printed")
        return self.printed("out").partition("\n")[0]


def _become(
    words: list[str], folder: str, streams: str, environment: dict[str, str], ignored: tuple[int, ...]
) -> None:
    """In the child: become what `subprocess` starts."""
    os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for number in STOP_SIGNALS:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)
    for number, name in enumerate(STREAMS, 1):
        os.dup2(os.open(Path(streams, name), os.O_WRONLY | os.O_APPEND), number)
    sys.stdout, sys.stderr = (
        open(number, "w", buffering=buffering, encoding="utf-8", closefd=False)  # noqa: SIM115
        for number, buffering in ((1, -1), (2, 1))
    )
    torch.set_num_threads(1)
    np.random.seed()  # noqa: NPY002 - each start has another state, forks have the same
    tempfile.tempdir = None  # its TMPDIR may be another one
    _run(words)


def _run(words: list[str]) -> None:
    """Do what Python's own command line does with these words."""
    first, *rest = words
    if first == "-c":
        code, *rest = rest
        sys.argv = ["-c", *rest]
        main = sys.modules["__main__"] = types.ModuleType("__main__")
        exec(compile(code, "<string>", "exec"), vars(main))
    elif first == "-m":
        sys.argv = rest
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    else:
        sys.argv = words
        runpy.run_path(first, run_name="__main__")
