"""Signals that ask a command to stop, as one exception."""

from __future__ import annotations

import signal
from contextlib import AbstractContextManager
from types import FrameType

from coterie._errors import Interrupted
from coterie._signals import stop_signals_caught


def stopped_by_signals() -> AbstractContextManager[None]:
    """Raise `Interrupted` where Ctrl-C, SIGTERM or SIGHUP arrives inside; training has its own handlers."""
    return stop_signals_caught(_stop)


def _stop(number: int, frame: FrameType | None) -> None:
    raise Interrupted(f"stopped by {signal.Signals(number).name}")
