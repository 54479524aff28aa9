"""`coterie open`: a page on this machine to explore and correct the clusters of a run."""

from __future__ import annotations

import contextlib
import json
import sys
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from coterie._errors import DamagedFileError, InputError, Interrupted
from coterie.cli.open import work
from coterie.cli.open.library import FOLDER, JOURNAL, META, QUESTIONS, Library
from coterie.cli.open.questions import take_over
from coterie.cli.open.server import OpenServer
from coterie.cli.open.session import Session
from coterie.cli.open.written import PAIRS
from coterie.data.files import held_briefly

MODEL = "model"
_LOCK = ".open.lock"


def run(options: Any, words: Sequence[str]) -> None:
    """Serve until the page's finish button or Ctrl-C; what was said is kept in either case."""
    with opened(Path(options.run), options.data, options.who) as session:
        session.draw_map()
        serve(session, options.port)
        print(ending(session))


@contextlib.contextmanager
def opened(run: Path, data: str | None, who: str | None, pairs: str | None = None) -> Iterator[Session]:
    """Hold a run for one session.

    Parameters
    ----------
    run : Path
    data : str, optional
        Where the data are, if they have moved.
    who : str, optional
    pairs : str, optional
        A file of answers to take over; by default that of the run, where nothing was said on a page yet.
    """
    check_run(run)
    with alone(run):
        library = library_of(run, data)
        session = Session(run, library, who)
        file = pairs or _earlier_answers(run)
        if file is not None:
            n = take_over(session.bench, Path(file))
            print(f"coterie: took over {n} answers of {file}", file=sys.stderr)
            look_at(run, data)  # questions are about these samples too
            session = Session(run, Library(library.folder), who)
        yield session


def _earlier_answers(run: Path) -> str | None:
    file = run / PAIRS
    return str(file) if file.exists() and not (run / JOURNAL).exists() else None


def check_run(run: Path) -> None:
    """Raise where there is no run."""
    if not (run / MODEL).exists():
        raise InputError(f"RUN: {run}/{MODEL} does not exist; RUN must be a folder that coterie fit wrote")


def serve(session: Session, port: int, view: str = "") -> None:
    """Serve a session until it is finished, beginning with a view of the page."""
    with OpenServer(session, port) as server:
        try:
            print(f"open {server.address}{view}\ncorrections go to {session.run}; Ctrl-C ends", flush=True)
            server.serve_forever(poll_interval=0.1)
        except KeyboardInterrupt as stop:
            raise Interrupted(f"stopped; {ending(session)}") from stop
        finally:
            session.finish()


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the lock of a run: of two sessions at once, neither would show what the other one says."""
    taken = f"RUN: another session shows {folder}; finish it first, or use its page in a second tab"
    denied = "corrections are kept there, so make it writable or open a copy"
    with held_briefly(folder / _LOCK, taken, denied):
        yield


def library_of(folder: Path, data: str | None) -> Library:
    """What the page shows, worked out anew where the model or the data are others, or a file is damaged."""
    if _is_current(folder, data):
        with contextlib.suppress(DamagedFileError):
            return Library(folder / FOLDER)
    print("coterie: looking at all samples", file=sys.stderr)
    look_at(folder, data)
    return Library(folder / FOLDER)


def look_at(folder: Path, data: str | None) -> None:
    """Work out what the page shows."""
    work.finish(work.start("prepare", str(folder), *([data] if data else [])))


def _is_current(folder: Path, data: str | None) -> bool:
    meta = folder / FOLDER / META
    try:
        metadata = json.loads(meta.read_text(encoding="utf-8"))
        newer = meta.stat().st_mtime_ns >= (folder / MODEL).stat().st_mtime_ns
        there = Path(metadata["data"]).exists()
    except (OSError, ValueError, TypeError, LookupError, RecursionError):
        return False
    whole = newer and zipfile.is_zipfile(folder / FOLDER / QUESTIONS)
    return whole and (there if data is None else metadata["data"] == data)


def ending(session: Session) -> str:
    """What a session leaves, for its last line."""
    n = len(session.bench.journal.active())
    if not n:
        return "no corrections"
    way_on = session.way_on()
    said = f"{n} corrections in {session.bench.journal.path}"
    if session.progress:
        said += f"\n{session.progress}"
    return f"{said}\nto use them in a whole new fit: {way_on}" if way_on else said
