"""One process at a time at a place: a lock that the system takes from a process that dies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from coterie._errors import InputError


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
