"""The command line: results on standard output, progress and warnings on standard error."""

from __future__ import annotations

import contextlib
import importlib
import sys
import warnings
from collections.abc import Sequence
from types import TracebackType
from typing import NamedTuple

from coterie._errors import InputError, InputTypeError, LostProcessError, ReadingNote, WriteError
from coterie._launcher import place
from coterie._signals import stopped_by_signals
from coterie._streams import safe_streams
from coterie.cli.launched import among_others
from coterie.cli.parser import DashedParser, version


class Command(NamedTuple):
    """A command's name and the line about it; its modules are imported when it is used."""

    name: str
    help: str

    def parser(self, words: Sequence[str]) -> DashedParser:
        """The options."""
        made: DashedParser = importlib.import_module(f"coterie.cli.options.{self.name}").parser(words)
        return made

    def run(self, words: Sequence[str]) -> None:
        """Do it; what does the work, and imports torch for it, comes after the check of the options."""
        options = self.parser(words).parse(words)
        importlib.import_module(f"coterie.cli.{self.name}").run(options, words)


COMMANDS = {
    name: Command(name, text)
    for name, text in (
        ("demo", "cluster scikit-learn's digits in three ways and compare; with l2c, sets of points"),
        ("fit", "cluster a data set, or learn to, and write the run's folder"),
        ("predict", "assign new samples to a run's clusters, or cluster a new set"),
        ("update", "add new samples to a run; those that fit nowhere form new clusters"),
        ("evaluate", "compare a clustering with known labels"),
        ("open", "explore and correct a run's clusters, on a local page"),
        ("export", "write a run's clusters, with all corrections, for other programs"),
        ("report", "write one HTML page about a run"),
        ("label", "ask which pairs belong together, on a local page"),
        ("methods", "list the methods"),
        ("encoders", "list the encoders of pictures, sounds and texts, with licences"),
        ("completion", "print a script that completes commands and options"),
    )
}

# in what torch says where a CPU has no memory left
_CPU = "DefaultCPUAllocator: "
_BAD_INPUT = 2
_STOPPED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is 0, 2 for bad input (one line says why) or 130 when stopped."""
    with safe_streams():
        try:
            code = _placed(list(sys.argv[1:] if argv is None else argv))
            sys.stdout.flush()
        except WriteError as error:
            return _complain(str(error))
        except SystemExit as leave:
            return int(leave.code or 0)
    return code


def _placed(words: list[str]) -> int:
    """Run one command alone, or as one of a launcher's processes."""
    try:
        here = place()
    except InputError as error:
        return _complain(str(error), words[0] if words[:1] and words[0] in COMMANDS else "")
    if here.world == 1:
        return _main(words)
    return among_others(here, words, lambda: _main(words))


def _main(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help"):
        print(_usage())
        return 0 if words else _BAD_INPUT
    if words[0] == "--version":
        print(version())
        return 0
    if words[0] not in COMMANDS:
        return _complain(f"unknown command {words[0]!r}; choose one of {', '.join(COMMANDS)}")
    return _run(words[0], words[1:])


def _run(name: str, words: list[str]) -> int:
    with warnings.catch_warnings(), stopped_by_signals(), _Faults(name):
        warnings.showwarning = _show_warning  # type: ignore[assignment]  # it takes any rest
        try:
            COMMANDS[name].run(words)
        except (KeyboardInterrupt, LostProcessError) as stop:
            _say(f"coterie {name}: {stop or 'stopped'}")
            return _STOPPED
        except (InputError, InputTypeError, OSError, ImportError) as error:  # a package for a file's format
            return _complain(str(error), name)
        except (MemoryError, RuntimeError) as error:
            if not _lacks_memory(error):
                raise
            return _complain(_out_of_memory(error), name)
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


def _lacks_memory(error: Exception) -> bool:
    """Whether Python ran out of memory, or torch, which is not imported here."""
    return isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" or _CPU in str(error)


def _out_of_memory(error: Exception) -> str:
    said = str(error).partition("\n")[0].rpartition(_CPU)[2] or "the data or the network are too large"
    return f"not enough memory: {said.rstrip('.')}; use fewer or smaller samples, or smaller batches"


def _complain(text: str, command: str = "") -> int:
    _say(f"coterie {command}".rstrip() + ": error: " + " ".join(text.split()))
    return _BAD_INPUT


def _say(text: str) -> None:
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
