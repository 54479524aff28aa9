"""The command line: results on standard output, progress and warnings on standard error."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Sequence

from coterie._errors import InputTypeError
from coterie.cli import commands, similarity

COMMANDS: dict[str, tuple[Callable[[list[str]], None], str]] = {
    "demo": (commands.demo, "cluster scikit-learn's digits in three ways and compare"),
    "fit": (commands.fit, "cluster a data set and write the run's folder"),
    "similarity": (
        similarity.similarity,
        "similarity fit: learn from known classes what is alike",
    ),
    "predict": (commands.predict, "assign new items to a run's clusters"),
    "evaluate": (commands.evaluate, "compare a clustering with known labels"),
    "methods": (commands.methods, "list the methods"),
}

_BAD_INPUT = 2
_STOPPED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is 0, 2 for bad input (one line says why) or 130 when stopped."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ("-h", "--help"):
        print(_usage())
        return 0 if words else _BAD_INPUT
    if words[0] == "--version":
        print(commands.version())
        return 0
    if words[0] not in COMMANDS:
        return _complain(f"unknown command {words[0]!r}; one of {', '.join(COMMANDS)} is expected")
    return _run(words[0], words[1:])


def _run(name: str, words: list[str]) -> int:
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning  # type: ignore[assignment]  # it takes any rest
        try:
            COMMANDS[name][0](words)
        except KeyboardInterrupt as stop:
            print(f"coterie {name}: {stop or 'stopped'}", file=sys.stderr)
            return _STOPPED
        except (ValueError, InputTypeError, OSError, ImportError) as error:  # a package for a file's format
            return _complain(str(error), name)
        except SystemExit as leave:
            return leave.code if isinstance(leave.code, int) else _BAD_INPUT
    return 0


def _complain(text: str, command: str = "") -> int:
    print(f"coterie {command}".rstrip() + ": error: " + " ".join(text.split()), file=sys.stderr)
    return _BAD_INPUT


def _show_warning(message: Warning | str, *details: object) -> None:
    print(f"coterie: warning: {' '.join(str(message).split())}", file=sys.stderr)


def _usage() -> str:
    lines = [f"  {name:<12}{text}" for name, (_, text) in COMMANDS.items()]
    return "\n".join(
        [
            "usage: coterie COMMAND [OPTIONS]\n\nEnd-to-end neural clustering.\n\ncommands:",
            *lines,
            "\ncoterie COMMAND --help shows a command's options; coterie --version the version.",
        ]
    )
