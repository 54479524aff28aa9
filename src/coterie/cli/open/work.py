"""Work that needs torch, in a process of its own: the server stays small and quick."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import warnings
from pathlib import Path

from coterie._errors import InputError


def start(*words: str) -> subprocess.Popen[str]:
    """Begin one of the works below; its last line of standard error says why it failed."""
    command = [sys.executable, "-m", "coterie.cli.open.work", *words]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str]) -> None:
    """Wait for a work.

    Raises
    ------
    InputError
        It failed.
    """
    with contextlib.ExitStack() as stack:
        stack.callback(process.kill)
        _, said = process.communicate()
    if process.returncode:
        raise InputError((said.strip().splitlines() or ["stopped"])[-1])


def main(words: list[str]) -> int:
    """``prepare RUN [DATA]``, ``map RUN`` or ``refit RUN FOLDER``."""
    what, run, *rest = words
    warnings.simplefilter("ignore")
    try:
        _do(what, Path(run), rest)
    except (InputError, OSError, ImportError) as error:
        print(" ".join(str(error).split()), file=sys.stderr)
        return 2
    return 0


def _do(what: str, run: Path, rest: list[str]) -> None:
    if what == "prepare":
        from coterie.cli.open.prepare import prepare

        prepare(run, rest[0] if rest else None)
    elif what == "map":
        from coterie.cli.open.places import draw_map

        draw_map(run)
    else:
        from coterie.cli.open.refit import refit

        refit(run, Path(rest[0]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
