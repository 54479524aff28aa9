"""This process's place among those that a launcher (torchrun, accelerate launch) has started."""

from __future__ import annotations

import os
from dataclasses import dataclass

from coterie._errors import InputError

_ADDRESS = ("RANK", "MASTER_ADDR", "MASTER_PORT")


@dataclass(frozen=True)
class Place:
    """One process among several.

    Attributes
    ----------
    rank, world : int
        Its number, from 0, and how many there are on all machines.
    local_rank : int
        Its number among those on its machine.
    """

    rank: int = 0
    world: int = 1
    local_rank: int = 0

    @property
    def is_first(self) -> bool:
        """Whether it is the only process, or the one that prints and writes."""
        return self.rank == 0

    @property
    def node(self) -> int:
        """The rank of the first process on its machine: launchers number a machine's processes in a row."""
        return self.rank - self.local_rank


def place() -> Place:
    """Read the place from the environment.

    Raises
    ------
    InputError
        The environment says that there are several processes, and not where they meet.
    """
    world = _number("WORLD_SIZE", 1)
    if world == 1:
        return Place()
    missing = [name for name in _ADDRESS if not os.environ.get(name)]
    if missing:
        raise InputError(
            f"WORLD_SIZE={world} must come with {', '.join(_ADDRESS)}, but {', '.join(missing)} is not set: "
            f"start the processes with torchrun --nproc-per-node {world} -m coterie ..., or unset WORLD_SIZE"
        )
    rank = _number("RANK", 0)
    if rank >= world:
        raise InputError(f"RANK={rank} must be < WORLD_SIZE={world}")
    return Place(rank, world, _number("LOCAL_RANK", rank))


def _number(name: str, default: int) -> int:
    text = os.environ.get(name) or str(default)
    if not text.isdecimal() or (name == "WORLD_SIZE" and int(text) < 1):
        raise InputError(f"{name}={text} must be a number, as a launcher sets it; unset it without one")
    return int(text)
