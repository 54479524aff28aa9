"""A small task for the engine's tests: batch norm, dropout, three clusters, ten features."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from tests.engine.tasks import make_points, noisy_network
from torch import Tensor, nn

from coterie._types import Batch, Output
from coterie.data import LabelBatches
from coterie.data.augment import Augment
from coterie.engine.objective import Objective
from coterie.engine.recipe import Recipe
from coterie.engine.runtime import Runtime
from coterie.engine.task import Task
from coterie.nn import Network

LABELS = np.arange(30) % 3


class TwoTerms(Objective):
    """Cross entropy, and half the mean squared embedding."""

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__(LabelBatches(LABELS, 10), {"fit": 1.0, "size": 0.5})
        self.scale = scale

    def terms(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        assert batch.labels is not None
        fit = nn.functional.cross_entropy(output.logits, batch.labels)
        return {"fit": self.scale * fit, "size": output.embedding.square().mean()}


MakeTask = Callable[..., Task]


@pytest.fixture
def make_task() -> MakeTask:
    """A task of 3 steps an epoch; keywords change its recipe."""

    def make(
        augment: Augment | None = None,
        objective: Objective | None = None,
        make_network: Callable[[int], Network] = noisy_network,
        **changes: Any,
    ) -> Task:
        settings: dict[str, Any] = {
            "optimizer": "adam",
            "learning_rate": 0.02,
            "batch_size": 10,
            "max_epochs": 2,
            "drops": (0.5,),
        }
        recipe = Recipe(**(settings | changes))
        runtime = Runtime(torch.device("cpu"))
        return Task(make_points(30, 10), objective or TwoTerms(), recipe, runtime, make_network, augment)

    return make
