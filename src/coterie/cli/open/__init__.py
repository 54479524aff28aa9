"""`coterie open`: a page on this machine to explore and correct the clusters of a run."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from coterie._errors import InputError, Interrupted
from coterie.cli.open import work
from coterie.cli.open.library import FOLDER, META, Library
from coterie.cli.open.server import OpenServer
from coterie.cli.open.session import Session
from coterie.data.files import held

MODEL = "model"
_LOCK = ".open.lock"


def run(options: Any, words: Sequence[str]) -> None:
    """Serve until the page's finish button or Ctrl-C; what was said is kept in either case."""
    folder = Path(options.run)
    if not (folder / MODEL).exists():
        raise InputError(f"RUN: {folder}/{MODEL} does not exist; RUN must be a folder that coterie fit wrote")
    with alone(folder):
        session = Session(folder, library_of(folder, options.data), options.who)
        session.draw_map()
        serve(session, options.port)
        print(_ending(session))


def serve(session: Session, port: int) -> None:
    """Serve a session until it is finished."""
    with OpenServer(session, port) as server:
        try:
            print(f"open {server.address}\ncorrections go to {session.run}; Ctrl-C ends", flush=True)
            server.serve_forever(poll_interval=0.1)
        except KeyboardInterrupt as stop:
            raise Interrupted(f"stopped; {_ending(session)}") from stop
        finally:
            session.finish()


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the lock of a run: of two sittings at once, neither would show what the other one says."""
    taken = f"RUN: another coterie open shows {folder}; finish it first, or use its page in a second tab"
    lock = folder / _LOCK
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(held(lock, taken))
        except OSError as error:
            raise InputError(
                f"RUN: {folder} cannot be written: {error.strerror}; corrections are kept there, so make it "
                "writable or open a copy"
            ) from error
        stack.callback(lock.unlink, missing_ok=True)
        yield


def library_of(folder: Path, data: str | None) -> Library:
    """What the page shows, worked out anew where the model or the data are others."""
    found = folder / FOLDER
    if not _is_current(folder, data):
        print("coterie: looking at all samples", file=sys.stderr)
        work.finish(work.start("prepare", str(folder), *([data] if data else [])))
    return Library(found)


def _is_current(folder: Path, data: str | None) -> bool:
    meta = folder / FOLDER / META
    try:
        facts = json.loads(meta.read_text(encoding="utf-8"))
        newer = meta.stat().st_mtime_ns >= (folder / MODEL).stat().st_mtime_ns
    except (OSError, ValueError):
        return False
    there = Path(facts["data"]).exists()
    return newer and (there if data is None else facts["data"] == data)


def _ending(session: Session) -> str:
    n = len(session.bench.journal.active())
    return f"{n} corrections in {session.bench.journal.path}" if n else "no corrections"
