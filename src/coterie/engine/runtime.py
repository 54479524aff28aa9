"""Devices, threads and shares of work: everything that differs between one process and several lives here."""

from __future__ import annotations

import contextlib
import functools
import os
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from coterie import _launcher
from coterie._errors import InputError, InputTypeError
from coterie._joint import JointBatch
from coterie._types import Rows
from coterie.engine import processes
from coterie.engine.graphs import GraphedNetwork, current_device, takes_graphs
from coterie.losses.pairs import Share, sharing
from coterie.nn.distance_head import join_rows
from coterie.nn.global_tensors import global_rows, sum_of_parts
from coterie.nn.joint_dropout import convert_dropout
from coterie.nn.sync_batchnorm import convert_batchnorm

# Below this many parameters a second thread does not pay: on shared cores two made small steps 10x slower.
SMALL_NETWORK = 5_000_000
_Value = TypeVar("_Value")
_CPU = torch.device("cpu")
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
    graphs : bool
        Whether training steps replay CUDA graphs.
    """

    device: torch.device
    rank: int = 0
    world: int = 1
    precision: torch.dtype = torch.float32
    graphs: bool = False

    @property
    def is_main(self) -> bool:
        return self.rank == 0

    def prepare(self, network: nn.Module) -> nn.Module:
        """The network on the device; of several processes, wrapped, its batch statistics and dropout joined.

        Wrapped by torch itself: a launcher's environment can then add no autocast, compilation or sharding.
        Buffers are alike without being sent at each step, since batch statistics are those of all processes.
        """
        network.to(self.device)
        if self.world == 1:
            return GraphedNetwork(network) if self.graphs else network
        join_rows(convert_dropout(convert_batchnorm(network)))
        # of weights with one channel, whose strides say nothing
        warnings.filterwarnings("ignore", "Grad strides do not match bucket view strides", UserWarning)
        devices = None if self.device.type == "cpu" else [self.device]
        prepared = DistributedDataParallel(network, device_ids=devices, gradient_as_bucket_view=True)
        prepared.broadcast_buffers = False  # the argument of this name is deprecated
        return prepared

    def forward(self, network: nn.Module, samples: Tensor, *, training: bool) -> tuple[Tensor, ...]:
        """The network's outputs in float32, in training from products of this runtime's precision."""
        return self.in_precision(lambda: network(samples)) if training else tuple(network(samples))

    def in_precision(self, call: Callable[[], tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
        """What a call gives, in float32, from products of this runtime's precision."""
        if self.precision == torch.float32:
            return call()
        # a CUDA graph would keep the cast of weights that have changed since
        with torch.autocast(self.device.type, self.precision, cache_enabled=False):
            values = call()
        return tuple(value.float() for value in values)

    def share(self, rows: Rows) -> Rows:
        """This process's contiguous share of a global batch."""
        return rows if self.world == 1 else np.array_split(rows, self.world)[self.rank]

    def part(self, total: int) -> slice:
        """This process's contiguous share of so many rows."""
        sizes = self._sizes(total)
        start = sum(sizes[: self.rank])
        return slice(start, start + sizes[self.rank])

    def _sizes(self, total: int) -> list[int]:
        return [len(part) for part in np.array_split(np.arange(total), self.world)]

    def gather(self, local: Tensor, total: int) -> Tensor:
        """Rows of all processes in global order, with gradient: pair losses of the shares alone are wrong."""
        return local if self.world == 1 else global_rows(local, self._sizes(total))

    def sharing_pairs(self) -> contextlib.AbstractContextManager[None]:
        """Inside, each process computes the costs of some pairs of the global batch, and gets their sum."""
        return sharing(None if self.world == 1 else Share(self.rank, self.world, sum_of_parts))

    def joint_batch(self, total: int, copies: int) -> JointBatch | None:
        """This process's rows of a batch of so many, in tensors that hold some copies; None: all are here."""
        if self.world == 1:
            return None
        own = self.part(total)
        return JointBatch(own.start, own.stop - own.start, total, copies, _largest)

    def sum(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The sum of arrays over all processes, on all of them."""
        if self.world > 1:
            shared = torch.from_numpy(values.copy())
            dist.all_reduce(shared)
            values = shared.numpy()
        return values

    def joined(self, own: npt.NDArray[Any], total: int) -> npt.NDArray[Any]:
        """Rows of all processes in global order, on all of them, from each one's `part` of `total` rows."""
        if self.world == 1:
            return own
        result = np.empty((total, *own.shape[1:]), own.dtype)
        start = 0
        for rank, size in enumerate(self._sizes(total)):
            rows = torch.from_numpy(result[start : start + size])
            if rank == self.rank:
                rows.copy_(torch.from_numpy(own))
            dist.broadcast(rows, rank)
            start += size
        return result

    def collected(self, own: Tensor, total: int) -> Tensor:
        """Rows of all processes in global order on the first one, on the others their own."""
        if self.world == 1:
            return own
        if not self.is_main:
            dist.send(own.contiguous(), 0)
            return own
        result = own.new_empty(total, *own.shape[1:])
        parts = torch.split(result, self._sizes(total))
        parts[0].copy_(own)
        for rank, rows in enumerate(parts[1:], start=1):
            dist.recv(rows, rank)
        return result

    def anywhere(self, flag: bool) -> bool:
        """Whether the flag is set on any process; all of them have to ask."""
        return bool(self.sum(np.array([float(flag)]))[0])

    def seed(self, seed: int) -> None:
        """Set torch's own generators on this process's device, from which dropout draws."""
        torch.default_generator.manual_seed(seed)
        if self.device.type == "cuda":
            with current_device(self.device):
                torch.cuda.manual_seed(seed)

    def agree(self, value: _Value) -> _Value:
        """The first process's value, on all of them."""
        return processes.agree(value)


def _largest(values: Tensor) -> Tensor:
    dist.all_reduce(values, dist.ReduceOp.MAX)
    return values


def make_runtime(
    device: str | torch.device = "auto", precision: str = "auto", compile: str = "none"
) -> Runtime:
    """Choose the device, and meet the other processes of a launcher (torchrun, accelerate), if there are any.

    Parameters
    ----------
    device : "auto", str or torch.device
        "auto" uses an accelerator if there is one.
    precision : {"auto", "float32", "bfloat16"}
    compile : {"none", "auto"}
        "auto": training steps replay CUDA graphs where they can.
    """
    place = _launcher.place()
    if str(device) == "auto":
        chosen = _fastest_device(place.local_rank)
    else:
        chosen = _check_device(device)
        if place.world > 1 and chosen.type != "cpu" and chosen.index is None:
            chosen = torch.device(chosen.type, place.local_rank)
    processes.join()
    graphs = takes_graphs(compile, chosen, place.world)
    return Runtime(chosen, place.rank, place.world, choose_precision(precision, chosen), graphs)


def choose_precision(precision: str, device: torch.device) -> torch.dtype:
    """In which training steps multiply matrices.

    "auto" is bfloat16 on a GPU with units for it. TF32, which torch offers in its place, is a switch of the
    whole process: it would reach the pair losses, where 1 - p.p' needs all digits of float32.
    """
    has_units = has_bfloat16(device)
    if precision == "auto":
        return torch.bfloat16 if device.type != "cpu" and has_units else torch.float32
    if precision == "bfloat16" and not has_units:
        _warn_of_emulation(device.type)
    return PRECISIONS[precision]


@functools.cache
def _warn_of_emulation(kind: str) -> None:
    """Once: a fit makes several runtimes."""
    warnings.warn(
        f"precision='bfloat16' is emulated on this {kind}, which has no units for it: training may take ten "
        "times as long; use 'float32' or 'auto'",
        stacklevel=2,
    )


def _fastest_device(local_rank: int) -> torch.device:
    """An accelerator if there is one; that of this process where several are on the machine."""
    found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    if found is None:
        return torch.device("cpu")
    number = torch.accelerator.current_device_index()
    count = torch.accelerator.device_count()
    return torch.device(found.type, local_rank % count if local_rank else number)


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


def has_bfloat16(device: torch.device = _CPU) -> bool:
    """Whether a device has bfloat16 units: without them torch emulates products, ten times slower."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type != "cpu":
        return False
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
