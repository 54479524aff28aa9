"""The command line with a checkpoint after every step, for tests that kill it."""

from __future__ import annotations

import sys

from coterie.cli import main
from coterie.engine.checkpoint import Checkpointer

if __name__ == "__main__":
    Checkpointer.seconds = 0.0
    sys.exit(main())
