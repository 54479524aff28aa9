"""Devices, threads and processes: everything that differs between one process and several lives here."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

from coterie._errors import InputError, InputTypeError
from coterie._types import Rows
from coterie.nn.sync_batchnorm import convert_batchnorm, global_rows

# Below this many parameters a second thread does not pay: on shared cores two made small steps 10x slower.
SMALL_NETWORK = 5_000_000
_Value = TypeVar("_Value")
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class Runtime:
    """Where the training runs, and this process's place among the others.

    Attributes
    ----------
    device : torch.device
    rank, world : int
        This process and how many there are.
    precision : torch.dtype
        In which training steps multiply matrices; weights, losses and all else are float32.
    """

    device: torch.device
    rank: int = 0
    world: int = 1
    precision: torch.dtype = torch.float32

    @property
    def is_main(self) -> bool:
        return self.rank == 0

    def prepare(self, network: nn.Module) -> nn.Module:
        """The network on the device; with several processes, wrapped and its batch statistics joined."""
        network.to(self.device)
        if self.world == 1:
            return network
        from accelerate import Accelerator

        convert_batchnorm(network)
        prepared: nn.Module = Accelerator(cpu=self.device.type == "cpu").prepare_model(network)
        return prepared

    def forward(self, network: nn.Module, samples: Tensor, *, training: bool) -> tuple[Tensor, ...]:
        """The network's outputs in float32, in training from products of this runtime's precision."""
        return self.in_precision(lambda: network(samples)) if training else tuple(network(samples))

    def in_precision(self, call: Callable[[], tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
        """What a call gives, in float32, from products of this runtime's precision."""
        if self.precision == torch.float32:
            return call()
        with torch.autocast(self.device.type, self.precision):
            values = call()
        return tuple(value.float() for value in values)

    def share(self, rows: Rows) -> Rows:
        """This process's contiguous share of a global batch."""
        return rows if self.world == 1 else np.array_split(rows, self.world)[self.rank]

    def gather(self, local: Tensor, total: int) -> Tensor:
        """Rows of all processes in global order, with gradient: pair losses of the shares alone are wrong."""
        if self.world == 1:
            return local
        sizes = [len(part) for part in np.array_split(np.arange(total), self.world)]
        return global_rows(local, sizes)

    def anywhere(self, flag: bool) -> bool:
        """Whether the flag is set on any process; all of them have to ask."""
        if self.world == 1:
            return flag
        shared = torch.tensor([int(flag)], device=self.device)
        dist.all_reduce(shared)
        return bool(shared.item())

    def seed(self, seed: int) -> None:
        """Set torch's own generators on this process's device, from which dropout draws."""
        torch.default_generator.manual_seed(seed)
        if self.device.type == "cuda":
            torch.cuda.manual_seed(seed)

    def broadcast(self, tensor: Tensor) -> None:
        """Put the first process's values into the tensor, on all of them."""
        if self.world > 1:
            dist.broadcast(tensor, 0)

    def agree(self, value: _Value) -> _Value:
        """The first process's value, on all of them."""
        shared = [value]
        if self.world > 1:
            dist.broadcast_object_list(shared)
        return shared[0]


def make_runtime(device: str | torch.device = "auto", precision: str = "float32") -> Runtime:
    """Read the processes from the launcher (torchrun, accelerate) and choose the device.

    Parameters
    ----------
    device : "auto", str or torch.device
        "auto" uses an accelerator if there is one.
    precision : {"float32", "bfloat16"}
    """
    dtype = PRECISIONS[precision]
    wants_cpu = str(device) == "cpu" or not torch.accelerator.is_available()
    launched = int(os.environ.get("WORLD_SIZE", "1")) > 1
    if launched:
        from accelerate import PartialState  # a quarter of a second, which one process does not need

        state = PartialState(cpu=wants_cpu)
        return Runtime(state.device, state.process_index, state.num_processes, dtype)
    if str(device) == "auto":
        return Runtime(_fastest_device(wants_cpu), precision=dtype)
    return Runtime(_check_device(device), precision=dtype)


def _fastest_device(wants_cpu: bool) -> torch.device:
    found = None if wants_cpu else torch.accelerator.current_accelerator()
    if found is None:
        return torch.device("cpu")
    return torch.device(found.type, torch.accelerator.current_device_index())


def _check_device(device: str | torch.device) -> torch.device:
    if not isinstance(device, str | torch.device):
        raise InputTypeError(
            f"device must be 'auto' or the name of a device, got {device!r} of type {type(device).__name__}"
        )
    try:
        chosen = torch.device(device)
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise InputError(
            f"device: {device!r} cannot be used on this machine ({error}); use 'auto'"
        ) from error
    return chosen


def has_bfloat16() -> bool:
    """Whether the processor has bfloat16 units: without them torch emulates products, ten times slower."""
    # every processor with AMX tiles multiplies bfloat16 in them
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def choose_threads(threads: int | str, network: nn.Module, device: torch.device) -> int:
    """Number of torch threads: a static rule by network size, so that a seed means the same run."""
    if threads != "auto":
        return int(threads)
    size = sum(parameter.numel() for parameter in network.parameters())
    small = device.type != "cpu" or size < SMALL_NETWORK
    return 1 if small else torch.get_num_threads()


@contextlib.contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Use so many torch threads inside, and put back what was set before."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


# fits in several threads take turns: torch's generator and its number of threads are the process's
_ONE_AT_A_TIME = threading.RLock()


def _renew_lock() -> None:
    """In a forked child: the thread that held the lock is not there to release it."""
    global _ONE_AT_A_TIME
    _ONE_AT_A_TIME = threading.RLock()


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=_renew_lock)


@contextlib.contextmanager
def own_random_numbers(runtime: Runtime) -> Iterator[None]:
    """Leave the caller's torch generators as they were, and let no other thread draw from them meanwhile."""
    devices = [runtime.device] if runtime.device.type == "cuda" else []
    with _ONE_AT_A_TIME, torch.random.fork_rng(devices=devices):
        yield
