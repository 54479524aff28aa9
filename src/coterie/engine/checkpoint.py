"""Checkpoints of a session: a run killed at any step continues bitwise from the last one written."""

from __future__ import annotations

import contextlib
import dataclasses
import signal
import time
from collections.abc import Iterator, Mapping
from os import PathLike
from pathlib import Path
from types import FrameType
from typing import Any

from torch import Tensor

from coterie._checks import check_path
from coterie._errors import DamagedFileError, InputError, Interrupted
from coterie._signals import stop_signals_caught
from coterie.data.files import held
from coterie.engine.loop import Run
from coterie.engine.processes import first
from coterie.engine.run_state import RUN_STATE, pack_run, under, unpack_run
from coterie.engine.storage import read_tensors, write_tensors
from coterie.engine.task import Task
from coterie.engine.training import FinishedRun, Session

FILE_NAME = "checkpoint.safetensors"
LOCK_NAME = "lock"
# what a value of a wrong type or size meets where a session is made of it
_FORGED = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RuntimeError)
# tensors and JSON data
Packed = tuple[dict[str, Tensor], dict[str, Any]]
# Steps after which processes tell each other of signals: they see one at different steps, or only one does.
TALK_EVERY = 20
_SESSION_STATE = ("seeds", "keep", "how", "n_restarts", "rung", "decision", "runs", "history")


class Checkpointer:
    """Writes the session after a step when `seconds` have passed, and at once when a signal asks to stop.

    Parameters
    ----------
    folder : str or Path
    fingerprint : str
        Of the parameters and the data: a checkpoint of another fit is refused.
    seconds : float
        Time between two checkpoints.
    """

    seconds = 20.0

    def __init__(self, folder: str | Path, fingerprint: str, task: Task) -> None:
        self.path = check_path("checkpoint_dir", folder) / FILE_NAME
        self.fingerprint = fingerprint
        self.task = task
        self.session: Session | None = None
        self._written = time.monotonic()
        self._signal: int | None = None

    def restore(self, fresh: Session) -> Session:
        """The session on disk, read by the first process, if it is of the same fit; else the fresh one."""
        found = first(self._read)
        with _named_if_damaged(self.path):
            self.session = fresh if found is None else unpack_session(self.task, *found)
        return self.session

    def _read(self) -> Packed | None:
        return read_session(self.path, self.fingerprint) if self.path.exists() else None

    def on_step(self, run: Run) -> None:
        """Write when due; leave when a signal has come."""
        runtime = self.task.runtime
        together = runtime.world == 1 or run.stopped is not None or run.step % TALK_EVERY == 0
        if together and runtime.anywhere(self._signal is not None):
            self.write()
            raise self._interrupted(f"at step {run.step} of restart {run.index}")
        if time.monotonic() - self._written >= self.seconds:
            self.write()

    def write(self) -> None:
        """Write the session now; the main process alone does."""
        assert self.session is not None
        if self.task.runtime.is_main:
            save_session(self.path, self.fingerprint, self.session)
        self._written = time.monotonic()

    @contextlib.contextmanager
    def active(self) -> Iterator[None]:
        """Hold the folder's lock and turn signals that ask to stop into a checkpoint and `Interrupted`."""
        with contextlib.ExitStack() as stack:
            if self.task.runtime.is_main:
                stack.enter_context(_lock(self.path.parent))
            stack.enter_context(stop_signals_caught(self._note))
            yield
            if self._signal is not None:  # it arrived after the last step
                raise self._interrupted("after the last step")

    def _interrupted(self, where: str) -> Interrupted:
        name = "a signal to another process" if self._signal is None else signal.Signals(self._signal).name
        return Interrupted(
            f"stopped by {name} {where}; the checkpoint is {self.path}: "
            "fit again with the same arguments to resume"
        )

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._signal = number


@contextlib.contextmanager
def _lock(folder: Path) -> Iterator[None]:
    taken = f"checkpoint_dir: another process is training in {folder}; wait for it or use another folder"
    with contextlib.ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(held(folder / LOCK_NAME, taken))
        except OSError as error:
            raise InputError(f"checkpoint_dir: {folder} must be a writable folder ({error})") from error
        yield


def saved_checkpoints(folder: Path) -> list[Path]:
    """Checkpoints in a folder and in those below it, where the restarts that count clusters write theirs."""
    return sorted(folder.rglob(FILE_NAME))


def remove_checkpoints(folder: Path) -> None:
    """Remove all checkpoints of a folder.

    Raises
    ------
    InputError
        Another process is training in the folder or in one below it; nothing is removed.
    """
    with contextlib.ExitStack() as stack:
        for lock in sorted(folder.rglob(LOCK_NAME)):
            stack.enter_context(_lock(lock.parent))
        for checkpoint in saved_checkpoints(folder):
            checkpoint.unlink()


def save_session(path: Path, fingerprint: str, session: Session) -> None:
    """Write a session: finished runs, kept weights, and the runs under way with their optimizers."""
    session.synchronise()
    meta: dict[str, Any] = {"fingerprint": fingerprint}
    meta |= {name: getattr(session, name) for name in _SESSION_STATE}
    meta["kept"] = [dataclasses.asdict(dataclasses.replace(kept, state={})) for kept in session.kept]
    packed = [pack_run(run) for run in session.live]
    meta["live"] = [entry for entry, _ in packed]
    tensors = {f"codes/{index}": codes for index, codes in session.codes.items()}
    for number, kept in enumerate(session.kept):
        tensors |= {f"kept/{number}/{name}": value for name, value in kept.state.items()}
    for number, (_, own) in enumerate(packed):
        tensors |= {f"live/{number}/{name}": value for name, value in own.items()}
    write_tensors(path, "checkpoint", tensors, meta)


def saved_decision(folder: str | PathLike[str], fingerprint: str) -> dict[str, Any]:
    """What a time limit led to in the fit that has a checkpoint in a folder; empty without a checkpoint.

    Raises
    ------
    InputError, DamagedFileError
        As `load_session`.
    """
    path = Path(folder) / FILE_NAME

    def read() -> dict[str, Any]:
        return _read(path, fingerprint)[1].get("decision", {}) if path.exists() else {}

    return first(read)


def _read(path: Path, fingerprint: str) -> Packed:
    """Tensors and JSON data of a checkpoint, which has to be of this fit."""
    tensors, meta = read_tensors(path, "checkpoint")
    if meta.get("fingerprint") != fingerprint:
        raise InputError(
            f"checkpoint_dir: {path} belongs to a fit with other parameters or other data; "
            "give the same ones to resume it, or another folder to start again"
        )
    return tensors, meta


def load_session(path: Path, fingerprint: str, task: Task) -> Session:
    """Read a session back; the runs under way continue exactly where they were.

    Raises
    ------
    InputError, DamagedFileError
        As `read_session`.
    """
    found = read_session(path, fingerprint)
    with _named_if_damaged(path):
        return unpack_session(task, *found)


@contextlib.contextmanager
def _named_if_damaged(path: Path) -> Iterator[None]:
    """Raise `DamagedFileError` for what a checkpoint holds that no fit writes."""
    try:
        yield
    except InputError:
        raise
    except _FORGED as error:
        raise DamagedFileError(
            f"checkpoint_dir: {path} is damaged: no fit of coterie has this content "
            f"({type(error).__name__}: {error})"
        ) from error


def read_session(path: Path, fingerprint: str) -> Packed:
    """Tensors and JSON data of a session, which `unpack_session` takes.

    Raises
    ------
    InputError
        The checkpoint belongs to a fit with other parameters or other data, or to another version.
    DamagedFileError
        The file cannot be read.
    """
    tensors, meta = _read(path, fingerprint)
    known = set(meta).issuperset(_SESSION_STATE)
    with _named_if_damaged(path):
        known = known and all(set(entry).issuperset(RUN_STATE) for entry in meta["live"])
    if not known:
        raise InputError(
            f"checkpoint_dir: {path} was written by another version of coterie; finish the fit with that, "
            "or give another folder to start again"
        )
    return tensors, meta


def unpack_session(task: Task, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> Session:
    """The session of what was read."""
    session = Session(**{name: meta[name] for name in _SESSION_STATE})
    for number, entry in enumerate(meta["kept"]):
        session.kept.append(FinishedRun(**(entry | {"state": under(tensors, f"kept/{number}/")})))
    for number, entry in enumerate(meta["live"]):
        session.live.append(unpack_run(task, entry, under(tensors, f"live/{number}/")))
    session.codes = {int(index): codes for index, codes in under(tensors, "codes/").items()}
    return session
