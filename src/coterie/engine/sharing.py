"""Objects for worker processes: pickled to a folder, their large arrays as files that all workers map."""

from __future__ import annotations

import contextlib
import pickle
import shutil
import tempfile
from pathlib import Path
from typing import Any, Literal, NamedTuple

import cloudpickle
import numpy as np
import numpy.typing as npt
from filelock import FileLock, Timeout

# smaller arrays travel in the pickle
SHARED_BYTES = 2**20
OBJECT_NAME = "object.pickle"
_LOCK_NAME = "lock"
_PREFIX = "coterie-"
# what pickling raises for objects that cannot travel, such as locks, files and generators
CANNOT_TRAVEL = (pickle.PicklingError, TypeError, AttributeError, NotImplementedError, ValueError)


class SharedFolder:
    """A temporary folder of this process; those that killed processes left are removed first.

    Attributes
    ----------
    path : Path
    """

    def __init__(self) -> None:
        _remove_abandoned()
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX))
        self._lock = FileLock(self.path / _LOCK_NAME)
        self._lock.acquire()

    def remove(self) -> None:
        """Remove it with all that is in it."""
        self._lock.release()
        shutil.rmtree(self.path, ignore_errors=True)


def _remove_abandoned() -> None:
    """Remove folders whose lock nobody holds; it is held before the object in them is written."""
    for left in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*/{OBJECT_NAME}"):
        lock = FileLock(left.with_name(_LOCK_NAME))
        with contextlib.suppress(Timeout, OSError), lock.acquire(timeout=0):  # or it is somebody else's
            shutil.rmtree(left.parent, ignore_errors=True)


class Mapped(NamedTuple):
    """A file that is mapped as an array."""

    path: str
    dtype: str
    offset: int
    shape: tuple[int, ...]
    order: Literal["C", "F"]


def mapped_place(value: npt.NDArray[Any]) -> Mapped | None:
    """Where an array lies that is a whole file, mapped to be read; None of others."""
    root: Any = value
    while isinstance(root.base, np.ndarray):
        root = root.base
    if not isinstance(root, np.memmap) or root.mode != "r" or root.filename is None:
        return None
    alike = root.shape == value.shape and root.dtype == value.dtype and root.strides == value.strides
    if not alike or root.ctypes.data != value.ctypes.data:
        return None
    order: Literal["C", "F"] = "C" if value.flags.c_contiguous else "F"
    return Mapped(str(root.filename), value.dtype.str, root.offset, value.shape, order)


class _Pickler(cloudpickle.CloudPickler):
    """Writes each large array to a file once and names the file in its place."""

    def __init__(self, file: Any, folder: Path) -> None:
        super().__init__(file)
        self._folder = folder
        self._written: dict[int, tuple[str, Any]] = {}

    def persistent_id(self, value: Any) -> str | Mapped | None:
        if isinstance(value, np.ndarray) and (place := mapped_place(value)) is not None:
            return place
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
        if isinstance(name, Mapped):
            return np.memmap(name.path, name.dtype, "r", name.offset, name.shape, name.order)
        return np.load(self._folder / name, mmap_mode="c")


def write_shared(value: object, folder: Path) -> None:
    """Write an object to a folder; raises one of `CANNOT_TRAVEL` where it cannot be pickled."""
    with (folder / OBJECT_NAME).open("wb") as file:
        _Pickler(file, folder).dump(value)


def read_shared(folder: Path) -> Any:
    """Read what `write_shared` wrote, its large arrays mapped into memory."""
    with (folder / OBJECT_NAME).open("rb") as file:
        return _Unpickler(file, folder).load()
