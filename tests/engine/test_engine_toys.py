"""Teachers, mined neighbours, weak and strong views, heads: each trains, stacks, races and resumes."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from tests.engine.tasks import SetNetwork, Stop, StopAfter, evaluate
from tests.engine.toys import TOYS, MeanTeacher, TwoHeads, squash, stretch, toy_task, two_heads
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from coterie import InputError
from coterie.data import RowBatches
from coterie.engine.assessment import assess
from coterie.engine.checkpoint import Checkpointer
from coterie.engine.loop import Run, start_run, train
from coterie.engine.objective import Modules
from coterie.engine.restarts import run_session
from coterie.engine.task import Task
from coterie.engine.training import Session
from coterie.nn import ClusterNetwork

SEEDS = [11, 12, 13, 14, 15]
HOWS = ("sequential", "stacked", "successive-halving")


def trained(task: Task) -> Run:
    run = start_run(task, 0, 5)
    train(task, run, task.total_steps)
    return run


def finished(name: str, how: str, callback: StopAfter | None = None) -> Session:
    session = Session(SEEDS.copy(), 2, how)
    run_session(toy_task(name), session, [callback] if callback else [])
    return session


def resumed(folder: Path, name: str, how: str, callback: StopAfter) -> Session:
    task = toy_task(name)
    checkpointer = Checkpointer(folder, "same", task)
    with checkpointer.active():
        session = checkpointer.restore(Session(SEEDS.copy(), 2, how))
        run_session(task, session, [checkpointer, callback])
    return session


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("name", TOYS)
def test_resume_after_every_step_is_bitwise(
    tmp_path: Path, name: str, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Checkpointer, "seconds", 0.0)
    counter = StopAfter(-1)
    whole = finished(name, how, counter)
    for _ in range(-counter.left - 1):
        with pytest.raises(Stop):
            resumed(tmp_path, name, how, StopAfter(1))
    again = resumed(tmp_path, name, how, StopAfter(-1))
    assert again.runs == whole.runs
    assert again.history == whole.history
    for one, other in zip(again.kept, whole.kept, strict=True):
        assert all(torch.equal(value, other.state[key]) for key, value in one.state.items())


@pytest.mark.parametrize("name", TOYS)
def test_stacked_equals_sequential(name: str) -> None:
    stacked, sequential = finished(name, "stacked"), finished(name, "sequential")
    for one, other in zip(stacked.kept, sequential.kept, strict=True):
        assert one.index == other.index
        assert one.loss == pytest.approx(other.loss, abs=1e-9)
        for key, value in one.state.items():
            torch.testing.assert_close(value, other.state[key], rtol=0, atol=1e-9)


def test_a_teacher_is_the_moving_average_of_the_weights() -> None:
    weights: list[Tensor] = []

    class Watched(MeanTeacher):
        def after_step(self, modules: Modules, step: int) -> None:
            assert not torch.is_grad_enabled()
            assert step == len(weights) + 1
            weights.append(modules.network.get_parameter("head.weight").clone())
            super().after_step(modules, step)

    task = dataclasses.replace(toy_task("teacher"), objective=Watched())
    expected = start_run(task, 0, 5).network.get_parameter("head.weight").detach()
    run = trained(task)
    for value in weights:
        expected = MeanTeacher.keep * expected + (1 - MeanTeacher.keep) * value
    assert run.auxiliary is not None
    assert len(weights) == task.total_steps
    torch.testing.assert_close(run.auxiliary.get_parameter("head.weight"), expected, rtol=0, atol=1e-12)
    assert not torch.equal(expected, weights[-1])


def test_a_teacher_follows_the_weights_of_a_stack() -> None:
    seen: list[tuple[int, Tensor]] = []

    class Watched(MeanTeacher):
        def after_step(self, modules: Modules, step: int) -> None:
            seen.append((step, modules.network.get_parameter("head.weight").clone()))

    task = dataclasses.replace(toy_task("teacher", steps=2), objective=Watched())
    run_session(task, Session([5, 6], how="stacked"))
    stacked, (seen_after, first) = list(seen), seen[0]
    seen.clear()
    trained(task)
    assert [step for step, _ in stacked] == [1, 1, 2, 2]
    assert seen_after == 1
    torch.testing.assert_close(first, seen[0][1], rtol=0, atol=1e-9)


def test_neighbors_are_mined_when_their_phase_begins() -> None:
    task = toy_task("neighbors")
    run = start_run(task, 0, 5)
    train(task, run, 4)
    assert run.sampler is task.objective.sampler
    assert run.sampler_state == {}
    run.network.eval()
    with torch.no_grad():
        embedding = run.network(task.source.take(np.arange(30)))[0].float()
    train(task, run, task.total_steps)
    distances = torch.cdist(embedding, embedding).fill_diagonal_(torch.inf)
    assert torch.equal(run.sampler_state["nearest"], distances.argmin(dim=1))
    plan = run.sampler.plan(5, 3, 0)
    assert plan.same is not None
    assert set(run.sampler_state["nearest"][plan.rows[:10]].tolist()) <= set(plan.rows.tolist())
    assert task.objective.sampler.plan(5, 3, 0).rows.tolist() == plan.rows[:10].tolist()
    mined = assess(task, run).loss
    run.sampler = task.objective.sampler
    assert assess(task, run).loss != mined


@pytest.mark.parametrize("wrong", [RowBatches(30, 10), None])
def test_a_sampler_that_takes_no_state_is_named(wrong: RowBatches | None) -> None:
    task = toy_task("neighbors")
    if wrong is not None:
        task.objective.sampler = wrong
        expected = "sampler_state: RowBatches must define with_state"
    else:
        sampler = task.objective.sampler
        object.__setattr__(sampler, "with_state", lambda state: RowBatches(30, 3))
        expected = "with_state: n_steps=10 must equal the 3"
    run = start_run(task, 0, 5)
    object.__setattr__(task.objective.phases[0], "steps", 0)
    with pytest.raises(InputError, match=expected):
        train(task, run, 1)


def test_each_view_has_an_augmentation_of_its_own() -> None:
    task, seen = toy_task("weak-strong"), []

    class Spy(SetNetwork):
        def forward(self, x: Tensor) -> tuple[Tensor, ...]:
            seen.append(x)
            raise StopIteration

    task = dataclasses.replace(task, make_network=lambda seed: Spy(6).double())
    with pytest.raises(StopIteration):
        trained(task)
    plain, weak, strong = seen[0].chunk(3)
    generator = torch.Generator()
    torch.testing.assert_close(weak, stretch(plain, generator))
    torch.testing.assert_close(strong, squash(plain, generator))


@pytest.mark.parametrize(
    ("n_views", "match"),
    [(3, "one for each of 3 views, got 2"), (None, "one for each of 1 views, got 2")],
)
def test_as_many_augmentations_as_views(n_views: int | None, match: str) -> None:
    task = toy_task("weak-strong")
    task.objective.n_views = n_views
    with pytest.raises(InputError, match=match):
        trained(task)


def test_the_head_of_lowest_loss_is_kept() -> None:
    task, session = toy_task("heads", steps=30), Session(list(range(6)), keep=6)
    run_session(task, session)
    heads = {info["restart"]: info["head"] for info in session.runs}
    assert set(heads.values()) == {"a", "b"}
    for kept in session.kept:
        network = two_heads(0)
        network.load_state_dict(kept.state)
        losses = {name: loss_by(task, network, name) for name in network.heads}
        assert kept.loss == min(losses.values()) == losses[heads[kept.index]]
        rows = task.source.take(np.arange(30))
        found = network.named(network.eval()(rows))
        torch.testing.assert_close(found["logits"], found[f"logits/{heads[kept.index]}"])


def loss_by(task: Task, network: TwoHeads, head: str) -> float:
    """Of one head alone."""

    one = ClusterNetwork(network.backbone, 4).double()
    one.head = cast(nn.Linear, network.get_submodule(head))
    return evaluate(task, one).loss


def test_training_minimises_the_mean_over_the_heads() -> None:
    task = toy_task("heads", steps=1)
    run = start_run(task, 0, 5)
    rows = task.objective.sampler.plan(5, 0, 0).rows
    found = run.network.named(run.network.train()(task.source.take(rows)))
    labels = torch.from_numpy(rows % 4)
    losses = [cross_entropy(found[f"logits/{name}"], labels).item() for name in "ab"]
    assert trained(task).history[0]["loss"] == pytest.approx(sum(losses) / 2)


def test_a_network_with_heads_must_say_how_one_is_kept() -> None:
    with pytest.raises(NotImplementedError, match="SetNetwork has heads and must define keep_head"):
        SetNetwork(6).keep_head("a")
