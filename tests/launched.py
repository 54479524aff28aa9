"""Commands and functions in several processes, as a launcher starts them."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tests.forked import Python

ROOT = Path(__file__).parents[1]


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def launch(
    words: Sequence[str], place: tuple[int, int], port: int, folder: Path = ROOT, **variables: str
) -> Python:
    """Start ``python WORDS`` as process `rank` of `world`, the pair `place`."""
    return Python(words, folder, (), **_variables(place, port) | variables)


def _variables(place: tuple[int, int], port: int) -> dict[str, str]:
    rank, world = place
    given = {"WORLD_SIZE": world, "RANK": rank, "LOCAL_RANK": rank, "MASTER_PORT": port}
    fixed = {"MASTER_ADDR": "127.0.0.1", "OMP_NUM_THREADS": "1"}
    return {name: str(value) for name, value in given.items()} | fixed


def run_forked(worlds: Sequence[int], call: Callable[[], None]) -> None:
    """Make a call in groups of so many processes each, which fork: what is imported is imported once."""
    forks = multiprocessing.get_context("fork")
    children = []
    for world in worlds:
        port = free_port()
        for rank in range(world):
            children.append(forks.Process(target=_in_place, args=((rank, world), port, call)))
            children[-1].start()
    for child in children:
        child.join()
    codes = [child.exitcode for child in children]
    if any(codes):
        raise SystemExit(f"exit codes {codes} of {worlds} processes")


def _in_place(place: tuple[int, int], port: int, call: Callable[[], None]) -> None:
    os.environ.update(_variables(place, port))
    call()


@contextlib.contextmanager
def ended(processes: Sequence[Python]) -> Iterator[None]:
    """Processes that are killed in the end where they still run."""
    try:
        yield
    finally:
        for process in processes:
            process.kill()
