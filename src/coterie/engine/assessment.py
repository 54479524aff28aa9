"""Evaluation of a run in eval mode: the loss that ranks restarts, and the clusters it found."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from coterie._types import BatchPlan
from coterie.engine.loop import Run, step_seed
from coterie.engine.objective import Modules
from coterie.engine.task import HeadTerms, Task, global_terms

# enough to compare two clusterings
CODED_ROWS = 2000


@dataclass(frozen=True)
class Assessment:
    """What an evaluation says about a network, by the head of lowest loss where it has several.

    Attributes
    ----------
    loss : float
        The last phase's, in eval mode: one pass in fixed order, the mean over batches by their size.
    codes : int64 tensor of shape (m,) or None
        Clusters of the first rows that were evaluated, at most `CODED_ROWS`; None without logits.
    collapsed : bool
    head : str or None
        The head that was taken, where the network has several.
    """

    loss: float
    codes: Tensor | None
    collapsed: bool
    head: str | None = None

    @property
    def rank(self) -> tuple[bool, bool, float]:
        """Sorts assessments: the best first, collapsed ones behind all others, diverged ones last."""
        return not math.isfinite(self.loss), self.collapsed, self.loss


@dataclass
class _Tally:
    """Sums over the batches of an evaluation, for one head."""

    head: str | None = None
    value: float = 0.0
    weight: int = 0
    n_coded: int = 0
    codes: list[Tensor] = field(default_factory=list)
    sizes: Tensor | None = None

    def add(self, task: Task, part: HeadTerms, plan: BatchPlan) -> None:
        """Add a batch; of its clusters, those of the rows that are a fair sample."""
        self.head = part.head
        self.value += len(plan.rows) * float(task.objective.total(part.terms))
        self.weight += len(plan.rows)
        if "logits" not in part.output.tensors:
            return
        found = part.output.logits[: plan.n_drawn].argmax(dim=1).cpu()
        counted = torch.bincount(found, minlength=part.output.logits.shape[1])
        self.sizes = counted if self.sizes is None else self.sizes + counted
        if self.n_coded < CODED_ROWS:  # those of millions of rows would take memory, and break up the rest
            self.codes.append(found)
            self.n_coded += len(found)

    def assessment(self, task: Task) -> Assessment:
        loss = self.value / self.weight
        if self.sizes is None:
            return Assessment(loss, None, False, self.head)
        collapsed = task.objective.collapsed(self.sizes / self.sizes.sum())
        return Assessment(loss, torch.cat(self.codes)[:CODED_ROWS], collapsed, self.head)


def assess(task: Task, run: Run, *, enough: float = math.inf) -> Assessment:
    """Evaluate a run's network; views are the same for each, and the auxiliary module is left as it was.

    Ends with the batch that brings the rows to `enough`: their order is fixed and shuffled.
    """
    run.network.eval()
    modules = Modules(run.network, run.network, copy.deepcopy(run.auxiliary))
    tallies = [_Tally() for _ in run.network.heads or (None,)]
    with torch.no_grad():
        for number, plan in enumerate(run.sampler.evaluation_plans()):
            parts = global_terms(task, modules, plan, step_seed(0, number), training=False)
            for tally, part in zip(tallies, parts, strict=True):
                tally.add(task, part, plan)
            if tallies[0].weight >= enough:
                break
    return min((tally.assessment(task) for tally in tallies), key=lambda one: one.rank)
