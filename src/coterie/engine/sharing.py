"""Objects for worker processes: pickled to a folder, their large arrays as files that all workers map."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np

# smaller arrays travel in the pickle
SHARED_BYTES = 2**20
OBJECT_NAME = "object.pickle"
# what pickling raises for objects that cannot travel, such as locks, files and generators
CANNOT_TRAVEL = (pickle.PicklingError, TypeError, AttributeError, NotImplementedError, ValueError)


class _Pickler(cloudpickle.CloudPickler):
    """Writes each large array to a file once and names the file in its place."""

    def __init__(self, file: Any, folder: Path) -> None:
        super().__init__(file)
        self._folder = folder
        self._written: dict[int, tuple[str, Any]] = {}

    def persistent_id(self, value: Any) -> str | None:
        if not isinstance(value, np.ndarray) or value.dtype.hasobject or value.nbytes < SHARED_BYTES:
            return None
        if id(value) not in self._written:
            name = f"{len(self._written)}.npy"
            np.save(self._folder / name, value)
            # the array too, so that no other one gets its id
            self._written[id(value)] = name, value
        return self._written[id(value)][0]


class _Unpickler(pickle.Unpickler):
    """Maps the files; what a worker changes of an array is its own."""

    def __init__(self, file: Any, folder: Path) -> None:
        super().__init__(file)
        self._folder = folder

    def persistent_load(self, name: Any) -> Any:
        return np.load(self._folder / name, mmap_mode="c")


def write_shared(value: object, folder: Path) -> None:
    """Write an object to an empty folder; raises one of `CANNOT_TRAVEL` where it cannot be pickled."""
    with (folder / OBJECT_NAME).open("wb") as file:
        _Pickler(file, folder).dump(value)


def read_shared(folder: Path) -> Any:
    """Read what `write_shared` wrote, its large arrays mapped into memory."""
    with (folder / OBJECT_NAME).open("rb") as file:
        return _Unpickler(file, folder).load()
