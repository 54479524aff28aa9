"""What a method hands to the engine: the batches it needs and the terms it minimises."""

from __future__ import annotations

import copy
import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from torch import Tensor, nn

from coterie._errors import InputError
from coterie._types import Batch, Output
from coterie.data.batches import Sampler
from coterie.nn import Network

# (embed, seed) -> tensors by name; embed() gives the embeddings (n, e), float32, of all training rows
OnEnter = Callable[[Callable[[], Tensor], int], Mapping[str, Tensor]]


@dataclass(frozen=True)
class Modules:
    """What a batch goes through.

    Attributes
    ----------
    network : Network
    model : nn.Module
        The network, wrapped where several processes train it; the engine alone calls it.
    auxiliary : nn.Module or None
        The run's own.
    """

    network: Network
    model: nn.Module
    auxiliary: nn.Module | None = None


@dataclass(frozen=True)
class Phase:
    """A part of a run with weights of its own.

    Attributes
    ----------
    name : str
    steps : int or None
        Optimisation steps; None, for the last phase alone: all that are left.
    weights : mapping of str to float
        Weight of each term in the total; 0 for a term of another phase, which still has to be finite.
    on_enter : callable or None
        Called once, before the first step, as ``on_enter(embed, seed)``: ``embed()`` gives the float32
        embeddings of all training rows, in their order and in eval mode; what is returned is copied into
        the network's parameters of those names.
    reset_optimizer : bool
        Start with a fresh optimizer.
    patience : int or None
        End before `steps`, after so many epochs in which the mean loss has not improved; the last phase is
        ended by the recipe's patience alone.
    sampler_state : callable or None
        Called before `on_enter`, in the same way: what it returns is kept with the run, and the run's batches
        come from the objective's sampler, a `StatefulSampler`, with this state.
    """

    name: str
    steps: int | None
    weights: Mapping[str, float]
    on_enter: OnEnter | None = None
    reset_optimizer: bool = False
    patience: int | None = None
    sampler_state: OnEnter | None = None

    def total(self, terms: Mapping[str, Tensor]) -> Tensor:
        """The weighted sum of terms that this phase minimises."""
        weighted = [_times(self.weights.get(name, 0.0), value) for name, value in terms.items()]
        return sum(weighted[1:], start=weighted[0])


def _times(weight: float, value: Tensor) -> Tensor:
    """Their product; a factor of 1 costs small networks a hundredth of the step."""
    return value if weight == 1.0 else weight * value


class Objective(ABC):
    """Names the batches it needs, maps each batch's output to scalar terms; knows no loop or process.

    Parameters
    ----------
    sampler : Sampler
        Which rows make up a step, and what is known about them.
    weights : mapping of str to float, optional
        Weight of each term in the total, over the whole run.
    phases : sequence of Phase, optional
        In place of `weights`: parts of the run that differ in them.

    Attributes
    ----------
    phases : tuple of Phase
        At least one; every term that one of them names is computed at each step.
    weights : mapping of str to float
        Every term's weight in the last phase, which alone stops runs early and ranks restarts.
    n_views : int or None
        None: where views are drawn, the batch itself is one random view of its rows. A number: the network
        sees the plain rows and so many random views of each, in one forward pass.
    needs : set of str or None
        The network's outputs that `terms` and `targets` read, without the names of heads; several processes
        send each other no others. None: all.
    auxiliary : nn.Module or None
        Takes no part in the optimisation: each run has a copy of it, which `after_step` may change.
    auxiliary_training : bool
        The mode in which it is kept.
    """

    n_views: int | None = None
    needs: frozenset[str] | None = None
    auxiliary: nn.Module | None = None
    auxiliary_training: bool = False

    def __init__(
        self, sampler: Sampler, weights: Mapping[str, float] | None = None, *, phases: Sequence[Phase] = ()
    ) -> None:
        self.sampler = sampler
        self.phases = tuple(phases) or (Phase("training", None, dict(weights or {})),)
        if any(phase.steps is None for phase in self.phases[:-1]):
            raise InputError("phases: steps must be a number for all phases but the last, got None")
        names = dict.fromkeys(name for phase in self.phases for name in phase.weights)
        self.weights = {name: self.phases[-1].weights.get(name, 0.0) for name in names}

    @abstractmethod
    def terms(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Unweighted scalar terms of one global batch, named as in `weights`."""

    def make_auxiliary(self, network: Network) -> nn.Module | None:
        """The auxiliary module of a run that begins with this network: a copy of `auxiliary`.

        A teacher whose weights follow the network's is a copy of the network in its place.
        """
        return copy.deepcopy(self.auxiliary)

    def after_step(self, modules: Modules, step: int) -> None:  # noqa: B027 - most objectives do nothing here
        """Change the auxiliary module, in place, after an optimisation step (the first is number 1).

        Called without gradient, alike on every process. A run's state is its network, optimizer and
        auxiliary module: whatever else is changed here is not in its checkpoint.
        """

    def targets(self, modules: Modules, samples: Tensor, output: Output, batch: Batch) -> Batch:
        """What the auxiliary module adds to the knowledge about a global batch.

        Called without gradient once a batch, alike on every process, where there is such a module.

        Parameters
        ----------
        modules : Modules
            The run's.
        samples : tensor of shape (b, ...), or ((1 + n_views) * b, ...)
            What the network saw: the rows of the global batch, then their views one after another.
        output : Output
            What the network gave for them.
        batch : Batch

        Returns
        -------
        Batch
        """
        return batch

    def collapsed(self, shares: Tensor) -> bool:
        """Return whether a clustering with these shares of the samples in its clusters (k,) has collapsed."""
        return len(shares) > 1 and int((shares > 0).sum()) < 2

    def total(self, terms: Mapping[str, Tensor]) -> Tensor:
        """The last phase's weighted sum: what ranks restarts."""
        return self.phases[-1].total(terms)

    def shortened(self, share: float) -> Self:
        """A copy whose phases take this share of their steps."""
        copied = copy.copy(self)
        copied.phases = tuple(
            phase
            if phase.steps is None
            else dataclasses.replace(phase, steps=max(1, round(share * phase.steps)))
            for phase in self.phases
        )
        return copied

    def phase_at(self, step: int) -> int:
        """Number of the phase to which a step belongs, if none before it has ended early."""
        end = 0
        for number, phase in enumerate(self.phases[:-1]):
            end += phase.steps or 0
            if step < end:
                return number
        return len(self.phases) - 1
