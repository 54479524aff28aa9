"""A small task for the engine's tests: batch norm, dropout, three clusters, ten features."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from coterie._types import Batch, Output, Rows
from coterie.data import LabelBatches
from coterie.data.augment import Augment
from coterie.engine.loop import Task
from coterie.engine.objective import Objective
from coterie.engine.recipe import Recipe
from coterie.engine.runtime import Runtime
from coterie.nn import ClusterNetwork
from coterie.nn.backbone import Backbone

LABELS = np.arange(30) % 3


@dataclass(frozen=True)
class Points:
    """Rows of a tensor."""

    rows: Tensor

    def take(self, rows: Rows) -> Tensor:
        return self.rows[torch.from_numpy(rows)]


class TwoTerms(Objective):
    """Cross entropy, and half the mean squared embedding."""

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__(LabelBatches(LABELS, 10), {"fit": 1.0, "size": 0.5})
        self.scale = scale

    def terms(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        assert batch.labels is not None
        fit = nn.functional.cross_entropy(output.logits, batch.labels)
        return {"fit": self.scale * fit, "size": output.embedding.square().mean()}


class Noisy(Backbone):
    """Everything that makes a resumed run differ when something is forgotten."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(10, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.4))
        self.out_features = 8

    def forward(self, x: Tensor) -> Tensor:
        embedding: Tensor = self.layers(x)
        return embedding


def noisy_network(seed: int) -> ClusterNetwork:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return ClusterNetwork(Noisy(), 3)


MakeTask = Callable[..., Task]


@pytest.fixture
def make_task() -> MakeTask:
    """A task of 3 steps an epoch; keywords change its recipe."""

    def make(augment: Augment | None = None, objective: Objective | None = None, **changes: Any) -> Task:
        points = Points(torch.randn(30, 10, generator=torch.Generator().manual_seed(0)))
        settings: dict[str, Any] = {
            "optimizer": "adam",
            "learning_rate": 0.02,
            "batch_size": 10,
            "max_epochs": 2,
            "drops": (0.5,),
        }
        recipe = Recipe(**(settings | changes))
        runtime = Runtime(torch.device("cpu"))
        return Task(points, objective or TwoTerms(), recipe, runtime, noisy_network, augment)

    return make
