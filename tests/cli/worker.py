"""The command line with a checkpoint after every step, for tests that kill it."""

from __future__ import annotations

import os
import sys
from datetime import timedelta

from coterie.cli import main
from coterie.engine import processes
from coterie.engine.checkpoint import Checkpointer

if __name__ == "__main__":
    Checkpointer.seconds = 0.0
    processes.MEET = timedelta(seconds=float(os.environ.get("COTERIE_MEET", "60")))
    sys.exit(main())
