"""The training loop, read top to bottom: one run of one network on one objective."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from coterie._errors import InputError
from coterie._types import BatchPlan
from coterie.engine.objective import Phase
from coterie.engine.recipe import is_plateau
from coterie.engine.task import Modules, Task, global_terms
from coterie.nn import Network

EMBED_BATCH = 1000
# enough to tell whether two clusterings are the same
CODED_ROWS = 2000


@dataclass
class Run:
    """One restart under way: what a checkpoint holds of it, and nothing that follows from the rest.

    Attributes
    ----------
    index, seed : int
    network : Network
    optimizer : torch.optim.Optimizer
    auxiliary : nn.Module or None
        A copy of the objective's.
    model : nn.Module or None
        The network as the runtime prepared it, once it has trained.
    step : int
        Steps done.
    entered, entered_at : int
        Phases entered, and the step of the last entry.
    plateaued : bool
        Whether the phase has ended before its steps were done.
    sums : float64 tensor or None
        Sums over the open epoch of every term and of the total.
    history : list of dict
        One flat dict per closed epoch.
    best : float
        Epoch loss of the last improvement that counted; only epochs that lie in the phase do.
    stale : int
        Epochs since it improved.
    stopped : str or None
        "budget", "plateau", "diverged" or, where restarts race, "pruned" once the run has ended.
    """

    index: int
    seed: int
    network: Network
    optimizer: torch.optim.Optimizer
    auxiliary: nn.Module | None = None
    model: nn.Module | None = None
    step: int = 0
    entered: int = 0
    entered_at: int = 0
    plateaued: bool = False
    sums: Tensor | None = None
    history: list[dict[str, float]] = field(default_factory=list)
    best: float = math.inf
    stale: int = 0
    stopped: str | None = None


class Callback(Protocol):
    """Watches a run; called after every step, when the run's state is whole."""

    def on_step(self, run: Run) -> None: ...


def start_run(task: Task, index: int, seed: int) -> Run:
    """A fresh network and optimizer for one restart, and a copy of the auxiliary module."""
    network = task.make_network(seed)
    network.to(task.runtime.device)
    auxiliary = copy.deepcopy(task.objective.auxiliary)
    if auxiliary is not None:
        auxiliary.to(task.runtime.device).requires_grad_(False).train(task.objective.auxiliary_training)
    return Run(index, seed, network, task.recipe.make_optimizer(network.parameters()), auxiliary)


def train(task: Task, run: Run, until: int, callbacks: Sequence[Callback] = ()) -> None:
    """Train up to a step; the budget, a plateau of the loss or a loss that is not finite end the run."""
    if run.model is None:
        run.model = task.runtime.prepare(run.network)
    run.model.train()
    modules = Modules(run.network, run.model, run.auxiliary)
    while run.stopped is None and run.step < until:
        enter_phases(task, run)
        _step(task, run, modules)
        close_epoch(task, run)
        for callback in callbacks:
            callback.on_step(run)


def _step(task: Task, run: Run, modules: Modules) -> None:
    """One optimisation step, a function of the run's seed and step number alone."""
    task.recipe.set_rates(run.optimizer, run.step, task.total_steps)
    terms, _ = global_terms(task, modules, plan_of(task, run), step_seed(run.seed, run.step), training=True)
    loss = task.objective.phases[run.entered - 1].total(terms)
    run.optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]  # torch leaves Tensor.backward untyped
    task.recipe.clip(run.network)
    run.optimizer.step()
    count_step(task, run, terms, loss)


def plan_of(task: Task, run: Run) -> BatchPlan:
    """The global batch of a run's next step."""
    epoch, position = divmod(run.step, task.steps_per_epoch)
    return task.objective.sampler.plan(run.seed, epoch, position)


def step_seed(seed: int, step: int) -> int:
    """One seed for torch's generators out of a run's seed and a step."""
    return (seed * 0x9E3779B97F4A7C15 + step * 0xBF58476D1CE4E5B9) % 2**63


def count_step(task: Task, run: Run, terms: Mapping[str, Tensor], loss: Tensor) -> None:
    """Add a step that was done to the open epoch."""
    values = torch.stack([*(terms[name] for name in task.objective.weights), loss]).detach().double()
    run.sums = values if run.sums is None else run.sums + values
    run.step += 1


def enter_phases(task: Task, run: Run) -> None:
    """Enter the phase of the next step where the run has not."""
    current = max(task.objective.phase_at(run.step), run.entered if run.plateaued else 0)
    while run.entered <= current:
        _enter(task, run, task.objective.phases[run.entered])
        run.entered += 1
        run.entered_at, run.plateaued = run.step, False
        run.best, run.stale = math.inf, 0


def _enter(task: Task, run: Run, phase: Phase) -> None:
    """Let the phase set parameters from the embeddings as they are now, and its optimizer start afresh."""
    if phase.on_enter is not None:
        seed = step_seed(run.seed, run.entered) % 2**32
        task.runtime.seed(seed)
        values = phase.on_enter(lambda: _embed(task, run.network), seed)
        parameters = dict(run.network.named_parameters())
        for name, value in values.items():
            parameter = parameters.get(name)
            if parameter is None or parameter.shape != value.shape:
                raise InputError(
                    f"on_enter: phase {phase.name} gave {name} of shape {tuple(value.shape)}; parameters of "
                    "the network in their own shapes are expected"
                )
            with torch.no_grad():
                parameter.copy_(value)
            task.runtime.broadcast(parameter.data)
    if phase.reset_optimizer:
        run.optimizer = task.recipe.make_optimizer(run.network.parameters())


def _embed(task: Task, network: Network) -> Tensor:
    """Embeddings (n, e), float32, of all training rows in their order; each process computes them all."""
    rows = np.arange(len(task.source))
    before = network.training
    network.eval()
    with torch.no_grad():
        parts = [
            network.named(network(task.source.take(rows[start : start + EMBED_BATCH])))["embedding"]
            for start in range(0, len(rows), EMBED_BATCH)
        ]
    network.train(before)
    return torch.cat(parts).float()


def close_epoch(task: Task, run: Run) -> None:
    """At an epoch's end, write its means to the history and decide whether the run has ended."""
    total = task.total_steps
    if run.step % task.steps_per_epoch and run.step != total:
        return
    assert run.sums is not None
    steps = (run.step - 1) % task.steps_per_epoch + 1
    *terms, loss = (run.sums / steps).tolist()
    run.sums = None
    record: dict[str, float] = {"restart": run.index, "epoch": len(run.history) + 1, "step": run.step}
    record["learning_rate"] = task.recipe.learning_rate_at(run.step - 1, total)
    if len(task.objective.phases) > 1:
        record["phase"] = run.entered
    record |= dict(zip(task.objective.weights, terms, strict=True))
    run.history.append(record | {"loss": loss})
    if not math.isfinite(loss):
        run.stopped = "diverged"
        return
    if run.step - steps >= run.entered_at:  # an epoch across a border counts for neither phase
        _note_improvement(run, loss, task.recipe.tolerance)
    is_last = run.entered == len(task.objective.phases)
    patience = task.recipe.patience if is_last else task.objective.phases[run.entered - 1].patience
    ended = is_plateau(patience, run.stale, task.steps_per_epoch)
    if run.step >= total:
        run.stopped = "budget"
    elif ended and is_last:
        run.stopped = "plateau"
    else:
        run.plateaued = ended


def _note_improvement(run: Run, loss: float, tolerance: float) -> None:
    if not math.isfinite(run.best) or loss < run.best - tolerance * abs(run.best):
        run.best, run.stale = loss, 0
    else:
        run.stale += 1


@dataclass(frozen=True)
class Assessment:
    """What an evaluation says about a network.

    Attributes
    ----------
    loss : float
        The last phase's, in eval mode: one pass in fixed order, the mean over batches by their size.
    codes : int64 tensor of shape (m,) or None
        Clusters of the first rows that were evaluated, at most `CODED_ROWS`; None without logits.
    collapsed : bool
    """

    loss: float
    codes: Tensor | None
    collapsed: bool


def assess(
    task: Task, network: Network, auxiliary: nn.Module | None = None, *, enough: float = math.inf
) -> Assessment:
    """Evaluate a network; views are the same for each, and the auxiliary module is left as it was.

    Ends with the batch that brings the rows to `enough`: their order is fixed and shuffled.
    """
    network.eval()
    modules = Modules(network, network, copy.deepcopy(auxiliary))
    value, weight, n_coded = 0.0, 0, 0
    codes: list[Tensor] = []
    sizes: Tensor | None = None
    with torch.no_grad():
        for number, plan in enumerate(task.objective.sampler.evaluation_plans()):
            terms, output = global_terms(task, modules, plan, step_seed(0, number), training=False)
            value += len(plan.rows) * float(task.objective.total(terms))
            weight += len(plan.rows)
            if "logits" in output.tensors:
                found = output.logits.argmax(dim=1).cpu()
                counted = torch.bincount(found, minlength=output.logits.shape[1])
                sizes = counted if sizes is None else sizes + counted
                if n_coded < CODED_ROWS:  # those of millions of rows would take memory, and break up the rest
                    codes.append(found)
                    n_coded += len(found)
            if weight >= enough:
                break
    if sizes is None:
        return Assessment(value / weight, None, False)
    collapsed = task.objective.collapsed(sizes / sizes.sum())
    return Assessment(value / weight, torch.cat(codes)[:CODED_ROWS], collapsed)
