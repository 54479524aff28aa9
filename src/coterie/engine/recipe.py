"""How a run is optimised: a frozen recipe, and the optimizer and learning rate that follow from it."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from coterie.engine.optimizers import OPTIMIZERS

# An epoch of a few steps is too noisy to detect a plateau.
MIN_STALE_STEPS = 150
# What a logistic warm-up begins with.
LOWEST_RATE = 1e-6


@dataclass(frozen=True)
class Recipe:
    """One optimisation recipe.

    Attributes
    ----------
    optimizer : {"sgd", "adam", "adadelta"}
    learning_rate : float
    batch_size : int
        Samples a step (a sampler of pairs takes half as many pairs).
    max_epochs : int
        Passes over the sampler's batches.
    step_range : (int, int) or None
        Where given, `max_epochs` is raised or cut so that the number of steps lies in this range.
    drops : tuple of float
        Fractions of the whole run after which the learning rate is multiplied by `drop_factor`.
    drop_every : int or None
        Steps after which, again and again, it is multiplied by `drop_factor`.
    drop_factor : float
    warmup_steps : int
        Steps over which it rises to its full value.
    warmup : {"linear", "logistic"}
        How it rises. "logistic": along a tanh that is half-way after half of the steps and at 0.993 of the
        full value after all, and everywhere 1e-6 higher.
    betas : (float, float)
        For "adam".
    momentum, dampening : float
        For "sgd". Every gradient but the first is added to the running sum times ``1 - dampening``.
    rho : float
        For "adadelta".
    weight_decay : float
    decay_by_name : tuple of (str, float)
        Weight decay of the parameters whose whole name matches a regular expression, the first that does, in
        place of `weight_decay`.
    clip_norm : float or None
        Gradients of a run whose joint norm is larger are scaled down to it before the step; None: never.
    patience : int or None
        Stop after so many epochs, and at least `MIN_STALE_STEPS` steps, in which the mean training loss has
        not improved; None: never.
    tolerance : float
        Relative improvement of the training loss that counts.
    max_steps : int or None
        Overrides the number of steps.
    """

    optimizer: str
    learning_rate: float
    batch_size: int
    max_epochs: int
    step_range: tuple[int, int] | None = None
    drops: tuple[float, ...] = ()
    drop_every: int | None = None
    drop_factor: float = 0.1
    warmup_steps: int = 0
    warmup: str = "linear"
    betas: tuple[float, float] = (0.9, 0.999)
    momentum: float = 0.0
    dampening: float = 0.0
    rho: float = 0.9
    weight_decay: float = 0.0
    decay_by_name: tuple[tuple[str, float], ...] = ()
    clip_norm: float | None = None
    patience: int | None = None
    tolerance: float = 1e-3
    max_steps: int | None = None

    def total_steps(self, steps_per_epoch: int) -> int:
        """Number of optimisation steps of one run."""
        if self.max_steps is not None:
            return self.max_steps
        steps = self.max_epochs * steps_per_epoch
        if self.step_range is not None:
            low, high = self.step_range
            steps = steps_per_epoch * max(1, round(min(max(steps, low), high) / steps_per_epoch))
        return steps

    def shortened(self, steps: int, before: int) -> Recipe:
        """The same course of the learning rate over `steps` steps in place of those `before`."""
        share = steps / before
        every = None if self.drop_every is None else max(1, round(share * self.drop_every))
        warm_up = round(share * self.warmup_steps)
        return dataclasses.replace(self, max_steps=steps, drop_every=every, warmup_steps=warm_up)

    def learning_rate_at(self, step: int, total: int) -> float:
        """Learning rate of a step: a function of the step alone, so a resumed run needs no more state."""
        passed = sum(step >= math.floor(fraction * total) for fraction in self.drops)
        if self.drop_every is not None:
            passed += step // self.drop_every
        rate = self.learning_rate * self.drop_factor**passed
        if self.warmup == "logistic":
            return LOWEST_RATE + rate * _logistic(step, self.warmup_steps)
        return rate * (step + 1) / self.warmup_steps if step < self.warmup_steps else rate

    def set_rates(self, optimizer: torch.optim.Optimizer, step: int, total: int) -> None:
        """Give an optimizer the learning rate of a step."""
        rate = self.learning_rate_at(step, total)
        for group in optimizer.param_groups:
            group["lr"] = rate

    def clip(self, network: nn.Module) -> None:
        """Scale a network's gradients down to `clip_norm` where they are larger."""
        if self.clip_norm is not None:
            nn.utils.clip_grad_norm_(network.parameters(), self.clip_norm)

    def make_optimizer(self, named: Iterable[tuple[str, Tensor]]) -> torch.optim.Optimizer:
        """The optimizer of this recipe for named parameters, fused where torch has it (0.74x of the time)."""
        by_decay: dict[float, list[Tensor]] = {}
        for name, parameter in named:
            by_decay.setdefault(self._decay_of(name), []).append(parameter)
        groups = [{"params": each, "weight_decay": decay} for decay, each in by_decay.items()]
        own: dict[str, Any] = {"rho": self.rho}
        if self.optimizer == "adam":
            own = {"betas": self.betas, "fused": True}
        elif self.optimizer == "sgd":
            own = {"momentum": self.momentum, "dampening": self.dampening, "fused": True}
        return OPTIMIZERS[self.optimizer](groups, lr=self.learning_rate, **own)

    def _decay_of(self, name: str) -> float:
        found = (decay for pattern, decay in self.decay_by_name if re.fullmatch(pattern, name))
        return next(found, self.weight_decay)


def _logistic(step: int, steps: int) -> float:
    """Share of the full rate at a step of a logistic warm-up."""
    return (math.tanh(5 * (step / steps - 0.5)) + 1) / 2 if step > 0 else 0.0


def is_plateau(patience: int | None, stale_epochs: int, steps_per_epoch: int) -> bool:
    """Whether so many epochs without an improvement are enough to stop."""
    if patience is None or stale_epochs < patience:
        return False
    return stale_epochs * steps_per_epoch >= MIN_STALE_STEPS


def clear_gradients(optimizer: torch.optim.Optimizer) -> None:
    """Forget all gradients, as the optimizer's own ``zero_grad`` does without its profiling of each call."""
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.grad = None


def parameters_of(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    """An optimizer's parameters, in the order of its groups."""
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]
