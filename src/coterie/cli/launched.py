"""A command in each process of a launcher: the first one prints, the others when they alone fail."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Callable, Sequence

from coterie._launcher import Place

# commands in which several processes share the work; of others the first process does all
SHARED = ("fit", "predict")
_BAD_INPUT, _STOPPED = 2, 130


def among_others(here: Place, words: Sequence[str], run: Callable[[], int]) -> int:
    """Run a command in this process of several; the exit code.

    Parameters
    ----------
    here : Place
    words : sequence of str
        The command and its options.
    run : callable
        It prints what one process would.
    """
    if here.is_first:
        return _parted(run())
    if not words or words[0] not in SHARED:
        return 0
    said = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
        code = run()
    if code and not _says_the_first(said.getvalue(), code):
        lines = said.getvalue().rstrip().splitlines()[-1:]
        print(*(f"rank {here.rank}: {line}" for line in lines), file=sys.stderr, flush=True)
    return _parted(code)


def _says_the_first(text: str, code: int) -> bool:
    """Whether the first process says what this one would; before they meet, all fail alike."""
    from coterie.engine import processes  # torch, which a command that fails early does not need

    if code == _STOPPED and "stopped by" in text:
        return True
    return "cannot meet the others" not in text and processes.is_said(text)


def _parted(code: int) -> int:
    """Leave the other processes."""
    engine = sys.modules.get("coterie.engine.processes")
    if engine is not None:
        engine.leave(failed=code == _BAD_INPUT)
    if code == _STOPPED:
        # threads that wait for a process that has died would end this one with a signal
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code
