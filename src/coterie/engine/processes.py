"""The processes of a launcher: how they meet, agree on values, do work once and end together."""

from __future__ import annotations

import contextlib
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import TypeVar, cast

import torch
import torch.distributed as dist
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

from coterie import _launcher
from coterie._errors import InputError, InputTypeError, LostProcessError, RendezvousError
from coterie.engine.sharing import read_shared, write_shared

# a process may be this much later than the others
MEET = timedelta(minutes=5)
# the first process may read, cluster or write for so long while the others wait; a death is noticed at once
WAIT = timedelta(hours=12)
# how long a process that fails waits to see whether the first one fails for the same reason
SAME_REASON = timedelta(seconds=5)
# what a call may raise whose failure is the same for all processes
FAILURES = (InputError, InputTypeError, OSError, ImportError, MemoryError)

_Value = TypeVar("_Value")
_meeting: list[Store] = []


def join() -> None:
    """Meet the other processes, once; alone there is nothing to do.

    Raises
    ------
    RendezvousError
        They are not there.
    """
    place = _launcher.place()
    if place.world == 1 or dist.is_initialized():
        return
    try:
        store, rank, world = next(iter(rendezvous("env://", timeout=MEET)))
        _meeting[:] = [PrefixStore("coterie", store)]
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() and dist.is_nccl_available() else "gloo"
        groups = PrefixStore("groups", store)
        dist.init_process_group(backend, store=groups, rank=rank, world_size=world, timeout=WAIT)
    except (dist.DistError, RuntimeError, ValueError) as error:
        raise RendezvousError(
            f"rank {place.rank} of {place.world} on {socket.gethostname()} cannot meet the others at "
            f"MASTER_ADDR:MASTER_PORT ({str(error).splitlines()[0]}); start all of them with torchrun, on "
            "several machines with the same --rdzv-endpoint"
        ) from error


def leave(failed: bool = False) -> None:
    """Part from the other processes; the first one keeps the reasons and waits for those who ask for them.

    Parameters
    ----------
    failed : bool
        Whether there is a reason to ask for.
    """
    if _meeting and is_shared():
        world = dist.get_world_size()
        with contextlib.suppress(RuntimeError):  # one has been killed, or the first one has ended
            if dist.get_rank():
                _meeting[0].set(f"parted/{dist.get_rank()}", "")
            elif failed:
                _meeting[0].wait([f"parted/{rank}" for rank in range(1, world)], 2 * SAME_REASON)
    _meeting.clear()
    if dist.is_initialized():
        dist.destroy_process_group()


def is_shared() -> bool:
    """Whether several processes have met."""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def agree(value: _Value) -> _Value:
    """The first process's value, on all of them."""
    if not is_shared():
        return value
    shared = [value]
    dist.broadcast_object_list(shared)
    return shared[0]


def exchange(value: _Value) -> list[_Value]:
    """Every process's value, on all of them, by rank."""
    if not is_shared():
        return [value]
    found: list[_Value] = [value] * dist.get_world_size()
    dist.all_gather_object(found, value)
    return found


def first(call: Callable[[], _Value]) -> _Value:
    """What a call gives on the first process, which alone makes it; its error is raised on all."""
    if not is_shared():
        return call()
    value, failure = _tried(call) if dist.get_rank() == 0 else (None, None)
    said = agree(None if failure is None else str(failure))
    if failure is not None:
        raise failure
    if said is not None:
        raise InputError(said)
    return agree(value)  # type: ignore[return-value]  # the first process's value is no None that stands for one


def together(call: Callable[[], _Value]) -> _Value:
    """What a call gives on this process, once it has worked on all of them.

    Raises
    ------
    InputError
        The call has failed on another process; the message names it and its reason.
    """
    if not is_shared():
        return call()
    value, failure = _tried(call)
    place = f"rank {dist.get_rank()} on {socket.gethostname()}"
    said = exchange(None if failure is None else (str(failure), place))
    if failure is not None and said[0] is not None and said[0][0] == str(failure):
        raise failure
    failed = next((one for one in said if one is not None), None)
    if failed is not None:
        raise InputError(failed[0] if said[0] is not None else f"{failed[1]}: {failed[0]}")
    return value  # type: ignore[return-value]  # without a failure it is the call's


def _tried(call: Callable[[], _Value]) -> tuple[_Value | None, Exception | None]:
    try:
        return call(), None
    except FAILURES as error:
        return None, error


def once_a_machine(call: Callable[[], _Value]) -> _Value:
    """What a call gives on the first process of each machine; the others map its large arrays."""
    if not is_shared():
        return call()
    place = _launcher.place()
    folder = Path(tempfile.mkdtemp(prefix="coterie-")) if place.local_rank == 0 else None
    try:
        together(lambda: None if folder is None else write_shared(call(), folder))
        folders = {node: path for node, path in exchange((place.node, folder)) if path is not None}
        return together(lambda: cast(_Value, _read_from(folders.get(place.node))))
    finally:
        if folder is not None:  # what is mapped stays readable
            shutil.rmtree(folder, ignore_errors=True)


def _read_from(folder: Path | None) -> object:
    if folder is None or not folder.exists():
        raise InputError(
            "LOCAL_RANK must be 0 for one process of each machine, and its processes must share "
            f"{tempfile.gettempdir()}"
        )
    return read_shared(folder)


@contextlib.contextmanager
def ending_together() -> Iterator[None]:
    """A process that fails inside leaves its reason; the others, which then wait in vain, raise it.

    Raises
    ------
    LostProcessError
        Another process has ended.
    """
    try:
        yield
    except BaseException as error:
        if is_shared() and _is_lost(error):
            raise LostProcessError(_lost()) from error
        _leave_reason(error)
        raise


def _is_lost(error: BaseException) -> bool:
    """Whether an error says that the other end of a connection is no longer there."""
    words = ("gloo", "Connection closed by peer", "NCCL")
    return isinstance(error, dist.DistError) or (
        isinstance(error, RuntimeError) and any(word in str(error) for word in words)
    )


def _lost() -> str:
    """Which process has ended, and why."""
    for rank in range(dist.get_world_size()):
        if rank != dist.get_rank() and (reason := reason_of(rank)):
            return f"rank {rank} has ended: {reason}"
    return "another process has ended without a reason: it was killed, or its machine cannot be reached"


def _leave_reason(error: BaseException) -> None:
    if _meeting and dist.is_initialized():
        with contextlib.suppress(RuntimeError):  # the process that keeps the reasons has ended
            _meeting[0].set(f"reason/{dist.get_rank()}", str(error) or type(error).__name__)


def reason_of(rank: int, patience: timedelta | None = None) -> str:
    """Why a process has ended; empty where it has not, or left no reason."""
    key = f"reason/{rank}"
    if not _meeting:
        return ""
    with contextlib.suppress(RuntimeError):
        if patience is not None:
            _meeting[0].wait([key], patience)
        if _meeting[0].check([key]):
            return str(_meeting[0].get(key).decode())
    return ""


def is_said(text: str) -> bool:
    """Whether the first process says the same; before the processes have met, all fail alike."""
    reason = " ".join(reason_of(0, SAME_REASON).split())
    return not is_shared() or (reason != "" and reason in " ".join(text.split()))
