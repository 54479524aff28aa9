"""Packages that an encoder needs: found when it is used, and named with a command where they are missing."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import sys
from pathlib import Path
from typing import Any


def need(module: str, command: str) -> Any:
    """Import a module, or say how it is installed.

    Parameters
    ----------
    module : str
    command : str
        What installs it, without "pip install".

    Raises
    ------
    ImportError
        It is missing, or cannot be imported.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(f"encoder: {module} cannot be imported ({error}); {advice(command)}") from error


def weights_file(distribution: str, ending: str, command: str) -> Path:
    """A file that an installed package brings, found without importing the package.

    Raises
    ------
    ImportError
        The package is missing, or has no such file.
    """
    found = find_file(distribution, ending)
    if found is None:
        raise ImportError(f"encoder: the package {distribution} is not installed; {advice(command)}")
    return found


def find_file(distribution: str, ending: str) -> Path | None:
    """The same, or None where the package or the file is missing."""
    try:
        files = importlib.metadata.files(distribution) or []
    except importlib.metadata.PackageNotFoundError:
        return None
    paths = (Path(str(file.locate())) for file in files if str(file).endswith(ending))
    return next((path for path in paths if path.is_file()), None)


def advice(command: str) -> str:
    """How something is installed."""
    return f"install it with: pip install {command}"


def is_importable(module: str) -> bool:
    """Whether a module is there; it is not imported."""
    if module in sys.modules:
        return True
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False
