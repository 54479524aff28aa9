"""Writing files so that a reader never sees half of one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from coterie._errors import InputError


@contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Write a file whole or not at all.

    The block writes to a temporary file in the same directory. When the block ends, the file is flushed to
    the disk and takes the place of `path` in one step; when the block raises, it is removed and whatever
    stood at `path` before stays as it was. A symbolic link is followed: its target is replaced.

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
    InputError
        If `path` is a directory, or its directory is missing or not writable.

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
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise InputError(f"path must name a file to write; {path} is a directory")
    temporary = target.with_name(f".coterie-{uuid4().hex}{target.suffix}")
    try:
        temporary.touch(exist_ok=False)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror} ({target.parent})") from error
    try:
        yield temporary
        _flush(temporary, os.O_RDWR)
        os.replace(temporary, target)
        if os.name == "posix":  # elsewhere a directory cannot be opened
            _flush(target.parent, os.O_RDONLY)
    finally:
        temporary.unlink(missing_ok=True)


def _flush(path: Path, flags: int) -> None:
    """Ask the system to put what it holds of `path` on the disk."""
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
