"""The command line: results on standard output, progress and warnings on standard error."""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import NamedTuple

from coterie._errors import InputError, InputTypeError, ReadingNote
from coterie.cli import completion, demo, evaluate, fit, label, methods, predict, report
from coterie.cli.parser import DashedParser, option_names, version
from coterie.cli.stopping import stopped_by_signals


class Command(NamedTuple):
    """What a command does, the line about it, and its options."""

    run: Callable[[list[str]], None]
    help: str
    parser: Callable[[Sequence[str]], DashedParser]


def _complete(words: list[str]) -> None:
    shell = completion.parser(words).parse(words).shell
    print(
        completion.script(shell, {name: option_names(it.parser([])) for name, it in COMMANDS.items()}), end=""
    )


COMMANDS = {
    "demo": Command(demo.run, demo.HELP, demo.parser),
    "fit": Command(fit.run, fit.HELP, fit.parser),
    "predict": Command(predict.run, predict.HELP, predict.parser),
    "evaluate": Command(evaluate.run, evaluate.HELP, evaluate.parser),
    "report": Command(report.run, report.HELP, report.parser),
    "label": Command(label.run, label.HELP, label.parser),
    "methods": Command(methods.run, methods.HELP, methods.parser),
    "completion": Command(_complete, completion.HELP, completion.parser),
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
        print(version())
        return 0
    if words[0] not in COMMANDS:
        return _complain(f"unknown command {words[0]!r}; one of {', '.join(COMMANDS)} is expected")
    return _run(words[0], words[1:])


def _run(name: str, words: list[str]) -> int:
    with warnings.catch_warnings(), stopped_by_signals(), _Faults(name):
        warnings.showwarning = _show_warning  # type: ignore[assignment]  # it takes any rest
        try:
            COMMANDS[name].run(words)
        except KeyboardInterrupt as stop:
            _say(f"coterie {name}: {stop or 'stopped'}")
            return _STOPPED
        except (InputError, InputTypeError, OSError, ImportError) as error:  # a package for a file's format
            return _complain(str(error), name)
        except MemoryError as error:
            return _complain(f"not enough memory: {error or 'the data or the network are too large'}", name)
        except SystemExit as leave:
            return leave.code if isinstance(leave.code, int) else _BAD_INPUT
    return 0


class _Faults(contextlib.AbstractContextManager[None]):
    """Says of an exception that nothing here expects whose fault it is; its traceback stays."""

    def __init__(self, command: str) -> None:
        self._command = command

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(value, Exception):
            value.add_note(
                f"coterie {self._command}: this is a fault of coterie {version().split()[-1]}, not of your "
                "input; please report it with the lines above"
            )


def _complain(text: str, command: str = "") -> int:
    _say(f"coterie {command}".rstrip() + ": error: " + " ".join(text.split()))
    return _BAD_INPUT


def _say(text: str) -> None:
    with contextlib.suppress(OSError):  # the terminal has been closed
        print(text, file=sys.stderr, flush=True)


def _show_warning(message: Warning | str, *details: object) -> None:
    kind = "note" if isinstance(message, ReadingNote) else "warning"
    _say(f"coterie: {kind}: {' '.join(str(message).split())}")


def _usage() -> str:
    lines = [f"  {name:<12}{command.help}" for name, command in COMMANDS.items()]
    return "\n".join(
        [
            "usage: coterie COMMAND [OPTIONS]\n\nEnd-to-end neural clustering.\n\ncommands:",
            *lines,
            "\ncoterie COMMAND --help shows a command's options; coterie --version the version.",
        ]
    )
