"""Worker processes that share one object: started without fork, ended with this one, replaced if they die."""

from __future__ import annotations

import functools
import math
import os
import shutil
import signal
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from types import TracebackType
from typing import Any

import joblib
import torch
from joblib.externals.loky import ProcessPoolExecutor, process_executor

from coterie._allocator import keep_freed_memory
from coterie._errors import InputError
from coterie._signals import STOP_SIGNALS
from coterie.engine.sharing import SharedFolder, read_shared, write_shared

# of a worker that has imported torch and runs a small network
WORKER_BYTES = 500 * 2**20
# deaths in a row, without a result between them, after which a fit ends
MOST_DEATHS = 3
# seconds between two looks at whether the parent still lives
WATCH_SECONDS = 0.5


class Pool:
    """Processes that call functions of one shared object; a context manager, which ends them.

    Parameters
    ----------
    shared : object
        Pickled once; large arrays in it are mapped by all workers from one file each.
    n_workers : int

    Raises
    ------
    pickle.PicklingError, TypeError, AttributeError, NotImplementedError, ValueError
        The object cannot be pickled (`coterie.engine.sharing.CANNOT_TRAVEL`).
    """

    def __init__(self, shared: object, n_workers: int) -> None:
        self.n_workers = n_workers
        self._folder = SharedFolder()
        self._deaths = 0
        try:
            write_shared(shared, self._folder.path)
        except BaseException:
            self._folder.remove()
            raise
        self._executor = self._start()

    def _start(self) -> Any:
        begin = functools.partial(_begin, str(self._folder.path), os.getpid(), torch.get_num_threads())
        return ProcessPoolExecutor(self.n_workers, initializer=begin)

    def submit(self, call: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Let a worker call ``call(shared, *arguments)``."""
        try:
            future: Future[Any] = self._executor.submit(_call, call, *arguments)
        except BrokenProcessPool as error:  # a worker died between two calls: `result` replaces it
            future = Future()
            future.set_exception(error)
        return future

    def result(self, future: Future[Any]) -> Any:
        """The result of a call, or None if its worker died: then repeat all calls under way.

        Raises
        ------
        InputError
            Workers died again and again.
        """
        try:
            value = future.result()
        except BrokenProcessPool as error:
            self._replace(error)
            return None
        self._deaths = 0
        return value

    def map(self, call: Callable[..., Any], arguments: Sequence[Sequence[Any]]) -> list[Any]:
        """What ``call(shared, *each)`` gives for each; calls whose worker died are made again."""
        results: dict[int, Any] = {}
        while len(results) < len(arguments):
            missing = [number for number in range(len(arguments)) if number not in results]
            futures = {number: self.submit(call, *arguments[number]) for number in missing}
            for number, future in futures.items():
                value = self.result(future)
                if value is None:  # the others are lost too
                    break
                results[number] = value
        return [results[number] for number in range(len(arguments))]

    def _replace(self, error: BrokenProcessPool) -> None:
        self._deaths += 1
        if self._deaths > MOST_DEATHS:
            raise InputError(
                f"n_jobs: {self._deaths} worker processes died in a row, perhaps because memory ran out; "
                f"use a smaller n_jobs ({str(error).splitlines()[0]})"
            ) from error
        self._executor.shutdown(wait=True, kill_workers=True)
        self._executor = self._start()

    def __enter__(self) -> Pool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._executor.shutdown(wait=True, kill_workers=True)
        self._folder.remove()


def _begin(folder: str, parent: int, threads: int) -> None:
    """Make this process a worker: the parent alone hears signals to all of them, and decides the end."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent, folder), daemon=True).start()
    # loky takes mapped samples and filled caches for a leak, and would replace such a worker again and again
    process_executor._MAX_MEMORY_LEAK_SIZE = math.inf
    keep_freed_memory()
    torch.set_num_threads(threads)
    warnings.simplefilter("ignore")  # the parent has shown what there is to show
    _shared[:] = [read_shared(Path(folder))]


def _end_with(parent: int, folder: str) -> None:
    """End this process when its parent has died; on Windows its pipe then breaks."""
    while os.getppid() == parent:
        time.sleep(WATCH_SECONDS)
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)


_shared: list[Any] = []


def _call(call: Callable[..., Any], *arguments: Any) -> Any:
    return call(_shared[0], *arguments)


def count_workers(n_jobs: int | None, needed: int, threads: int, worker_bytes: int = 0) -> int:
    """How many worker processes a fit gets.

    Parameters
    ----------
    n_jobs : int or None, not 0
        As scikit-learn means it: None is 1 unless joblib's ``parallel_config`` says otherwise, -1 all cores.
    needed : int
        Independent pieces of work.
    threads : int
        Torch threads of each worker.
    worker_bytes : int
        Memory that each one needs in addition to torch.
    """
    wanted = min(int(joblib.effective_n_jobs(n_jobs)) // threads, needed)
    if wanted <= 1:
        return 1
    available = available_bytes()
    room = wanted if available is None else max(1, available // (WORKER_BYTES + worker_bytes))
    if room < wanted:
        warnings.warn(
            f"n_jobs: memory allows {room} of {wanted} worker processes "
            f"({(WORKER_BYTES + worker_bytes) / 2**30:.1f} GiB each)",
            stacklevel=2,
        )
    return min(wanted, room)


def available_bytes() -> int | None:
    """Memory that new processes may take, within the limit of a container; None where this is not known."""
    known = []
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        known += [1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")]
        limit, used = (Path(f"/sys/fs/cgroup/memory.{name}").read_text() for name in ("max", "current"))
        known += [int(limit) - int(used)] if limit.strip() != "max" else []
    except OSError:
        pass
    return min(known) if known else None
