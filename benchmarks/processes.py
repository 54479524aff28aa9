"""What processes take: a command's with all that it starts, and the memory of this one while it works."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import resource
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

SAMPLED_EVERY = 0.5
OWN_MEMORY_SAMPLED_EVERY = 0.01


def measure(
    command: Sequence[str], folder: Path, environment: dict[str, str] | None = None
) -> dict[str, float]:
    """Run a command and its children to their end.

    Parameters
    ----------
    command : sequence of str
    folder : Path
        Where it runs.
    environment : dict, optional
        Variables beside those of this process.

    Returns
    -------
    dict
        "wall_seconds"; "processor_seconds" of all processes; "peak_mib", the largest sum of their
        proportional set sizes (a page that several share counts once); "load", the mean over the run of the
        machine's load average, of which the command itself is a part.

    Raises
    ------
    RuntimeError
        The command failed.
    """
    before, start = _processor_seconds(), time.monotonic()
    with (
        subprocess.Popen(
            command, cwd=folder, env=os.environ | (environment or {}), stdout=subprocess.PIPE, text=True
        ) as process,
        _watched(process.pid) as seen,
    ):
        text, _ = process.communicate()
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} failed with exit code {process.returncode}: {text}")
    return {
        "wall_seconds": time.monotonic() - start,
        "processor_seconds": _processor_seconds() - before,
        "peak_mib": max(one for one, _ in seen) / 2**20,
        "load": sum(load for _, load in seen) / len(seen),
    }


def _processor_seconds() -> float:
    """Of all children that have ended, and theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@contextlib.contextmanager
def _watched(pid: int) -> Iterator[list[tuple[int, float]]]:
    """Bytes of a process and its descendants, and the machine's load, again and again."""
    seen = [(tree_bytes(pid), os.getloadavg()[0])]
    with called_again(lambda: seen.append((tree_bytes(pid), os.getloadavg()[0])), SAMPLED_EVERY):
        yield seen


@contextlib.contextmanager
def called_again(call: Callable[[], object], every: float) -> Iterator[None]:
    """Call a function every so many seconds, in a thread, until the block ends."""
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(every):
            call()

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


def tree_bytes(pid: int) -> int:
    """Proportional set size of a process and its descendants; 0 for those that have ended."""
    own = 0
    children: list[int] = []
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                own = 1024 * int(line.split()[1])
        for task in Path(f"/proc/{pid}/task").iterdir():
            children += map(int, (task / "children").read_text().split())
    return own + sum(map(tree_bytes, children))


def anonymous() -> int:
    """Bytes of this process's anonymous memory (RssAnon)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return 1024 * int(line.split()[1])
    raise RuntimeError("/proc/self/status has no RssAnon: this needs Linux")


@contextlib.contextmanager
def peak_memory() -> Iterator[list[int]]:
    """The largest anonymous memory while the block runs, as the one entry of a list."""
    found = [anonymous()]

    def note() -> None:
        found[0] = max(found[0], anonymous())

    with called_again(note, OWN_MEMORY_SAMPLED_EVERY):
        yield found
        note()  # a short block ends before the first sample


@contextlib.contextmanager
def spent() -> Iterator[dict[str, float]]:
    """What the block takes, filled in at its end.

    "wall_seconds"; "processor_seconds" of this process; "peak_mib", the anonymous memory that the block adds
    at its largest.
    """
    found: dict[str, float] = {}
    _give_back_memory()
    before, wall, processor = anonymous(), time.perf_counter(), time.process_time()
    with peak_memory() as peak:
        yield found
    found["wall_seconds"] = time.perf_counter() - wall
    found["processor_seconds"] = time.process_time() - processor
    found["peak_mib"] = (peak[0] - before) / 2**20


def _give_back_memory() -> None:
    """Return to the system what has been freed, so that using it again counts."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # no glibc here
        ctypes.CDLL("libc.so.6").malloc_trim(0)
