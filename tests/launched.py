"""Commands in several processes, as a launcher starts them."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
Process = subprocess.Popen[str]


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def launch(
    words: Sequence[str], place: tuple[int, int], port: int, folder: Path = ROOT, **variables: str
) -> Process:
    """Start ``python WORDS`` as process `rank` of `world`, the pair `place`."""
    rank, world = place
    given = {"WORLD_SIZE": world, "RANK": rank, "LOCAL_RANK": rank, "MASTER_PORT": port}
    environment: Mapping[str, str] = {
        **os.environ,
        **{name: str(value) for name, value in given.items()},
        **{"MASTER_ADDR": "127.0.0.1", "OMP_NUM_THREADS": "1"},
        **variables,
    }
    return subprocess.Popen(
        [sys.executable, *words],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextlib.contextmanager
def ended(processes: Sequence[Process]) -> Iterator[None]:
    """Processes that are killed in the end where they still run."""
    try:
        yield
    finally:
        for process in processes:
            process.kill()
