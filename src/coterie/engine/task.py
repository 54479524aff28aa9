"""What one fit trains on, and how a global batch becomes the objective's terms."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Generator, Tensor

from coterie._errors import InputError
from coterie._joint import sharing_rows
from coterie._types import Batch, BatchPlan, Output, Rows
from coterie.data.arrays import onto
from coterie.data.augment import Augment, is_by_rows
from coterie.engine.objective import Modules, Objective
from coterie.engine.recipe import Recipe
from coterie.engine.runtime import Runtime
from coterie.nn import Network


class Source(Protocol):
    """Where rows come from: float32 tensors on the training device, each of one shape."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def reads_ahead(self) -> bool: ...

    def __len__(self) -> int: ...

    def expect(self, rows: Rows) -> None: ...

    def take(self, rows: Rows) -> Tensor: ...


@dataclass(frozen=True)
class Task:
    """All that stays the same over the restarts of one fit.

    Attributes
    ----------
    source : Source
    objective : Objective
    recipe : Recipe
    runtime : Runtime
    make_network : callable
        ``make_network(seed)``: a fresh network.
    augment : callable, sequence of callables, or None
        Random views of a batch; several: one for each of the objective's `n_views`, such as a weak and a
        strong one.
    """

    source: Source
    objective: Objective
    recipe: Recipe
    runtime: Runtime
    make_network: Callable[[int], Network]
    augment: Augment | Sequence[Augment] | None = None

    @property
    def steps_per_epoch(self) -> int:
        return self.objective.sampler.n_steps

    @property
    def total_steps(self) -> int:
        return self.recipe.total_steps(self.steps_per_epoch)


@dataclass(frozen=True)
class HeadTerms:
    """The terms of a global batch by one head of the network.

    Attributes
    ----------
    head : str or None
        None: the network has a single one.
    terms : dict of str to scalar tensor
    output : Output
        That head's.
    """

    head: str | None
    terms: dict[str, Tensor]
    output: Output


def global_terms(
    task: Task, modules: Modules, plan: BatchPlan, seed: int, *, training: bool
) -> list[HeadTerms]:
    """Terms of one global batch by each head: every process forwards its share, the objective sees all of it.

    Dropout, views and other noise are drawn from the seed, so that a resumed run draws the same, and so do
    several processes, of which each keeps what is drawn for its rows.
    """
    runtime = task.runtime
    runtime.seed(seed)
    samples = share_of_samples(task, plan, seed, training=training)
    with sharing_rows(runtime.joint_batch(len(plan.rows), 1 + (task.objective.n_views or 0))):
        values = runtime.forward(modules.model, samples, training=training)
    if runtime.world > 1 or modules.auxiliary is not None:  # from here on all processes compute the same
        runtime.seed((seed + 1) % 2**63)
    return terms_of(task, modules, plan, samples, values)


def terms_of(
    task: Task, modules: Modules, plan: BatchPlan, samples: Tensor, values: Sequence[Tensor]
) -> list[HeadTerms]:
    """Terms of a global batch by each head, from this process's samples and the network's values."""
    output = _global_output(task, modules.network, values, len(plan.rows))
    batch = _batch(plan, task.runtime.device)
    with task.runtime.sharing_pairs():
        return _terms(task, modules, samples, output, batch)


def _terms(task: Task, modules: Modules, samples: Tensor, output: Output, batch: Batch) -> list[HeadTerms]:
    """Terms of the global batch by each head."""
    if modules.auxiliary is not None:
        with torch.no_grad():
            (seen,) = _gathered_copies(task, [samples], len(batch.rows))
            batch = task.objective.targets(modules, torch.cat(seen), output, batch)
    heads = modules.network.heads
    if not heads:
        return [HeadTerms(None, task.objective.terms(output, batch), output)]
    outputs = [output.of_head(name) for name in heads]
    terms = [task.objective.terms(own, batch.of_head(name)) for name, own in zip(heads, outputs, strict=True)]
    return [HeadTerms(*parts) for parts in zip(heads, terms, outputs, strict=True)]


def mean_terms(parts: Sequence[HeadTerms]) -> dict[str, Tensor]:
    """The terms that training minimises: the mean over the heads."""
    if len(parts) == 1:
        return parts[0].terms
    return {name: torch.stack([part.terms[name] for part in parts]).mean() for name in parts[0].terms}


def share_of_samples(task: Task, plan: BatchPlan, seed: int, *, training: bool) -> Tensor:
    """This process's share of a global batch: one random view, or plain rows and then their views.

    Evaluation sees views only where the objective compares them with the plain rows.
    """
    samples = _take(task, task.runtime.share(plan.rows))
    n_views = task.objective.n_views
    if n_views == 0 or (n_views is None and (task.augment is None or not training)):
        return samples
    generator = torch.Generator(samples.device).manual_seed(seed)
    augments = _augments(task.augment, n_views or 1)
    copies = (n_views or 1) // len(augments)
    views = [_views(task, plan, augment, samples, generator, copies) for augment in augments]
    return views[0] if n_views is None else torch.cat([samples, *views])


def _take(task: Task, rows: Rows) -> Tensor:
    """Samples of some rows, or of sets of them."""
    if rows.ndim == 1:
        return task.source.take(rows)
    samples = task.source.take(rows.reshape(-1))
    return samples.reshape(*rows.shape, *samples.shape[1:])


def _augments(augment: Augment | Sequence[Augment] | None, n_views: int) -> Sequence[Augment]:
    """One augmentation for all views, or as many as there are views."""
    if augment is None:
        raise InputError(f"augment must not be None: the objective compares {n_views} views of each sample")
    augments = (augment,) if callable(augment) else augment
    if len(augments) not in (1, n_views):
        raise InputError(
            f"augment must be one augmentation or one for each of {n_views} views, got {len(augments)}"
        )
    return augments


def _views(
    task: Task, plan: BatchPlan, augment: Augment, samples: Tensor, generator: Generator, copies: int
) -> Tensor:
    """Some random views of each of this process's samples: those that one process would draw of them."""
    joint = task.runtime.joint_batch(len(plan.rows), copies)
    if joint is None or is_by_rows(augment):
        with sharing_rows(joint):
            return _augmented(augment, _repeated(samples, copies), generator)
    return joint.own(_augmented(augment, _repeated(_take(task, plan.rows), copies), generator))


def _repeated(samples: Tensor, copies: int) -> Tensor:
    """Copies of samples, which an augmentation may change in place."""
    return samples.repeat(copies, *[1] * (samples.dim() - 1))


def _augmented(augment: Augment, samples: Tensor, generator: Generator) -> Tensor:
    """Random views of samples, of the same shape."""
    views = augment(samples, generator)
    if not isinstance(views, Tensor) or views.shape != samples.shape:
        came = tuple(views.shape) if isinstance(views, Tensor) else type(views).__name__
        raise InputError(
            f"augment must give a batch of shape {tuple(samples.shape)}, as it received, got {came}"
        )
    return views


def _global_output(task: Task, network: Network, values: Sequence[Tensor], joint: int) -> Output:
    """What the network gave for the plain rows of all processes, with that for each of their views."""
    named = network.named(values)
    if not task.objective.n_views and task.runtime.world == 1:
        return Output(named, shared=network.shared_outputs)
    needs = task.objective.needs
    read = {name: value for name, value in named.items() if needs is None or name.partition("/")[0] in needs}
    own = {name: value for name, value in read.items() if name not in network.shared_outputs}
    shared = {name: value for name, value in named.items() if name in network.shared_outputs}
    parts = zip(*_gathered_copies(task, [*own.values()], joint), strict=True)
    plain, *views = (
        Output(dict(zip(own, part, strict=True)) | shared, shared=network.shared_outputs) for part in parts
    )
    return dataclasses.replace(plain, views=tuple(views))


def _gathered_copies(task: Task, local: Sequence[Tensor], joint: int) -> list[tuple[Tensor, ...]]:
    """The global batch's tensors from shares that hold plain rows and, after them, each of their views.

    For each tensor its plain rows and its views. Tensors of one type travel as one: each message waits for
    the slowest process.
    """
    copies = 1 + (task.objective.n_views or 0)
    if task.runtime.world == 1:
        return [value.chunk(copies) for value in local]
    found: dict[int, tuple[Tensor, ...]] = {}
    for dtype in dict.fromkeys(value.dtype for value in local):
        numbers = [number for number, value in enumerate(local) if value.dtype == dtype]
        packed = [_by_row(local[number], copies) for number in numbers]
        arrived = task.runtime.gather(torch.cat(packed, dim=2), joint)
        parts = torch.split(arrived, [value.shape[2] for value in packed], dim=2)
        for number, part in zip(numbers, parts, strict=True):
            found[number] = part.reshape(joint, copies, *local[number].shape[1:]).unbind(1)
    return [found[number] for number in range(len(local))]


def _by_row(local: Tensor, copies: int) -> Tensor:
    """Copies of some rows, one after another -> (rows, copies, values of one)."""
    rows = len(local) // copies
    return local.reshape(copies, rows, math.prod(local.shape[1:])).transpose(0, 1)


def _batch(plan: BatchPlan, device: torch.device) -> Batch:
    same, labels, neighbors = (
        None if known is None else onto(torch.from_numpy(known), device)
        for known in (plan.same, plan.labels, plan.neighbors)
    )
    rows = onto(torch.from_numpy(plan.rows), device)
    return Batch(rows, same, labels, n_drawn=plan.n_drawn, neighbors=neighbors)
