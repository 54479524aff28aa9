"""Signals that ask a command to stop, as one exception."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from coterie._errors import Interrupted
from coterie.engine.checkpoint import stop_signals


@contextlib.contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Raise `Interrupted` where Ctrl-C, SIGTERM or SIGHUP arrives inside; training has its own handlers."""
    with contextlib.ExitStack() as stack:
        if threading.current_thread() is threading.main_thread():
            for number in stop_signals():
                before = signal.signal(number, _stop)
                stack.callback(signal.signal, number, signal.SIG_DFL if before is None else before)
        yield


def _stop(number: int, frame: FrameType | None) -> None:
    raise Interrupted(f"stopped by {signal.Signals(number).name}")
