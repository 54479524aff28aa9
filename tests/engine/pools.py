"""Worker pools that start fewer processes than the library's: none, one, or two for a whole session."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

import cloudpickle

from coterie.engine.pool import Pool


class InThisProcess:
    """A pool whose calls are made at once, of a copy of the shared object; the first few die."""

    def __init__(self, shared: object, n_workers: int, deaths: int = 0) -> None:
        self.shared = cloudpickle.loads(cloudpickle.dumps(shared))
        self.n_workers, self.deaths = n_workers, deaths

    def submit(self, call: Callable[..., Any], *arguments: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(call(self.shared, *arguments))
        return future

    def result(self, future: Future[Any]) -> Any:
        self.deaths -= 1
        return None if self.deaths >= 0 else future.result()

    def map(self, call: Callable[..., Any], arguments: Sequence[Sequence[Any]]) -> list[Any]:
        return [call(self.shared, *each) for each in arguments]

    def __enter__(self) -> InThisProcess:
        return self

    def __exit__(self, *error: object) -> None:
        pass


def one_worker(shared: object, n_workers: int) -> Pool:
    """A pool of one process, however many are asked for."""
    return Pool(shared, 1)


class OfAnother:
    """The processes of a pool, for another shared object, which travels with each call.

    They stay in the folder where they were started: relative paths do not serve.

    Parameters
    ----------
    pool : Pool
        It outlives this one.
    shared : object
    n_workers : int
    """

    def __init__(self, pool: Pool, shared: object, n_workers: int) -> None:
        self.pool, self.n_workers = pool, n_workers
        self.shared = cloudpickle.dumps(shared)

    def submit(self, call: Callable[..., Any], *arguments: Any) -> Future[Any]:
        return self.pool.submit(_of_another, self.shared, call, arguments)

    def result(self, future: Future[Any]) -> Any:
        return self.pool.result(future)

    def map(self, call: Callable[..., Any], arguments: Sequence[Sequence[Any]]) -> list[Any]:
        return self.pool.map(_of_another, [(self.shared, call, each) for each in arguments])

    def __enter__(self) -> OfAnother:
        return self

    def __exit__(self, *error: object) -> None:
        pass


MakePool = Callable[[object, int], OfAnother]


def _of_another(own: None, shared: bytes, call: Callable[..., Any], arguments: Sequence[Any]) -> Any:
    """In a worker: it reads the shared object once, as the library's do."""
    return call(_read(shared), *arguments)


@functools.lru_cache(maxsize=1)
def _read(shared: bytes) -> Any:
    return cloudpickle.loads(shared)
