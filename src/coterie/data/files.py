"""Files that several processes use: written whole or not at all, and places that one holds at a time."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from filelock import FileLock, Timeout

from coterie._checks import check_path
from coterie._errors import InputError, WriteError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]  # callers ask whether it is there


@contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Write a file whole or not at all.

    The block writes to a temporary file in the same directory. When the block ends, the file is flushed to
    the disk and takes the place of `path` in one step; when the block raises, it is removed and whatever
    stood at `path` before stays as it was. A symbolic link is followed: its target is replaced. Temporary
    files of `path` that a killed process left are removed first, except on Windows.

    Parameters
    ----------
    path : path-like
        The file to write. Its directory has to exist.

    Yields
    ------
    pathlib.Path
        The temporary file: empty, with the same suffix as `path`.

    Raises
    ------
    WriteError
        If the directory of `path` is missing or not writable, or the disk is full.
    InputError
        If `path` is a directory, or has characters that no path can have.
    InputTypeError
        If `path` is no path.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with atomic_write(Path(folder) / "note.txt") as temporary:
    ...         _ = temporary.write_text("kept")
    ...     (Path(folder) / "note.txt").read_text()
    'kept'
    """
    target = Path(os.path.realpath(check_path("path", path)))
    if target.is_dir():
        raise InputError(f"path must name a file to write; {path} is a directory")
    _remove_abandoned(target)
    try:
        temporary, descriptor = _temporary(target)
    except OSError as error:
        raise _cannot_write(path, target, error) from error
    try:
        yield temporary
        _flush(temporary, os.O_RDWR)
        os.replace(temporary, target)
        if os.name == "posix":  # elsewhere a directory cannot be opened
            _flush(target.parent, os.O_RDONLY)
    except OSError as error:
        if error.filename not in (None, str(temporary), str(target.parent)):  # of a file the block reads
            raise
        raise _cannot_write(path, target, error) from error
    finally:
        if descriptor is not None:
            os.close(descriptor)
        with suppress(OSError):  # what was raised before says more
            temporary.unlink(missing_ok=True)


@contextmanager
def held(path: Path, taken: str) -> Iterator[None]:
    """Hold the lock at a path, or raise at once.

    Parameters
    ----------
    path : Path
        Its folder has to exist.
    taken : str
        What the error says where another process holds the lock.

    Raises
    ------
    InputError
        Another process holds the lock.
    OSError
        The file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, held(Path(folder, "lock"), "in use"):
    ...     with held(Path(folder, "lock"), "in use"):
    ...         pass
    Traceback (most recent call last):
    coterie._errors.InputError: in use
    """
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
        while not path.exists():  # the one who held it before has removed it
            lock.release()
            lock.acquire(timeout=0)
    except Timeout as error:
        raise InputError(taken) from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def held_briefly(path: Path, taken: str, denied: str) -> Iterator[None]:
    """Hold the lock at a path, which is removed in the end.

    Parameters
    ----------
    path : Path
    taken : str
        As of `held`.
    denied : str
        The way on where the folder of the lock cannot be written.

    Raises
    ------
    InputError
        Another process holds the lock, or the folder cannot be written.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(held(path, taken))
        except OSError as error:
            raise InputError(f"{path.parent} cannot be written: {error.strerror}; {denied}") from error
        stack.callback(path.unlink, missing_ok=True)
        yield


def _cannot_write(path: str | os.PathLike[str], target: Path, error: OSError) -> WriteError:
    if not target.parent.is_dir():
        remedy = "make that folder, or give another one"
    else:
        remedy = "free space or give another place; what stood there before is unchanged"
    return WriteError(f"cannot write {path}: {error.strerror or error} ({target.parent}); {remedy}")


def _prefix(target: Path) -> str:
    """How the names of temporary files of a target begin; of bounded length, as names of files are."""
    return f".coterie-{hashlib.sha256(target.name.encode(errors='surrogateescape')).hexdigest()[:12]}-"


def _temporary(target: Path) -> tuple[Path, int | None]:
    """A new empty file in the folder of the target, and the descriptor whose lock its writer holds."""
    while True:
        temporary = target.with_name(f"{_prefix(target)}{uuid4().hex}{target.suffix}")
        temporary.touch(exist_ok=False)
        if fcntl is None:  # an open file cannot be replaced there
            return temporary, None
        descriptor = os.open(temporary, os.O_RDONLY)
        with suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:  # else another process took it for abandoned
            return temporary, descriptor
        os.close(descriptor)


def _remove_abandoned(target: Path) -> None:
    """Remove temporary files of the target whose writer was killed: nobody holds their lock."""
    if fcntl is None:
        return
    for left in target.parent.glob(f"{_prefix(target)}*"):
        with suppress(OSError):  # its writer lives, or it is somebody else's
            descriptor = os.open(left, os.O_RDONLY)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                left.unlink()
            finally:
                os.close(descriptor)


def _flush(path: Path, flags: int) -> None:
    """Ask the system to put what it holds of `path` on the disk."""
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
