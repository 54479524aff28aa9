"""Worker pools that start fewer processes than the library's: none, or one."""

from __future__ import annotations

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
