"""Fits in several threads take turns: torch's generator and its number of threads are the process's."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator

import torch

from coterie.engine.runtime import Runtime

_ONE_AT_A_TIME = threading.RLock()


def _renew_lock() -> None:
    """In a forked child: the thread that held the lock is not there to release it."""
    global _ONE_AT_A_TIME
    _ONE_AT_A_TIME = threading.RLock()


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=_renew_lock)


@contextlib.contextmanager
def own_random_numbers(runtime: Runtime) -> Iterator[None]:
    """Leave the caller's torch generators as they were, and let no other thread draw from them meanwhile."""
    devices = [runtime.device] if runtime.device.type == "cuda" else []
    with _ONE_AT_A_TIME, torch.random.fork_rng(devices=devices):
        yield
