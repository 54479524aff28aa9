"""The training loop, read top to bottom: one run of one network on one objective."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor, nn

from coterie._errors import InputError
from coterie._types import Batch, Output, Plan, Rows
from coterie.data.augment import Augment
from coterie.engine.objective import Objective
from coterie.engine.recipe import Recipe
from coterie.engine.runtime import Runtime
from coterie.nn import ClusterNetwork


class Source(Protocol):
    """Where rows come from: float32 tensors on the training device."""

    def take(self, rows: Rows) -> Tensor: ...


@dataclass(frozen=True)
class Task:
    """All that stays the same over the restarts of one fit."""

    source: Source
    objective: Objective
    recipe: Recipe
    runtime: Runtime
    make_network: Callable[[int], ClusterNetwork]
    augment: Augment | None = None

    @property
    def steps_per_epoch(self) -> int:
        return self.objective.sampler.n_steps

    @property
    def total_steps(self) -> int:
        return self.recipe.total_steps(self.steps_per_epoch)


@dataclass
class Run:
    """One restart under way: what a checkpoint holds of it, and nothing that follows from the rest.

    Attributes
    ----------
    index, seed : int
    network : ClusterNetwork
    optimizer : torch.optim.Optimizer
    step : int
        Steps done.
    sums : float64 tensor or None
        Sums over the open epoch of every term and of the total.
    history : list of dict
        One flat dict per closed epoch.
    best : float
        Epoch loss of the last improvement that counted.
    stale : int
        Epochs since it improved.
    stopped : str or None
        "budget", "plateau" or "diverged" once the run has ended.
    """

    index: int
    seed: int
    network: ClusterNetwork
    optimizer: torch.optim.Optimizer
    step: int = 0
    sums: Tensor | None = None
    history: list[dict[str, float]] = field(default_factory=list)
    best: float = math.inf
    stale: int = 0
    stopped: str | None = None


class Callback(Protocol):
    """Watches a run; called after every step, when the run's state is whole."""

    def on_step(self, run: Run) -> None: ...


def start_run(task: Task, index: int, seed: int) -> Run:
    """A fresh network and optimizer for one restart."""
    network = task.make_network(seed)
    network.to(task.runtime.device)
    return Run(index, seed, network, task.recipe.make_optimizer(network.parameters()))


def train(task: Task, run: Run, callbacks: Sequence[Callback] = ()) -> None:
    """Train until the budget, a plateau of the training loss, or a loss that is not finite."""
    model = task.runtime.prepare(run.network)
    model.train()
    total = task.total_steps
    while run.stopped is None:
        _step(task, run, model, total)
        if run.step % task.steps_per_epoch == 0 or run.step == total:
            _close_epoch(task, run, total)
        for callback in callbacks:
            callback.on_step(run)


def evaluate(task: Task, network: nn.Module) -> float:
    """The objective in eval mode: one pass in fixed order, the mean over batches weighted by their size."""
    network.eval()
    value, weight = 0.0, 0
    with torch.no_grad():
        for plan in task.objective.sampler.evaluation_plans():
            terms = _forward(task, network, plan, _take(task, plan))
            value += len(plan.rows) * float(task.objective.total(terms))
            weight += len(plan.rows)
    return value / weight


def _take(task: Task, plan: Plan) -> Tensor:
    """This process's share of a joint batch."""
    return task.source.take(task.runtime.share(plan.rows))


def _forward(task: Task, model: nn.Module, plan: Plan, share: Tensor) -> dict[str, Tensor]:
    """Terms of one joint batch: each process forwards its share, the objective sees all of it."""
    runtime = task.runtime
    embedding, logits = model(share)
    joint = len(plan.rows)
    output = Output(runtime.gather(embedding, joint), runtime.gather(logits, joint))
    return task.objective.terms(output, _batch(plan, runtime.device))


def _batch(plan: Plan, device: torch.device) -> Batch:
    rows = torch.from_numpy(plan.rows).to(device)
    same = None if plan.same is None else torch.from_numpy(plan.same).to(device)
    labels = None if plan.labels is None else torch.from_numpy(plan.labels).to(device)
    return Batch(rows, same, labels)


def _step(task: Task, run: Run, model: nn.Module, total: int) -> None:
    """One optimisation step, a function of the run's seed and step number alone."""
    epoch, position = divmod(run.step, task.steps_per_epoch)
    plan = task.objective.sampler.plan(run.seed, epoch, position)
    seed = _seed_step(run, task.runtime)
    for group in run.optimizer.param_groups:
        group["lr"] = task.recipe.learning_rate_at(run.step, total)
    terms = _forward(task, model, plan, _augmented(task, _take(task, plan), seed))
    loss = task.objective.total(terms)
    run.optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]  # torch leaves Tensor.backward untyped
    run.optimizer.step()
    values = torch.stack([*terms.values(), loss]).detach().double()
    run.sums = values if run.sums is None else run.sums + values
    run.step += 1


def _augmented(task: Task, share: Tensor, seed: int) -> Tensor:
    """Random views of the batch where the task asks for them, of the shape that came."""
    if task.augment is None:
        return share
    views = task.augment(share, torch.Generator(share.device).manual_seed(seed))
    if not isinstance(views, Tensor) or views.shape != share.shape:
        came = tuple(views.shape) if isinstance(views, Tensor) else type(views).__name__
        raise InputError(
            f"augment: gave {came} for a batch of shape {tuple(share.shape)}; the same is expected"
        )
    return views


def _seed_step(run: Run, runtime: Runtime) -> int:
    """Dropout and other noise drawn from (seed, step, process), so that a resumed run draws the same."""
    mixed = (run.seed * 0x9E3779B97F4A7C15 + run.step * 0xBF58476D1CE4E5B9 + runtime.rank) % 2**63
    torch.default_generator.manual_seed(mixed)
    if runtime.device.type == "cuda":
        torch.cuda.manual_seed(mixed)
    return mixed


def _close_epoch(task: Task, run: Run, total: int) -> None:
    """Write the epoch's means to the history and decide whether the run has ended."""
    assert run.sums is not None
    steps = (run.step - 1) % task.steps_per_epoch + 1
    *terms, loss = (run.sums / steps).tolist()
    run.sums = None
    record: dict[str, float] = {"restart": run.index, "epoch": len(run.history) + 1, "step": run.step}
    record["learning_rate"] = task.recipe.learning_rate_at(run.step - 1, total)
    record |= dict(zip(task.objective.weights, terms, strict=True))
    run.history.append(record | {"loss": loss})
    if not math.isfinite(loss):
        run.stopped = "diverged"
        return
    if not math.isfinite(run.best) or loss < run.best - task.recipe.tolerance * abs(run.best):
        run.best, run.stale = loss, 0
    else:
        run.stale += 1
    if run.step >= total:
        run.stopped = "budget"
    elif task.recipe.is_plateau(run.stale, task.steps_per_epoch):
        run.stopped = "plateau"
