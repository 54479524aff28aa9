"""The training loop, read top to bottom: one run of one network on one objective."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from coterie._errors import InputError
from coterie._types import BatchPlan
from coterie.data.batches import Sampler, StatefulSampler
from coterie.engine.memory import does_not_fit
from coterie.engine.objective import Modules, OnEnter, Phase
from coterie.engine.recipe import clear_gradients, is_plateau
from coterie.engine.task import Task, global_terms, mean_terms
from coterie.nn import Network, rows_at_once


@dataclass
class Run:
    """One restart under way: what a checkpoint holds of it, and nothing that follows from the rest.

    Attributes
    ----------
    index, seed : int
    network : Network
    optimizer : torch.optim.Optimizer
    sampler : Sampler
        The objective's, with the state that a phase has set.
    auxiliary : nn.Module or None
        As the objective makes it for this run.
    model : nn.Module or None
        The network as the runtime prepared it, once it has trained.
    step : int
        Steps done.
    entered, entered_at : int
        Phases entered, and the step of the last entry.
    sampler_state : dict of str to tensor
    plateaued : bool
        Whether the phase has ended before its steps were done.
    sums : list of float
        Sums over the open epoch of every term and of the total, up to the last `add_up`.
    pending : list of list of tensor
        The same values of each step since then.
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
    sampler: Sampler
    auxiliary: nn.Module | None = None
    model: nn.Module | None = None
    step: int = 0
    entered: int = 0
    entered_at: int = 0
    sampler_state: dict[str, Tensor] = field(default_factory=dict)
    plateaued: bool = False
    sums: list[float] = field(default_factory=list)
    pending: list[list[Tensor]] = field(default_factory=list)
    history: list[dict[str, float]] = field(default_factory=list)
    best: float = math.inf
    stale: int = 0
    stopped: str | None = None


class Callback(Protocol):
    """Watches a run; called after every step, when the run's state is whole."""

    def on_step(self, run: Run) -> None: ...


def start_run(task: Task, index: int, seed: int) -> Run:
    """A fresh network and optimizer for one restart, and its auxiliary module."""
    network = task.make_network(seed)
    network.to(task.runtime.device)
    auxiliary = task.objective.make_auxiliary(network)
    if auxiliary is not None:
        auxiliary.to(task.runtime.device).requires_grad_(False).train(task.objective.auxiliary_training)
    optimizer = task.recipe.make_optimizer(network.named_parameters())
    return Run(index, seed, network, optimizer, task.objective.sampler, auxiliary)


def train(task: Task, run: Run, until: int, callbacks: Sequence[Callback] = ()) -> None:
    """Train up to a step; the budget, a plateau of the loss or a loss that is not finite end the run."""
    if run.model is None:
        run.model = task.runtime.prepare(run.network)
    run.model.train()
    modules = Modules(run.network, run.model, run.auxiliary)
    while run.stopped is None and run.step < until:
        enter_phases(task, run)
        _fitting_step(task, run, modules)
        close_epoch(task, run)
        for callback in callbacks:
            callback.on_step(run)


def _fitting_step(task: Task, run: Run, modules: Modules) -> None:
    """A step, or an error that names the batch that would fit into the device's memory."""
    try:
        _step(task, run, modules)
    except torch.OutOfMemoryError as error:
        rows = task.runtime.share(plan_of(task, run).rows).reshape(-1)
        raise does_not_fit(
            task.runtime, run.network, task.source.take(rows), task.recipe.batch_size
        ) from error


def _step(task: Task, run: Run, modules: Modules) -> None:
    """One optimisation step, a function of the run's seed and step number alone."""
    task.recipe.set_rates(run.optimizer, run.step, task.total_steps)
    seed = step_seed(run.seed, run.step)
    plan = plan_of(task, run)
    if task.source.reads_ahead:
        _expect_next(task, run)
    terms = mean_terms(global_terms(task, modules, plan, seed, training=True))
    loss = task.objective.phases[run.entered - 1].total(terms)
    clear_gradients(run.optimizer)
    torch.autograd.backward(loss)
    task.recipe.clip(run.network)
    run.optimizer.step()
    finish_step(task, run, modules, terms, loss)


def _expect_next(task: Task, run: Run) -> None:
    """Let the source begin to read the batch after the next one."""
    if run.step + 1 < task.total_steps:
        rows = plan_of(task, run, ahead=1).rows
        task.source.expect(task.runtime.share(rows).reshape(-1))


def plan_of(task: Task, run: Run, ahead: int = 0) -> BatchPlan:
    """The global batch of a run's next step, or of one so many steps later."""
    epoch, position = divmod(run.step + ahead, task.steps_per_epoch)
    return run.sampler.plan(run.seed, epoch, position)


def step_seed(seed: int, step: int) -> int:
    """One seed for torch's generators out of a run's seed and a step."""
    return (seed * 0x9E3779B97F4A7C15 + step * 0xBF58476D1CE4E5B9) % 2**63


def finish_step(task: Task, run: Run, modules: Modules, terms: Mapping[str, Tensor], loss: Tensor) -> None:
    """Add a step that was done to the open epoch, and let the objective follow it."""
    run.pending.append([*(terms[name].detach() for name in task.objective.weights), loss.detach()])
    run.step += 1
    with torch.no_grad():
        task.objective.after_step(modules, run.step)


def add_up(run: Run) -> None:
    """Add the pending steps to the open epoch's sums; read together, since each reading waits for a GPU."""
    if not run.pending:
        return
    width = len(run.pending[0])
    values = torch.stack(list(itertools.chain.from_iterable(run.pending))).double().tolist()
    run.pending.clear()
    for start in range(0, len(values), width):
        step = values[start : start + width]
        run.sums = [one + other for one, other in zip(run.sums, step, strict=True)] if run.sums else step


def enter_phases(task: Task, run: Run) -> None:
    """Enter the phase of the next step where the run has not."""
    current = max(task.objective.phase_at(run.step), run.entered if run.plateaued else 0)
    while run.entered <= current:
        _enter(task, run, task.objective.phases[run.entered])
        run.entered += 1
        run.entered_at, run.plateaued = run.step, False
        run.best, run.stale = math.inf, 0


def _enter(task: Task, run: Run, phase: Phase) -> None:
    """Let the phase set sampler and parameters from the embeddings as they are now; renew the optimizer."""
    seed = step_seed(run.seed, run.entered) % 2**32
    embed = functools.cache(lambda: _embed(task, run.network))
    if phase.sampler_state is not None:
        set_sampler_state(task, run, _found_once(task, phase.sampler_state, embed, seed))
    if phase.on_enter is not None:
        _set_parameters(task, run.network, phase, _found_once(task, phase.on_enter, embed, seed))
    if phase.reset_optimizer:
        run.optimizer = task.recipe.make_optimizer(run.network.named_parameters())


def _found_once(task: Task, call: OnEnter, embed: Callable[[], Tensor], seed: int) -> dict[str, Tensor]:
    """What a phase makes of the embeddings on the first process; the others compute their share of these."""
    runtime = task.runtime
    runtime.seed(seed)
    if runtime.world == 1:
        return dict(call(embed, seed))
    if not runtime.is_main:
        while (found := runtime.agree(None)) is None:
            embed()
        return {name: value.to(runtime.device) for name, value in found.items()}

    def asked() -> Tensor:
        runtime.agree(None)
        return embed()

    found = {name: value.cpu() for name, value in call(functools.cache(asked), seed).items()}
    return {name: value.to(runtime.device) for name, value in runtime.agree(found).items()}


def _set_parameters(task: Task, network: Network, phase: Phase, values: Mapping[str, Tensor]) -> None:
    """Copy values into parameters of the network, on all processes those of the first."""
    parameters = dict(network.named_parameters())
    for name, value in values.items():
        parameter = parameters.get(name)
        if parameter is None or parameter.shape != value.shape:
            raise InputError(
                f"on_enter of phase {phase.name} must give parameters of the network in their own shapes, "
                f"got {name} of shape {tuple(value.shape)}"
            )
        with torch.no_grad():
            parameter.copy_(value)


def set_sampler_state(task: Task, run: Run, state: dict[str, Tensor]) -> None:
    """Draw a run's batches with a state of the sampler's from now on."""
    sampler = task.objective.sampler
    if not isinstance(sampler, StatefulSampler):
        raise InputError(f"sampler_state: {type(sampler).__name__} must define with_state")
    run.sampler, run.sampler_state = sampler.with_state(state), state
    if run.sampler.n_steps != task.steps_per_epoch:
        raise InputError(
            f"with_state: n_steps={run.sampler.n_steps} must equal the {task.steps_per_epoch} of the sampler "
            "without a state"
        )


def _embed(task: Task, network: Network) -> Tensor:
    """Embeddings (n, e), float32, of all training rows in their order; with other processes each does a part.

    The first process gets all of them, the others their own.
    """
    total, together = len(task.source), rows_at_once(task.source.shape)
    rows = np.arange(total)[task.runtime.part(total)]
    before = network.training
    network.eval()
    with torch.no_grad():
        parts = [
            network.named(network(task.source.take(rows[start : start + together])))["embedding"]
            for start in range(0, len(rows), together)
        ]
    network.train(before)
    return task.runtime.collected(torch.cat(parts).float(), total)


def close_epoch(task: Task, run: Run) -> None:
    """At an epoch's end, write its means to the history and decide whether the run has ended."""
    total = task.total_steps
    if run.step % task.steps_per_epoch and run.step != total:
        return
    add_up(run)
    steps = (run.step - 1) % task.steps_per_epoch + 1
    *terms, loss = (value / steps for value in run.sums)
    run.sums = []
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
