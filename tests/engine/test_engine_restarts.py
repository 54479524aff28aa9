"""Restarts: stacked as in turn, by successive halving, doubles, replaced ones, and which way is chosen."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from tests.engine.tasks import (
    AllParts,
    Layers,
    SetTerms,
    TwoTerms,
    centred,
    make_points,
    normed_network,
    seeded,
)
from torch import Tensor, nn

from coterie import InputError, Pairs
from coterie._types import BatchPlan
from coterie.data import LabelBatches, PairBatches
from coterie.engine import restarts as engine_restarts
from coterie.engine.assessment import Assessment, assess
from coterie.engine.loop import Run
from coterie.engine.restarts import RUNG_ROWS, choose_how, planned_steps, run_session
from coterie.engine.task import Task
from coterie.engine.training import FINALISTS, Session
from coterie.losses.pairs import DEFAULT_OPTIONS
from coterie.methods.pair_objectives import PairObjective
from coterie.nn import ClusterNetwork, build_network

MakeTask = Callable[..., Task]
SEEDS = [3, 4, 5]


def double_task(make_task: MakeTask, **changes: Any) -> Task:
    """In float64 and without dropout, which stacked runs draw otherwise."""
    settings: dict[str, Any] = {"make_network": normed_network, "max_steps": 10} | changes
    return dataclasses.replace(make_task(**settings), source=make_points(30, 6, torch.float64))


def finished(task: Task, how: str, seeds: list[int] = SEEDS, keep: int = 9, callbacks: Any = ()) -> Session:
    session = Session(list(seeds), keep, how)
    run_session(task, session, callbacks)
    return session


def assert_close(first: Session, second: Session) -> None:
    assert len(first.kept) == len(second.kept) > 1
    for one, other in zip(first.kept, second.kept, strict=True):
        assert one.index == other.index
        assert one.loss == pytest.approx(other.loss, abs=1e-8)
        for name in one.state:
            torch.testing.assert_close(one.state[name], other.state[name], rtol=0, atol=1e-8)
    for epoch, same in zip(first.history, second.history, strict=True):
        assert epoch == pytest.approx(same, abs=1e-8)


def pair_objective() -> PairObjective:
    pairs = Pairs.from_labels(np.arange(30) % 3, 40, random_state=0)
    return PairObjective(PairBatches(pairs, 7), "kcl", 2.0, DEFAULT_OPTIONS, 0.0)


@pytest.mark.parametrize(
    "changes",
    [
        {"optimizer": "adam", "weight_decay": 0.01},
        {"optimizer": "sgd", "clip_norm": 0.05},
        {"optimizer": "sgd", "momentum": 0.9},
        {"optimizer": "adadelta", "learning_rate": 1.0},
        {"optimizer": "adam", "warmup_steps": 4},
    ],
    ids=lambda changes: "-".join(map(str, changes.values())),
)
def test_stacked_equals_in_turn(make_task: MakeTask, changes: dict[str, Any]) -> None:
    task = double_task(make_task, **changes)
    stacked = finished(task, "stacked")
    assert any(name.endswith("running_var") for name in stacked.kept[0].state)
    assert_close(stacked, finished(task, "sequential"))


def test_stacked_equals_in_turn_on_batches_of_unequal_size(make_task: MakeTask) -> None:
    task = double_task(make_task, objective=pair_objective())
    plan = task.objective.sampler.plan
    assert any(len({len(plan(seed, 0, step).rows) for seed in SEEDS}) > 1 for step in range(3))
    assert_close(finished(task, "stacked"), finished(task, "sequential"))


def test_stacked_equals_in_turn_with_views_targets_and_phases(make_task: MakeTask) -> None:
    def objective() -> AllParts:
        parts = AllParts(LabelBatches(np.arange(30) % 3, 10), 6, border=4, dtype=torch.float64)
        assert isinstance(parts.auxiliary, nn.Sequential)
        parts.auxiliary.eval()
        parts.auxiliary_training = False
        return parts

    task = double_task(
        make_task,
        objective=objective(),
        make_network=lambda seed: centred(normed_network(seed)),
        augment=lambda x, generator: x + 0.1 * torch.randn(x.shape, generator=generator, dtype=x.dtype),
    )
    assert_close(finished(task, "stacked"), finished(task, "sequential"))


def test_a_plateau_ends_one_run_of_a_stack(make_task: MakeTask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coterie.engine.recipe.MIN_STALE_STEPS", 1)
    task = double_task(make_task, max_steps=60, patience=1, learning_rate=0.2, optimizer="sgd", drops=())
    stacked = finished(task, "stacked")
    assert len({info["steps"] for info in stacked.runs}) > 1
    assert_close(stacked, finished(task, "sequential"))


class Alive:
    """Counts the steps of all runs."""

    def __init__(self) -> None:
        self.steps = 0

    def on_step(self, run: Run) -> None:
        self.steps += 1


def test_the_best_quarter_goes_on_at_each_rung(make_task: MakeTask) -> None:
    task, counter = double_task(make_task, max_steps=64), Alive()
    session = finished(task, "successive-halving", list(range(20)), keep=1, callbacks=[counter])
    rungs = [info["rung"] for info in session.runs]
    assert [rungs.count(rung) for rung in range(3)] == [15, 3, 2]
    steps = {info["rung"]: info["steps"] for info in session.runs}
    assert steps == {0: 4, 1: 16, 2: 64}
    assert counter.steps == planned_steps(task, session) == 236  # 3.7 runs of 64
    assert [info["stopped"] for info in session.runs].count("pruned") == 18
    chosen = next(info for info in session.runs if info["chosen"])
    assert chosen["loss"] == min(info["loss"] for info in session.runs if info["rung"] == 2)
    assert [info["restart"] for info in session.runs] == list(range(20))


def test_successive_halving_keeps_as_many_finalists_as_are_wanted(make_task: MakeTask) -> None:
    session = finished(double_task(make_task, max_steps=32), "successive-halving", list(range(8)), keep=5)
    assert len(session.kept) == 5
    few = finished(double_task(make_task, max_steps=32), "successive-halving", list(range(FINALISTS)))
    assert [info["steps"] for info in few.runs] == [32] * FINALISTS


def test_raced_finalists_are_what_they_are_in_turn(make_task: MakeTask) -> None:
    task = double_task(make_task, max_steps=32)
    seeds = list(range(8))
    in_turn = {kept.index: kept for kept in finished(task, "sequential", seeds).kept}
    for kept in finished(task, "successive-halving", seeds).kept:
        assert kept.loss == in_turn[kept.index].loss
        assert all(torch.equal(kept.state[name], in_turn[kept.index].state[name]) for name in kept.state)


def test_rungs_before_the_end_look_at_a_sample_of_the_rows(
    make_task: MakeTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []

    def spy(*args: Any, enough: float) -> Assessment:
        asked.append(enough)
        return assess(*args, enough=enough)

    monkeypatch.setattr("coterie.engine.training.assess", spy)
    finished(double_task(make_task, max_steps=32), "successive-halving", list(range(20)))
    assert set(asked[: 20 + 5]) == {RUNG_ROWS}
    assert asked == sorted(asked)  # those that replace collapsed ones come on top, at each rung
    assert asked[-FINALISTS:] == [math.inf] * FINALISTS


@pytest.mark.parametrize("rounds", [1, 2])
def test_rungs_lie_where_the_terms_are_those_of_the_last_phase(make_task: MakeTask, rounds: int) -> None:
    objective = AllParts(LabelBatches(np.arange(30) % 3, 10), 6, border=20, dtype=torch.float64)
    first, last = objective.phases
    objective.phases = (first, *[dataclasses.replace(last, steps=3)] * (rounds - 1), last)
    task = double_task(
        make_task,
        objective=objective,
        make_network=lambda seed: centred(normed_network(seed)),
        augment=lambda x, generator: x,
        max_steps=36,
    )
    session = finished(task, "successive-halving", list(range(20)), keep=1)
    assert sorted({info["steps"] for info in session.runs}) == [21, 24, 36]


def test_the_same_clustering_is_recognised(make_task: MakeTask) -> None:
    def relabelled(seed: int) -> ClusterNetwork:
        """Seeds from 100 on give the networks of those below with the clusters in another order."""
        network = normed_network(seed % 100)
        order = torch.tensor([2, 0, 3, 1]) if seed >= 100 else torch.arange(4)
        with torch.no_grad():
            for parameter in network.head.parameters():
                parameter.copy_(parameter[order].clone())
        return network

    task = double_task(make_task, make_network=relabelled, learning_rate=1e-9)
    session = finished(task, "sequential", [1, 2, 101])
    doubles = [info["duplicate_of"] for info in session.runs]
    assert sorted(doubles, key=str) in ([0, None, None], [2, None, None])
    assert doubles[1] is None


class Collapsing(TwoTerms):
    """Takes so many evaluations as collapsed."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    def collapsed(self, shares: Tensor) -> bool:
        assert shares.sum() == pytest.approx(1.0)
        self.times -= 1
        return self.times >= 0


@pytest.mark.parametrize("how", ["sequential", "stacked", "successive-halving"])
def test_collapsed_restarts_are_replaced(make_task: MakeTask, how: str) -> None:
    session = finished(double_task(make_task, objective=Collapsing(2)), how, [3, 4, 5], keep=3)
    assert [info["replaced"] for info in session.runs].count(True) == 2
    assert len(session.runs) == 5
    assert len({info["seed"] for info in session.runs}) == 5
    assert not session.runs[session.kept[0].index]["replaced"]
    assert not session.kept[0].collapsed


@pytest.mark.parametrize("how", ["sequential", "stacked", "successive-halving"])
def test_no_more_than_so_many_are_replaced(make_task: MakeTask, how: str) -> None:
    seeds = list(range(6))
    session = finished(double_task(make_task, objective=Collapsing(1000)), how, seeds, keep=1)
    assert [info["replaced"] for info in session.runs].count(True) == 6
    assert len(session.runs) == 12
    assert session.kept[0].collapsed


def test_one_cluster_is_a_collapse_only_of_several() -> None:
    objective = SetTerms()
    assert objective.collapsed(torch.tensor([0.0, 1.0, 0.0]))
    assert not objective.collapsed(torch.tensor([0.1, 0.9, 0.0]))
    assert not objective.collapsed(torch.tensor([1.0]))


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.LSTM(6, 5, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        hidden: Tensor = self.layer(x.unsqueeze(1))[0].flatten(1)
        return hidden


def recurrent(seed: int) -> ClusterNetwork:
    return seeded(lambda: ClusterNetwork(Layers(5, Recurrent()), 4).double(), seed)


def test_what_cannot_be_stacked_is_said(make_task: MakeTask) -> None:
    task = double_task(make_task, make_network=recurrent)
    assert choose_how(task, "auto", SEEDS) == "sequential"
    with pytest.raises(InputError, match="restarts='stacked' cannot train this network"):
        choose_how(task, "stacked", SEEDS)


def test_auto_is_a_rule_of_network_and_batches(make_task: MakeTask) -> None:
    task = double_task(make_task)
    assert choose_how(task, "auto", SEEDS) == "stacked"
    assert choose_how(task, "auto", [1]) == choose_how(task, "successive-halving", [1]) == "sequential"
    assert [choose_how(task, how, SEEDS) for how in ("sequential", "successive-halving")] == [
        "sequential",
        "successive-halving",
    ]
    several = dataclasses.replace(task, runtime=dataclasses.replace(task.runtime, world=2))
    assert choose_how(several, "auto", SEEDS) == choose_how(several, "stacked", SEEDS) == "sequential"
    assert choose_how(double_task(make_task, objective=pair_objective()), "auto", SEEDS) == "sequential"

    def lenet(seed: int) -> ClusterNetwork:
        return build_network("lenet", (28, 28), 3, seed)

    assert choose_how(make_task(make_network=lenet), "auto", SEEDS) == "sequential"


class Uneven:
    """A sampler of other sizes in the second epoch."""

    n_steps = 1

    def plan(self, seed: int, epoch: int, step: int) -> BatchPlan:
        rows = np.random.default_rng([seed, epoch]).permutation(30)[: 10 + epoch * seed]
        return BatchPlan(rows, labels=rows % 3)

    def evaluation_plans(self) -> Iterator[BatchPlan]:
        yield self.plan(0, 0, 0)


def test_sizes_may_change_in_a_stack(make_task: MakeTask) -> None:
    objective = TwoTerms()
    objective.sampler = Uneven()
    task = double_task(make_task, objective=objective, max_steps=3)
    assert_close(finished(task, "stacked"), finished(task, "sequential"))


@pytest.mark.parametrize(("n_restarts", "begun"), [(3, 3), (4, 2), (1, 1)])
def test_the_last_sequential_restarts_begin_together(
    make_task: MakeTask, n_restarts: int, begun: int
) -> None:
    """Two processes and three restarts: none of the processes waits while the third restart trains."""
    session = Session(list(range(n_restarts)))
    engine_restarts._start(make_task(max_steps=4), session, 2)
    assert len(session.live) == begun
