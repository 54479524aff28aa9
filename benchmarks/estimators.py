"""Estimators with all restarts kept and the recipe on record, and baselines as objectives in their place."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Self, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from coterie import ADC, CCN, DDC
from coterie._types import Batch, Output
from coterie.data.arrays import SampleArray
from coterie.data.batches import Sampler
from coterie.engine.objective import Objective
from coterie.engine.task import Task
from coterie.engine.training import FinishedRun, Session
from coterie.methods.base import Training
from coterie.methods.clusterer import NeuralClusterer

Floats = npt.NDArray[np.float64]


class Recorded(NeuralClusterer):
    """Keeps the weights of every restart and remembers the recipe it was trained with.

    Attributes
    ----------
    recipe_changes : dict
        Fields of the engine's recipe that replace the preset's; set before `fit`.
    checkpoints : Path or None
        Of the class: where a fit keeps its checkpoints.
    resolved_ : dict
        Recipe, steps and augmentation that were used.
    """

    recipe_changes: dict[str, Any] | None = None
    checkpoints: ClassVar[Path | None] = None

    def _train(self, samples: SampleArray, plan: Training) -> Self:
        if Recorded.checkpoints is not None:
            self.checkpoint_dir = str(Recorded.checkpoints)
        return super()._train(samples, plan)

    def objective_for(self, preset: Objective) -> Objective:
        """The objective to train in place of the method's own, on the same batches."""
        return preset

    def _run(self, task: Task, fresh: Session, fingerprint: str) -> Session:
        recipe = dataclasses.replace(task.recipe, **(self.recipe_changes or {}))
        task = dataclasses.replace(task, objective=self.objective_for(task.objective), recipe=recipe)
        if fresh.how != "successive-halving":  # which would have nobody to leave behind
            fresh.keep = len(fresh.seeds)
        self.resolved_ = self._resolve(task)
        session = super()._run(task, fresh, fingerprint)
        self.kept_ = session.kept
        return session

    def _resolve(self, task: Task) -> dict[str, Any]:
        return {
            "parameters": self.get_params(),
            "recipe": dataclasses.asdict(task.recipe),
            "steps": task.total_steps,
            "augment": "none" if task.augment is None else repr(task.augment),
            "backbone": type(self._make_network(0).backbone).__name__,
            "device": str(task.runtime.device),
        }

    def each_restart(self) -> Iterator[FinishedRun]:
        """Each finished restart, by its number; meanwhile the estimator predicts with its weights."""
        chosen = self.kept_[0].state
        try:
            for kept in sorted(self.kept_, key=lambda one: one.index):
                self.network_.load_state_dict(kept.state)
                yield kept
        finally:
            self.network_.load_state_dict(chosen)


class RecordedCCN(Recorded, CCN):
    """CCN on record."""


class RecordedADC(Recorded, ADC):
    """ADC on record."""


class RecordedDDC(Recorded, DDC):
    """DDC on record."""


class CrossEntropyObjective(Objective):
    """Classification: cross entropy on the labels of the batch."""

    def __init__(self, sampler: Sampler) -> None:
        super().__init__(sampler, {"cross_entropy": 1.0})

    def terms(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        assert batch.labels is not None
        return {"cross_entropy": functional.cross_entropy(output.logits, batch.labels)}


class CrossEntropy(RecordedCCN):
    """The classifier with the network, batches, optimiser, steps and views of CCN; cluster = class."""

    def objective_for(self, preset: Objective) -> Objective:
        return CrossEntropyObjective(preset.sampler)


class HingeObjective(Objective):
    """Hinge embedding of a Siamese network: distance for a similar pair, max(0, margin - distance) otherwise.

    Parameters
    ----------
    sampler : PairBatches
    margin : float
    """

    def __init__(self, sampler: Sampler, margin: float = 1.0) -> None:
        super().__init__(sampler, {"hinge": 1.0})
        self._margin = margin

    def terms(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        assert batch.same is not None
        i, j = torch.nonzero(batch.same.triu(1), as_tuple=True)
        # the norm's gradient is not defined where two outputs coincide
        distance = ((output.logits[i] - output.logits[j]).square().sum(dim=1) + 1e-12).sqrt()
        similar = batch.same[i, j] == 1
        return {"hinge": torch.where(similar, distance, (self._margin - distance).relu()).mean()}


class Siamese(RecordedCCN):
    """A Siamese network: that of CCN without its softmax, trained by hinge embedding on the same pairs."""

    def objective_for(self, preset: Objective) -> Objective:
        return HingeObjective(preset.sampler)

    def outputs(self, X: Any) -> Floats:
        """Outputs of the last layer, shape (n, n_clusters)."""
        head = self.network_.head
        weight, bias = (part.detach().cpu().double().numpy() for part in (head.weight, head.bias))
        return cast(Floats, self.transform(X) @ weight.T + bias)


ESTIMATORS: dict[str, type[RecordedCCN]] = {
    "ccn": RecordedCCN,
    "cross-entropy": CrossEntropy,
    "siamese": Siamese,
}
