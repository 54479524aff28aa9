"""The minutes that a command may take."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator

from coterie._signals import stopped_by_signals

# Kept back at the end: a step, a checkpoint and a measurement have to fit in.
MARGIN_SECONDS = 15.0


class Clock:
    """The minutes that are left."""

    def __init__(self, minutes: float) -> None:
        self._end = time.monotonic() + 60 * minutes - MARGIN_SECONDS

    def left(self) -> float:
        """Seconds, negative once they are over."""
        return self._end - time.monotonic()

    @contextlib.contextmanager
    def stops(self) -> Iterator[None]:
        """Stop what runs inside when the minutes are over, as a signal would: with a checkpoint."""
        timer = threading.Timer(max(0.0, self.left()), os.kill, (os.getpid(), signal.SIGTERM))
        timer.daemon = True
        with stopped_by_signals():
            timer.start()
            try:
                yield
            finally:
                timer.cancel()


def minutes(text: str) -> float:
    """A number of minutes of a command line."""
    found = float(text)
    if not 0 < found < float("inf"):
        raise argparse.ArgumentTypeError(f"minutes={text} must be a finite number > 0")
    return found
