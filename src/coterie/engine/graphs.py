"""CUDA graphs: a network's forward and backward pass of one batch shape, launched as one piece."""

from __future__ import annotations

import contextlib
import functools
import warnings

import torch
from torch import Tensor, nn

# what torch raises where it cannot capture: no device, an operation that waits, a hook
_REFUSALS = (RuntimeError, AssertionError)


class GraphedNetwork(nn.Module):
    """A network whose training passes are replayed from CUDA graphs, if batches have one shape.

    The shape of two batches in a row is captured, once. Batches of other shapes, and all batches in eval
    mode, go through the network itself; so do all where capturing fails, with a warning that says why.

    Parameters
    ----------
    network : nn.Module
        On its device. Its parameters keep their places in memory from then on; they may change in place.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self._passes: nn.Module | None = None
        self._captured: torch.Size | None = None
        self._last: torch.Size | None = None
        self._refused = False

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """What the network gives for x (b, ...)."""
        if not (self.training and torch.is_grad_enabled()):
            return self._plain(x)
        if self._passes is None and x.shape == self._last and not self._refused:
            self._capture(x)
        self._last = x.shape
        if self._passes is None or x.shape != self._captured:
            return self._plain(x)
        # a replay overwrites what the last one gave
        values: tuple[Tensor, ...] = self._passes(x)
        return values

    def _plain(self, x: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.network(x))

    def _capture(self, x: Tensor) -> None:
        """Capture the passes; the warm-up before leaves no trace in buffers and random numbers."""
        before = [buffer.clone() for buffer in self.network.buffers()]
        try:
            with (
                current_device(x.device),
                torch.random.fork_rng([x.device] if x.device.type == "cuda" else []),
            ):
                passes = _Passes(self.network).train()
                torch.cuda.make_graphed_callables(passes, (x.clone(),), allow_unused_input=True)
        except _REFUSALS as error:
            self._refused = True
            warn_of_eager(str(error).partition("\n")[0])
        else:
            # kept out of the modules of this one: its network is the same
            object.__setattr__(self, "_passes", passes)
            self._captured = x.shape
        with torch.no_grad():
            for buffer, value in zip(self.network.buffers(), before, strict=True):
                buffer.copy_(value)


class _Passes(nn.Module):
    """What torch captures, and whose forward pass it replaces; the network keeps its own."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.network(x))


def current_device(device: torch.device) -> contextlib.AbstractContextManager[object]:
    """Inside, a GPU is the one that torch's calls without a device mean."""
    return torch.cuda.device(device) if device.type == "cuda" else contextlib.nullcontext()


def takes_graphs(compile: str, device: torch.device, world: int) -> bool:
    """Whether steps replay CUDA graphs as asked for; a warning says why they cannot."""
    if compile == "none":
        return False
    if device.type != "cuda":
        warn_of_eager(f"CUDA graphs need a GPU, and the device is {device}")
        return False
    if world > 1:
        warn_of_eager("CUDA graphs are for one process")
        return False
    return True


@functools.cache
def warn_of_eager(reason: str) -> None:
    """Once for each reason: a fit makes several runtimes, and trains several restarts."""
    warnings.warn(f"compile='auto' trains without CUDA graphs: {reason}", stacklevel=2)
