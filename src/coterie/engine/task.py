"""What one fit trains on, and how a global batch becomes the objective's terms."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from coterie._errors import InputError
from coterie._types import Batch, BatchPlan, Output, Rows
from coterie.data.augment import Augment
from coterie.engine.objective import Objective
from coterie.engine.recipe import Recipe
from coterie.engine.runtime import Runtime
from coterie.nn import Network


class Source(Protocol):
    """Where rows come from: float32 tensors on the training device."""

    def __len__(self) -> int: ...

    def take(self, rows: Rows) -> Tensor: ...


@dataclass(frozen=True)
class Task:
    """All that stays the same over the restarts of one fit."""

    source: Source
    objective: Objective
    recipe: Recipe
    runtime: Runtime
    make_network: Callable[[int], Network]
    augment: Augment | None = None

    @property
    def steps_per_epoch(self) -> int:
        return self.objective.sampler.n_steps

    @property
    def total_steps(self) -> int:
        return self.recipe.total_steps(self.steps_per_epoch)


@dataclass(frozen=True)
class Modules:
    """What a batch goes through.

    Attributes
    ----------
    network : Network
    model : nn.Module
        The network, wrapped where several processes train it.
    auxiliary : nn.Module or None
        The run's copy of the objective's.
    """

    network: Network
    model: nn.Module
    auxiliary: nn.Module | None = None


def global_terms(
    task: Task, modules: Modules, plan: BatchPlan, seed: int, *, training: bool
) -> tuple[dict[str, Tensor], Output]:
    """Terms of one global batch: each process forwards its share, the objective sees all of it.

    Dropout, views and other noise are drawn from (seed, process), so that a resumed run draws the same.
    """
    own_seed = (seed + task.runtime.rank) % 2**63
    task.runtime.seed(own_seed)
    samples = share_of_samples(task, plan, own_seed, training=training)
    values = task.runtime.forward(modules.model, samples, training=training)
    if task.runtime.world > 1:  # from here on all processes compute the same
        task.runtime.seed(seed)
    return terms_of(task, modules, plan, samples, values)


def terms_of(
    task: Task, modules: Modules, plan: BatchPlan, samples: Tensor, values: Sequence[Tensor]
) -> tuple[dict[str, Tensor], Output]:
    """Terms of a global batch, from this process's samples and what the network gave for them."""
    output = _global_output(task, modules.network, values, len(plan.rows))
    batch = _batch(plan, task.runtime.device)
    if modules.auxiliary is not None:
        with torch.no_grad():
            seen = torch.cat(_gather_copies(task, samples, len(plan.rows)))
            batch = task.objective.targets(modules.auxiliary, seen, batch)
    return task.objective.terms(output, batch), output


def share_of_samples(task: Task, plan: BatchPlan, seed: int, *, training: bool) -> Tensor:
    """This process's share of a global batch: one random view, or plain rows and then their views.

    Evaluation sees views only where the objective compares them with the plain rows.
    """
    rows = task.runtime.share(plan.rows)
    samples = task.source.take(rows.reshape(-1))
    if rows.ndim > 1:
        samples = samples.reshape(*rows.shape, *samples.shape[1:])
    n_views = task.objective.n_views
    if n_views is None:
        return _augmented(task.augment, samples, seed) if training and task.augment is not None else samples
    if n_views == 0:
        return samples
    if task.augment is None:
        raise InputError(f"augment: none, but the objective compares {n_views} views of each sample")
    repeated = samples.repeat(n_views, *[1] * (samples.dim() - 1))
    return torch.cat([samples, _augmented(task.augment, repeated, seed)])


def _augmented(augment: Augment, samples: Tensor, seed: int) -> Tensor:
    """Random views of samples, of the shape that came."""
    views = augment(samples, torch.Generator(samples.device).manual_seed(seed))
    if not isinstance(views, Tensor) or views.shape != samples.shape:
        came = tuple(views.shape) if isinstance(views, Tensor) else type(views).__name__
        raise InputError(
            f"augment: gave {came} for a batch of shape {tuple(samples.shape)}; the same is expected"
        )
    return views


def _global_output(task: Task, network: Network, values: Sequence[Tensor], joint: int) -> Output:
    """What the network gave for the plain rows of all processes, with that for each of their views."""
    copies: list[dict[str, Tensor]] = [{} for _ in range(1 + (task.objective.n_views or 0))]
    for name, value in network.named(values).items():
        is_shared = name in network.shared_outputs
        parts = [value] * len(copies) if is_shared else _gather_copies(task, value, joint)
        for copy, part in zip(copies, parts, strict=True):
            copy[name] = part
    plain, *views = (Output(copy, shared=network.shared_outputs) for copy in copies)
    return dataclasses.replace(plain, views=tuple(views))


def _gather_copies(task: Task, local: Tensor, joint: int) -> tuple[Tensor, ...]:
    """The global batch's tensors from shares that hold plain rows and, after them, each of their views."""
    copies = 1 + (task.objective.n_views or 0)
    if copies == 1:
        return (task.runtime.gather(local, joint),)
    by_row = local.reshape(copies, -1, *local.shape[1:]).transpose(0, 1)
    return task.runtime.gather(by_row, joint).unbind(1)


def _batch(plan: BatchPlan, device: torch.device) -> Batch:
    rows = torch.from_numpy(plan.rows).to(device)
    same = None if plan.same is None else torch.from_numpy(plan.same).to(device)
    labels = None if plan.labels is None else torch.from_numpy(plan.labels).to(device)
    return Batch(rows, same, labels, n_drawn=plan.n_drawn)
