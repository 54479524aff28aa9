"""Standard streams that are closed, full, or read by a program that has ended."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import IO, Any

from coterie._errors import WriteError

# exit code of a program that the system ends because nobody reads what it prints, as after `| head -1`
READER_GONE = 141


class _Stream:
    """A text stream; what is not about writing is as in the stream below it, which may be missing."""

    failed = False

    def __init__(self, below: IO[str] | None) -> None:
        self._below = below

    def __getattr__(self, name: str) -> Any:
        return getattr(self._below, name)

    def isatty(self) -> bool:
        """Whether somebody sees it."""
        return self._below is not None and self._below.isatty()

    def give_up(self) -> None:
        """Let Python, which flushes at its end, flush into nothing."""
        with contextlib.suppress(OSError, ValueError):  # a stream without a file below it
            descriptor = self.fileno()
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, descriptor)
            os.close(nothing)


class Notes(_Stream):
    """Where progress and warnings go: work does not end because its terminal or its log's disk is gone."""

    def write(self, text: str) -> int:
        """Write what can be written."""
        if self._below is not None:
            with self._quiet():
                self._below.write(text)
        return len(text)

    def flush(self) -> None:
        """Let the system have it, where it takes it."""
        if self._below is not None:
            with self._quiet():
                self._below.flush()

    @contextlib.contextmanager
    def _quiet(self) -> Iterator[None]:
        try:
            yield
        except OSError:
            self.failed = True


class _Results(_Stream):
    """Where results go; an error of writing says which stream it is about."""

    def write(self, text: str) -> int:
        if self._below is not None:
            with self._named():
                self._below.write(text)
        return len(text)

    def flush(self) -> None:
        if self._below is not None:
            with self._named():
                self._below.flush()

    @contextlib.contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError as error:
            self.failed = True
            raise SystemExit(READER_GONE) from error
        except OSError as error:
            self.failed = True
            raise WriteError(f"standard output cannot be written: {error.strerror}") from error


@contextlib.contextmanager
def safe_streams() -> Iterator[None]:
    """Let standard error fail silently, and standard output with an error that names it.

    Raises
    ------
    WriteError
        Inside: what is printed cannot be written.
    SystemExit
        Inside: nobody reads it any more.
    """
    results, notes = _Results(sys.stdout), Notes(sys.stderr)
    streams: Any = results, notes
    with contextlib.redirect_stdout(streams[0]), contextlib.redirect_stderr(streams[1]):
        try:
            yield
        finally:
            for stream in (results, notes):
                if stream.failed:
                    stream.give_up()
