"""Several restarts as one: their weights stacked, one forward pass and one optimizer for all of them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from coterie.engine.loop import Run, finish_step, plan_of, start_run, step_seed
from coterie.engine.objective import Modules
from coterie.engine.recipe import clear_gradients, parameters_of
from coterie.engine.task import Task, mean_terms, share_of_samples, terms_of

# under the norm of a run's gradients, as in torch
CLIP_FLOOR = 1e-6


class Stack:
    """Runs in lockstep in one set of stacked weights, of which their networks' are views until `release`.

    Parameters
    ----------
    task : Task
        Of one process.
    runs : sequence of Run
        At the same step, and in the same phase.
    """

    def __init__(self, task: Task, runs: Sequence[Run]) -> None:
        self.task = task
        self.runs = list(runs)
        networks = [run.network.train() for run in runs]
        self._network = networks[0]
        self._parameters, self._buffers = stack_module_state(networks)
        weights = self._parameters | self._buffers
        # what each network had of its own, in its own memory layout
        self._own = [(one, one.data) for network in networks for _, one in _tensors(network)]
        for place, network in enumerate(networks):
            for name, one in _tensors(network):
                one.data = weights[name].data[place]
        self._optimizer = task.recipe.make_optimizer(self._parameters.items())
        alike = zip(*(parameters_of(run.optimizer) for run in runs), strict=True)
        for stacked, parameters in zip(parameters_of(self._optimizer), alike, strict=True):
            states = [run.optimizer.state[one] for run, one in zip(runs, parameters, strict=True)]
            for name, value in states[0].items():
                per_run = name != "step" and value is not None
                values = torch.stack([state[name] for state in states]) if per_run else value
                self._optimizer.state[stacked][name] = values.clone() if name == "step" else values

    def goes_on(self, until: int) -> bool:
        """Whether another step fits: none of the runs has ended, and no phase begins."""
        first = self.runs[0]
        same_phase = self.task.objective.phase_at(first.step) < first.entered
        return same_phase and first.step < until and all(run.stopped is None for run in self.runs)

    def step(self) -> None:
        """One optimisation step of every run: the sum of their losses has each one's gradient."""
        task, runs = self.task, self.runs
        plans = [plan_of(task, run) for run in runs]
        seeds = [step_seed(run.seed, run.step) for run in runs]
        samples = [
            share_of_samples(task, plan, seed, training=True) for plan, seed in zip(plans, seeds, strict=True)
        ]
        task.recipe.set_rates(self._optimizer, runs[0].step, task.total_steps)
        task.runtime.seed(seeds[0])
        phase = task.objective.phases[runs[0].entered - 1]
        done = []
        for run, plan, one, values in zip(runs, plans, samples, self.forward(samples), strict=True):
            modules = Modules(run.network, run.network, run.auxiliary)
            terms = mean_terms(terms_of(task, modules, plan, one, values))
            done.append((run, modules, terms, phase.total(terms)))
        clear_gradients(self._optimizer)
        torch.autograd.backward([loss for *_, loss in done])
        if task.recipe.clip_norm is not None:
            self._clip(task.recipe.clip_norm)
        self._optimizer.step()
        for run, modules, terms, loss in done:
            finish_step(task, run, modules, terms, loss)

    def _clip(self, largest: float) -> None:
        """Scale each run's gradients down to a joint norm, as `torch.nn.utils.clip_grad_norm_` does one's."""
        gradients = [one.grad for one in self._parameters.values() if one.grad is not None]
        norms = torch.stack([one.flatten(1).norm(dim=1) for one in gradients]).norm(dim=0)
        factors = (largest / (norms + CLIP_FLOOR)).clamp(max=1)
        for one in gradients:
            one.mul_(factors.view(-1, *[1] * (one.dim() - 1)))

    def forward(self, samples: Sequence[Tensor]) -> list[tuple[Tensor, ...]]:
        """What each run's network gives for its own samples."""

        def call(parameters: dict[str, Tensor], buffers: dict[str, Tensor], x: Tensor) -> tuple[Tensor, ...]:
            values: tuple[Tensor, ...] = functional_call(self._network, (parameters, buffers), (x,))
            return values

        lowered = self.task.runtime.in_precision

        if len({one.shape for one in samples}) == 1:
            together = vmap(call, randomness="different")
            outputs = lowered(lambda: together(self._parameters, self._buffers, torch.stack([*samples])))
            return list(zip(*(value.unbind(0) for value in outputs), strict=True))
        # batches of pairs differ in their number of rows
        return [
            lowered(partial(call, _slice(self._parameters, place), _slice(self._buffers, place), x))
            for place, x in enumerate(samples)
        ]

    def write_back(self) -> None:
        """Put every run's own optimizer up to date, as its network is."""
        for place, run in enumerate(self.runs):
            alike = zip(parameters_of(self._optimizer), parameters_of(run.optimizer), strict=True)
            for stacked, own in alike:
                for name, value in self._optimizer.state[stacked].items():
                    run.optimizer.state[own][name] = _own_state(name, value, own, place)

    def release(self) -> None:
        """Give every run its weights back, and put its optimizer up to date."""
        for one, own in self._own:
            one.data = own.copy_(one.data)
        self.write_back()


def _tensors(network: nn.Module) -> Iterator[tuple[str, Tensor]]:
    return itertools.chain(network.named_parameters(), network.named_buffers())


def _slice(stacked: Mapping[str, Tensor], place: int) -> dict[str, Tensor]:
    return {name: value[place] for name, value in stacked.items()}


def _own_state(name: str, value: Tensor | None, parameter: Tensor, place: int) -> Tensor | None:
    """One run's part of an optimizer's state, in its parameter's memory layout."""
    if value is None:
        return None
    return value.clone() if name == "step" else torch.empty_like(parameter).copy_(value[place])


def cannot_stack(task: Task, seeds: Sequence[int]) -> str | None:
    """Why two networks of a task cannot take a step as one; None where they can."""
    if any(phase.patience is not None for phase in task.objective.phases):
        return "its phases end by themselves, each run's at a step of its own"
    try:
        stack = Stack(task, [start_run(task, index, seed) for index, seed in enumerate(seeds[:2])])
        samples = share_of_samples(task, plan_of(task, stack.runs[0]), 0, training=False)
        with torch.no_grad():
            stack.forward([samples] * len(stack.runs))
    except (RuntimeError, ValueError, NotImplementedError) as error:
        return str(error).partition("\n")[0]
    return None
