"""The journal of what was said: a file that only grows, one line for each action, who and when."""

from __future__ import annotations

import getpass
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from coterie._errors import DamagedFileError, WriteError

UNDO, REDO = "undo", "redo"
_FIELDS = {"n": int, "at": str, "who": str, "do": str}


@dataclass(frozen=True)
class Entry:
    """One line.

    Attributes
    ----------
    number : int
        From 1, in the order of the file.
    at : str
        When, in UTC, as ISO 8601.
    who : str
    do : str
        What kind of action.
    what : mapping
        What it is about, as JSON.
    """

    number: int
    at: str
    who: str
    do: str
    what: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        """The line as an object."""
        return {"n": self.number, "at": self.at, "who": self.who, "do": self.do, **self.what}


class Journal:
    """Entries of a file, which is read once and then only appended to.

    An entry is on the disk, whole, when `append` returns. A line that a power cut left unfinished was
    acknowledged to nobody: it is left out, and the next entry takes its place. Reading changes nothing.

    Parameters
    ----------
    path : Path
        It may not exist yet.
    who : str, optional
        Who speaks; by default the user of the operating system.

    Raises
    ------
    DamagedFileError
        A line within the file is no entry.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     journal = Journal(Path(folder, "journal.jsonl"), "ann")
    ...     _ = journal.append("name", {"cluster": 0, "name": "cats"})
    ...     _ = journal.append("undo", {"entry": 1})
    ...     len(journal.entries), journal.active(), journal.undone()
    (2, [], [1])
    """

    def __init__(self, path: Path, who: str | None = None) -> None:
        self.path = path
        self.who = user() if who is None else who
        self._replay = _read(path)

    @property
    def entries(self) -> list[Entry]:
        """All that were ever written, undone ones too."""
        return self._replay.entries

    def append(self, do: str, what: Mapping[str, Any]) -> Entry:
        """Write one entry.

        Raises
        ------
        WriteError
            The disk is full, or the folder is not writable; the file is as it was.
        """
        now = datetime.now(UTC).isoformat(timespec="seconds")
        entry = Entry(len(self.entries) + 1, now, self.who, do, what)
        line = json.dumps(entry.as_json(), ensure_ascii=False) + "\n"
        self._replay.size = _append(self.path, self._replay.size, line.encode("utf-8", "surrogatepass"))
        self._replay.take(entry)
        return entry

    def active(self) -> list[Entry]:
        """Entries that hold, in order: those that were undone are left out."""
        held = self._replay.held
        return [held[number] for number in sorted(held)]

    def undone(self) -> list[int]:
        """Numbers of the entries that redo brings back, the next one last."""
        return list(self._replay.undone)


def user() -> str:
    """The name of this user on this machine."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # no such user in the system's list
        return "unknown"


class _Replay:
    """Which entries hold, and which were undone and may come back, as entries are read or written."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.held: dict[int, Entry] = {}
        self.undone: list[int] = []
        # bytes of whole lines
        self.size = 0

    def take(self, entry: Entry) -> None:
        """Take the next entry; a KeyError where it undoes or brings back what it cannot."""
        if entry.do == UNDO:
            del self.held[entry.what["entry"]]
            self.undone.append(entry.what["entry"])
        elif entry.do == REDO:
            if self.undone[-1:] != [entry.what["entry"]]:
                raise KeyError(entry.what["entry"])
            number = self.undone.pop()
            self.held[number] = self.entries[number - 1]
        else:
            self.held[entry.number] = entry
            self.undone.clear()
        self.entries.append(entry)


def _read(path: Path) -> _Replay:
    replay = _Replay()
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return replay
    whole = content[: content.rfind(b"\n") + 1]
    replay.size = len(whole)
    for number, line in enumerate(whole.splitlines(), start=1):
        try:
            replay.take(_parse(number, line))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise DamagedFileError(f"{path} is damaged: line {number} is not a journal entry") from error
    return replay


def _parse(number: int, line: bytes) -> Entry:
    found = json.loads(line)
    head = {name: found.pop(name) for name in _FIELDS}
    if head["n"] != number or any(type(head[name]) is not kind for name, kind in _FIELDS.items()):
        raise ValueError(number)
    return Entry(number, head["at"], head["who"], head["do"], found)


def _append(path: Path, size: int, line: bytes) -> int:
    """Write a line behind the whole ones, and see that it is on the disk, or nothing; the new size."""
    try:
        with open(path, "r+b" if path.exists() else "xb") as file:
            file.truncate(size)
            file.seek(size)
            try:
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                file.truncate(size)
                raise
    except OSError as error:
        raise WriteError(f"cannot write {path}: {error.strerror or error}; nothing was changed") from error
    return size + len(line)
