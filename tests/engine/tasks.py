"""Small tasks for the engine's tests: points, and the parts that a task is made of."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from coterie._types import Batch, BatchPlan, Output, Rows
from coterie.data import LabelBatches, Sampler
from coterie.engine.assessment import Assessment, assess
from coterie.engine.loop import Run, start_run
from coterie.engine.objective import Modules, Objective, Phase
from coterie.engine.task import Task
from coterie.losses.ccl import ccl_matrix
from coterie.nn import ClusterNetwork, Network
from coterie.nn.backbone import Backbone

LABELS = np.arange(30) % 3

_Built = TypeVar("_Built")


@dataclass(frozen=True)
class Points:
    """Rows of a tensor."""

    rows: Tensor

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.rows.shape[1:])

    reads_ahead = False

    def expect(self, rows: Rows) -> None:
        """Nothing has to be read."""

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, rows: Rows) -> Tensor:
        return self.rows[torch.from_numpy(rows)]


def make_points(n: int, width: int, dtype: torch.dtype = torch.float32) -> Points:
    return Points(torch.randn(n, width, generator=torch.Generator().manual_seed(0), dtype=dtype))


class Layers(Backbone):
    """Layers one after another."""

    def __init__(self, out_features: int, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)
        self.out_features = out_features

    def forward(self, x: Tensor) -> Tensor:
        embedding: Tensor = self.layers(x)
        return embedding


def seeded(build: Callable[[], _Built], seed: int) -> _Built:
    """What a function builds when torch's generator starts from a seed."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return build()


def evaluate(
    task: Task, network: Network, auxiliary: nn.Module | None = None, *, enough: float = math.inf
) -> Assessment:
    """What an evaluation says about a network that no run has trained."""
    run = dataclasses.replace(start_run(task, 0, 0), network=network, auxiliary=auxiliary)
    return assess(task, run, enough=enough)


def noisy_network(seed: int) -> ClusterNetwork:
    """Ten features, three clusters, and all that makes a resumed run differ when something is forgotten."""

    def build() -> ClusterNetwork:
        layers = (nn.Linear(10, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.4))
        return ClusterNetwork(Layers(8, *layers), 3)

    return seeded(build, seed)


def normed_network(seed: int) -> ClusterNetwork:
    """Six features, four clusters, two layers with batch norm, in float64."""

    def build() -> ClusterNetwork:
        first, second = (nn.Linear(6, 9), nn.BatchNorm1d(9)), (nn.Linear(9, 5), nn.BatchNorm1d(5))
        return ClusterNetwork(Layers(5, *first, nn.ReLU(), *second, nn.Tanh()), 4).double()

    return seeded(build, seed)


class TwoTerms(Objective):
    """Cross entropy, and half the mean squared embedding."""

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__(LabelBatches(LABELS, 10), {"fit": 1.0, "size": 0.5})
        self.scale = scale

    def terms(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        assert batch.labels is not None
        fit = nn.functional.cross_entropy(output.logits, batch.labels)
        return {"fit": self.scale * fit, "size": output.embedding.square().mean()}

    def collapsed(self, shares: Tensor) -> bool:
        return False  # so few steps may well end in one cluster


class CentredNetwork(ClusterNetwork):
    """Gives out a centroid per cluster beside embedding and logits."""

    outputs = ("embedding", "logits", "centroids")
    shared_outputs = frozenset({"centroids"})

    def __init__(self, backbone: Backbone, n_clusters: int) -> None:
        super().__init__(backbone, n_clusters)
        self.centroids = nn.Parameter(torch.randn(n_clusters, backbone.out_features))

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return (*super().forward(x), self.centroids)


def centred(network: ClusterNetwork) -> CentredNetwork:
    """The network with three centroids, of its own type of numbers."""
    return seeded(lambda: CentredNetwork(network.backbone, 3).to(network.head.weight.dtype), 0)


class AllParts(Objective):
    """Two views, an auxiliary module that says which rows belong together, and two phases.

    Parameters
    ----------
    sampler : Sampler
    width : int
        Of the samples.
    border : int
        First step of the second phase, which sets the centroids from the embeddings.
    dtype : torch.dtype
        Of the auxiliary module.
    patience : int or None
        Of the first phase.
    """

    n_views = 2
    auxiliary_training = True

    def __init__(
        self,
        sampler: Sampler,
        width: int,
        border: int,
        dtype: torch.dtype = torch.float32,
        patience: int | None = None,
    ) -> None:
        second = {"pairs": 1.0, "views": 0.5, "centroids": 0.1}
        phases = (
            Phase("views", border, {"views": 1.0}, patience=patience),
            Phase("all", None, second, on_enter=self._enter, reset_optimizer=True),
        )
        super().__init__(sampler, phases=phases)
        self.auxiliary = seeded(
            lambda: nn.Sequential(nn.Linear(width, 3), nn.BatchNorm1d(3), nn.Dropout(0.1)).to(dtype), 1
        )
        self.entries: list[int] = []

    def _enter(self, embed: Callable[[], Tensor], seed: int) -> dict[str, Tensor]:
        self.entries.append(seed)
        embedding = embed()
        rows = np.random.default_rng(seed).permutation(len(embedding))[:3]
        # rounded: on two processes the last digits may differ
        return {"centroids": embedding[np.sort(rows)].round(decimals=2)}

    def targets(self, modules: Modules, samples: Tensor, output: Output, batch: Batch) -> Batch:
        assert modules.auxiliary is not None
        codes = modules.auxiliary(samples)[: len(batch.rows)].argmax(dim=1)
        same = torch.where(codes[:, None] == codes, 1, -1).to(torch.int8)
        return dataclasses.replace(batch, same=same, pair_weight=same.double())

    def collapsed(self, shares: Tensor) -> bool:
        return False

    def terms(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        assert batch.same is not None
        moved = torch.stack([(view.prob - output.prob).square().sum(1) for view in output.views])
        distance = torch.cdist(output.embedding, output["centroids"])
        return {
            "views": (moved * (batch.rows + 1)).mean() / 30,
            "pairs": ccl_matrix(output.prob, batch.same),
            "centroids": distance.min(dim=1).values.mean(),
        }


class SetBatches:
    """Batches of sets of 5 rows with their labels, 3 batches an epoch."""

    n_steps = 3

    def plan(self, seed: int, epoch: int, step: int) -> BatchPlan:
        rows = np.random.default_rng([seed, epoch, step]).permutation(30)[:20].reshape(4, 5)
        return BatchPlan(rows, labels=rows % 3)

    def evaluation_plans(self) -> Iterator[BatchPlan]:
        for step in range(self.n_steps):
            yield self.plan(0, 0, step)


class SetNetwork(Network):
    """Logits of each sample from the sample and the mean of its set, and logits of the whole set."""

    outputs = ("assignment", "count")

    def __init__(self, width: int) -> None:
        super().__init__()
        self.samples = nn.Linear(2 * width, 3)
        self.whole = nn.Linear(width, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        mean = x.mean(dim=1, keepdim=True)
        return self.samples(torch.cat([x, mean.expand_as(x)], dim=2)), self.whole(mean.squeeze(1))


class SetTerms(Objective):
    """Cross entropy of each sample, and the size of the other output."""

    def __init__(self) -> None:
        super().__init__(SetBatches(), {"assignment": 1.0, "count": 0.1})

    def terms(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        assert batch.labels is not None
        fit = nn.functional.cross_entropy(output["assignment"].flatten(0, 1), batch.labels.flatten())
        return {"assignment": fit, "count": output["count"].square().mean()}


def set_network(seed: int) -> SetNetwork:
    return seeded(lambda: SetNetwork(6).double(), seed)


class Stop(Exception):
    """Stands for whatever ends a process."""


class StopAfter:
    """Ends the session after so many steps, counted over restarts."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def on_step(self, run: Run) -> None:
        self.left -= 1
        if self.left == 0:
            raise Stop
