"""What workers are asked to do in tests; they import this file and, for it, no more."""

from __future__ import annotations

import os
import signal
from pathlib import Path


def crash(shared: object, how: str) -> int:
    """Dies, or says whose child this process is."""
    if how == "die":
        os._exit(1)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        assert signal.getsignal(number) == signal.SIG_IGN
    return os.getppid()


def crash_once(folder: str, number: int) -> int:
    """The square of a number; that of 2 is had at the second attempt."""
    mark = Path(folder, "died")
    if number == 2 and not mark.exists():
        mark.touch()
        os._exit(1)
    return number**2
