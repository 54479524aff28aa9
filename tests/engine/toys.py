"""Toy objectives, one for each of the things that modern objectives need from the engine."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from tests.engine.tasks import Layers, Points, make_points, normed_network, seeded
from torch import Generator, Tensor, nn
from torch.nn import functional

from coterie._types import Batch, BatchPlan, Output
from coterie.data import RowBatches, Sampler
from coterie.data.augment import Augment
from coterie.engine.objective import Modules, Objective, Phase
from coterie.engine.recipe import Recipe
from coterie.engine.runtime import Runtime
from coterie.engine.task import Task
from coterie.losses.ccl import ccl_matrix
from coterie.nn import Network
from coterie.nn.backbone import Backbone

N, WIDTH, BATCH = 30, 6, 10


def stretch(x: Tensor, generator: Generator) -> Tensor:
    """A weak view that is no matter of chance: processes draw from generators of their own."""
    return x + 0.1 * x.sin()


def squash(x: Tensor, generator: Generator) -> Tensor:
    """A strong one."""
    return x.tanh()


class Toy(Objective):
    """So few steps may well end in one cluster."""

    def collapsed(self, shares: Tensor) -> bool:
        return False


class MeanTeacher(Toy):
    """Agrees with a teacher, whose weights are a moving average of the network's."""

    keep = 0.9

    def __init__(self) -> None:
        super().__init__(RowBatches(N, BATCH), {"agree": 1.0})

    def make_auxiliary(self, network: Network) -> nn.Module:
        return copy.deepcopy(network)

    def after_step(self, modules: Modules, step: int) -> None:
        assert modules.auxiliary is not None
        for mean, value in zip(modules.auxiliary.parameters(), modules.network.parameters(), strict=True):
            mean.lerp_(value, 1 - self.keep)

    def targets(self, modules: Modules, samples: Tensor, output: Output, batch: Batch) -> Batch:
        assert modules.auxiliary is not None
        taught = modules.auxiliary(samples)[1].softmax(1)
        return dataclasses.replace(batch, targets={"both": (taught + output.prob.roll(1, 1)) / 2})

    def terms(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        return {"agree": functional.cross_entropy(output.logits, batch.targets["both"])}


@dataclass(frozen=True)
class NeighborBatches:
    """Rows and one neighbour of each, which belong together; without a state, the rows alone."""

    rows: RowBatches
    neighbors: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def n_steps(self) -> int:
        return self.rows.n_steps

    def with_state(self, state: Mapping[str, Tensor]) -> Sampler:
        return dataclasses.replace(self, neighbors=state)

    def plan(self, seed: int, epoch: int, step: int) -> BatchPlan:
        return self._paired(self.rows.plan(seed, epoch, step))

    def evaluation_plans(self) -> Iterator[BatchPlan]:
        return map(self._paired, self.rows.evaluation_plans())

    def _paired(self, plan: BatchPlan) -> BatchPlan:
        nearest = self.neighbors["nearest"].numpy() if self.neighbors else np.arange(N)
        rows = np.array(list(dict.fromkeys([*plan.rows, *nearest[plan.rows]])))
        together = nearest[rows][:, None] == rows
        same = np.eye(len(rows), dtype=bool) | together | together.T
        return BatchPlan(rows, same=np.where(same, 1, -1).astype(np.int8), n_drawn=len(plan.rows))


class Neighbors(Toy):
    """Nearest neighbours in the embedding, mined when the second phase begins, belong together."""

    def __init__(self, border: int = 4) -> None:
        phases = (
            Phase("apart", border, {"pairs": 1.0}),
            Phase("mined", None, {"pairs": 1.0}, sampler_state=self._mine),
        )
        super().__init__(NeighborBatches(RowBatches(N, BATCH)), phases=phases)

    def _mine(self, embed: Callable[[], Tensor], seed: int) -> dict[str, Tensor]:
        embedding = embed()
        return {"nearest": (torch.cdist(embedding, embedding) + 1e9 * torch.eye(N)).argmin(dim=1)}

    def terms(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        assert batch.same is not None
        return {"pairs": ccl_matrix(output.prob, batch.same)}


class WeakStrong(Toy):
    """The strong view of each row takes the cluster of the weak one."""

    n_views = 2

    def __init__(self) -> None:
        super().__init__(RowBatches(N, BATCH), {"copy": 1.0})

    def terms(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        weak, strong = output.views
        return {"copy": functional.cross_entropy(strong.logits, weak.prob.detach())}


class TwoHeads(Network):
    """A backbone and two heads; "logits" are those of the head that is kept."""

    outputs = ("embedding", "logits", "logits/a", "logits/b")
    heads = ("a", "b")

    def __init__(self, backbone: Backbone, n_clusters: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.a, self.b = (backbone.make_head(n_clusters) for _ in self.heads)
        self.kept: Tensor
        self.register_buffer("kept", torch.tensor([1.0, 0.0]))

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        embedding = self.backbone(x)
        each = torch.stack([self.a(embedding), self.b(embedding)])
        return embedding, (each * self.kept[:, None, None]).sum(0), each[0], each[1]

    def keep_head(self, head: str) -> None:
        self.kept.copy_(torch.tensor([head == "a", head == "b"]))


def two_heads(seed: int) -> TwoHeads:
    def build() -> TwoHeads:
        return TwoHeads(Layers(9, nn.Linear(WIDTH, 9), nn.BatchNorm1d(9), nn.Tanh()), 4).double()

    return seeded(build, seed)


class Labelled(Toy):
    """Cross entropy with labels, by each head."""

    def __init__(self) -> None:
        super().__init__(RowBatches(N, BATCH), {"fit": 1.0})

    def terms(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        return {"fit": functional.cross_entropy(output.logits, batch.rows % 4)}


TOYS: dict[str, Callable[[], Toy]] = {
    "teacher": MeanTeacher,
    "neighbors": Neighbors,
    "weak-strong": WeakStrong,
    "heads": Labelled,
}


def toy_task(name: str, runtime: Runtime | None = None, steps: int = 9) -> Task:
    """A task in float64 of 3 steps an epoch."""
    points: Points = make_points(N, WIDTH, torch.float64)
    recipe = Recipe("sgd", 0.1, BATCH, max_epochs=1, max_steps=steps, momentum=0.9)
    views: tuple[Augment, ...] | None = (stretch, squash) if name == "weak-strong" else None
    make_network = two_heads if name == "heads" else normed_network
    runtime = runtime or Runtime(torch.device("cpu"))
    return Task(points, TOYS[name](), recipe, runtime, make_network, views)
