"""Signals that ask a process to stop, caught alike by training and by the command line."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

from coterie._errors import Interrupted

# what asks a process to stop: Ctrl-C, a scheduler, and a terminal that closes (Windows has none of the last)
STOP_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)


def stop_signals() -> list[int]:
    """Signals to catch: a SIGHUP that is ignored stays so, as nohup wants it."""
    always = (signal.SIGINT, signal.SIGTERM)
    return [
        number for number in STOP_SIGNALS if number in always or signal.getsignal(number) != signal.SIG_IGN
    ]


@contextlib.contextmanager
def stop_signals_caught(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Let a handler take signals that ask to stop; in the main thread alone, where Python allows it."""
    with contextlib.ExitStack() as stack:
        if threading.current_thread() is threading.main_thread():
            for number in stop_signals():
                before = signal.signal(number, handler)
                stack.callback(signal.signal, number, signal.SIG_DFL if before is None else before)
        yield


def stopped_by_signals() -> contextlib.AbstractContextManager[None]:
    """Raise `Interrupted` where Ctrl-C, SIGTERM or SIGHUP arrives inside; training has its own handlers."""
    return stop_signals_caught(_stop)


def _stop(number: int, frame: FrameType | None) -> None:
    raise Interrupted(f"stopped by {signal.Signals(number).name}")
