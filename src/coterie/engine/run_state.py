"""A run as JSON data and tensors, from which it continues bitwise in another process."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from coterie._errors import DamagedFileError
from coterie.engine.loop import Run, add_up, set_sampler_state, start_run
from coterie.engine.recipe import parameters_of
from coterie.engine.task import Task

# in addition to its number and seed, from which it starts again
RUN_STATE = ("step", "entered", "entered_at", "plateaued", "sums", "history", "best", "stale", "stopped")


def pack_run(run: Run) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """All that a run continues from: JSON data, and tensors by name."""
    add_up(run)
    meta = {name: getattr(run, name) for name in ("index", "seed", *RUN_STATE)}
    return meta, dict(_run_tensors(run))


def unpack_run(task: Task, meta: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Run:
    """A run in a packed state."""
    run = start_run(task, meta["index"], meta["seed"])
    load_run(task, run, meta, tensors)
    return run


def load_run(task: Task, run: Run, meta: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Put a run into a packed state, whatever it is in."""
    run.network.load_state_dict(under(tensors, "network/"))
    run.optimizer = task.recipe.make_optimizer(run.network.named_parameters())
    _restore_optimizer(run.optimizer, under(tensors, "optimizer/"))
    auxiliary = under(tensors, "auxiliary/")
    for name, value in _auxiliary_tensors(run):
        value.data.copy_(auxiliary[name])
    if state := under(tensors, "sampler/"):
        set_sampler_state(task, run, state)
    for name in RUN_STATE:
        setattr(run, name, meta[name])
    run.pending.clear()


def _auxiliary_tensors(run: Run) -> Iterable[tuple[str, Tensor]]:
    """Weights and buffers of a run's auxiliary module."""
    if run.auxiliary is None:
        return ()
    return itertools.chain(run.auxiliary.named_parameters(), run.auxiliary.named_buffers())


def under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name[len(prefix) :]: value for name, value in tensors.items() if name.startswith(prefix)}


def _run_tensors(run: Run) -> Iterator[tuple[str, Tensor]]:
    """All tensors of a run; the optimizer's state by the parameter's position."""
    for name, value in run.network.state_dict().items():
        yield f"network/{name}", value
    for name, value in _auxiliary_tensors(run):
        yield f"auxiliary/{name}", value
    for name, value in run.sampler_state.items():
        yield f"sampler/{name}", value
    for number, parameter in enumerate(parameters_of(run.optimizer)):
        for name, value in run.optimizer.state[parameter].items():
            if value is not None:
                yield f"optimizer/{number}/{name}", value


def _restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put state back in each parameter's own memory layout, which the fused kernels rely on."""
    parameters = parameters_of(optimizer)
    for name, value in tensors.items():
        number, key = name.split("/")
        parameter = parameters[int(number)]
        if value.shape == parameter.shape:
            optimizer.state[parameter][key] = torch.empty_like(parameter).copy_(value).detach()
        elif value.dim() == 0:
            optimizer.state[parameter][key] = value.to(parameter.device)
        else:
            raise DamagedFileError(f"checkpoint: optimizer state {name} has shape {tuple(value.shape)}")
