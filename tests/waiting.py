"""Waiting for what happens in other processes and threads, on machines that are busy with other work too."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

# below pytest's own limit, so that what did not happen is named
PATIENCE = 240.0


def wait_until(holds: Callable[[], bool], what: str) -> None:
    """Ask again and again until something holds."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, f"not within {PATIENCE:.0f} s: {what}"
        time.sleep(0.02)


def in_child(call: Callable[[], object]) -> int:
    """Exit code of a forked child that makes a call and ends: 0 if the call returns, 1 if it raises."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            call()
            code = 0
        finally:
            os._exit(code)  # the tests go on in the parent alone
    found = (0, 0)

    def ended() -> bool:
        nonlocal found
        found = os.waitpid(child, os.WNOHANG)
        return found != (0, 0)

    try:
        wait_until(ended, "the child ends")
    finally:
        if found == (0, 0):
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(found[1])


def alive(process: int) -> bool:
    """Whether a process runs: one that has ended and waits for its parent does not."""
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
