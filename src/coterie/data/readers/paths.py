"""What is at a path: a file that opens, or the files of a folder."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from coterie._checks import check_path
from coterie._errors import InputError


def check_regular(file: Path) -> None:
    """Raise where something is no file on a disk: opening a pipe may wait for ever."""
    try:
        mode = file.stat().st_mode
    except (OSError, ValueError) as error:
        raise InputError(getattr(error, "strerror", None) or str(error)) from error
    if not stat.S_ISREG(mode):
        raise InputError("it must be a regular file, got a pipe, a socket or a device")


def check_file(path: str | os.PathLike[str]) -> Path:
    """Return the path of a file that can be opened, or raise an error that says why not."""
    file = check_path("path", path)
    if os.path.isdir(file):  # Path.is_dir raises where it may not look
        raise InputError(f"{path} must be a file, got a directory")
    try:
        check_regular(file)
    except InputError as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    try:
        file.open("rb").close()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    return file


def files_below(folder: Path) -> list[Path]:
    """All files in a folder and those below it, in the order of their paths.

    Hidden ones are left out, and so are folders that are links, which may lead back to where they lie.
    """

    def refuse(error: OSError) -> None:
        raise InputError(f"{error.filename} cannot be read: {error.strerror}") from error

    found = []
    for place, below, names in os.walk(folder, onerror=refuse):
        below[:] = [name for name in below if not name.startswith(".")]
        found += [Path(place, name) for name in names if not name.startswith(".")]
    return sorted(found, key=lambda file: file.relative_to(folder).parts)
