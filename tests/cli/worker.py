"""The command line with a checkpoint after every step, for tests that kill it.

``COTERIE_HOLD=N``: after N checkpoints it waits for a signal, so that it never ends before one is sent.
"""

from __future__ import annotations

import os
import sys
import time
from datetime import timedelta

from coterie.cli import main
from coterie.engine import processes
from coterie.engine.checkpoint import Checkpointer


def hold_after(n: int) -> None:
    """Let the checkpointer wait for a signal once it has written so many times."""
    write, written = Checkpointer.write, []

    def write_and_hold(self: Checkpointer) -> None:
        write(self)
        written.append(1)
        while len(written) == n and self._signal is None:
            time.sleep(0.01)

    Checkpointer.write = write_and_hold  # type: ignore[method-assign]


if __name__ == "__main__":
    Checkpointer.seconds = 0.0
    processes.MEET = timedelta(seconds=float(os.environ.get("COTERIE_MEET", "60")))
    hold_after(int(os.environ.get("COTERIE_HOLD", "0")))
    sys.exit(main())
