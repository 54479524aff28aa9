"""The loop: when it stops, what it records, and what it leaves alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from tests.engine.tasks import evaluate
from torch import Generator, Tensor

from coterie import InputError
from coterie._types import Batch, Output
from coterie.data import LabelBatches
from coterie.engine.assessment import assess
from coterie.engine.loop import Run, start_run, train
from coterie.engine.objective import Objective
from coterie.engine.restarts import run_session
from coterie.engine.runtime import choose_threads, make_runtime, torch_threads
from coterie.engine.task import Task
from coterie.engine.training import Session
from coterie.nn import build_network

MakeTask = Callable[..., Task]


class Constant(Objective):
    """A loss that no step lowers, optionally NaN from some step on."""

    def __init__(self, nan_from: float = math.inf) -> None:
        super().__init__(LabelBatches(np.arange(30) % 3, 10), {"c": 2.0})
        self.nan_from = nan_from
        self.calls = 0

    def terms(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        self.calls += 1
        value = math.nan if self.calls > self.nan_from else 3.0
        return {"c": output.logits.sum() * 0.0 + value}


class Recorder:
    """Remembers what it saw after each step."""

    def __init__(self) -> None:
        self.steps: list[int] = []

    def on_step(self, run: Run) -> None:
        self.steps.append(run.step)


def trained(task: Task, *callbacks: Any) -> Run:
    run = start_run(task, 0, 5)
    train(task, run, task.total_steps, callbacks)
    return run


def test_the_budget_ends_a_run(make_task: MakeTask) -> None:
    recorder = Recorder()
    run = trained(make_task(max_epochs=2), recorder)
    assert (run.stopped, run.step, recorder.steps) == ("budget", 6, [1, 2, 3, 4, 5, 6])


def test_a_budget_may_end_in_the_middle_of_an_epoch(make_task: MakeTask) -> None:
    run = trained(make_task(max_steps=7))
    assert [epoch["step"] for epoch in run.history] == [3, 6, 7]


def test_a_plateau_ends_a_run(make_task: MakeTask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coterie.engine.recipe.MIN_STALE_STEPS", 6)
    run = trained(make_task(objective=Constant(), max_epochs=50, patience=2))
    # the first epoch improves on nothing, two do not improve on it
    assert (run.stopped, run.step) == ("plateau", 9)


def test_without_patience_there_is_no_plateau(make_task: MakeTask) -> None:
    assert trained(make_task(objective=Constant(), max_epochs=20)).stopped == "budget"


def test_a_nan_loss_ends_the_epoch_as_diverged(make_task: MakeTask) -> None:
    run = trained(make_task(objective=Constant(nan_from=4), max_epochs=9))
    assert (run.stopped, run.step) == ("diverged", 6)
    assert math.isnan(run.history[-1]["loss"])


def test_history_has_the_means_of_every_term(make_task: MakeTask) -> None:
    task = make_task(max_epochs=2, learning_rate=0.1)
    record = trained(task).history
    columns = ["restart", "epoch", "step", "learning_rate", "fit", "size", "loss"]
    assert [list(epoch) for epoch in record] == [columns] * 2
    assert [epoch["learning_rate"] for epoch in record] == pytest.approx([0.1, 0.01])
    for epoch in record:
        assert epoch["loss"] == pytest.approx(epoch["fit"] + 0.5 * epoch["size"], rel=1e-6)


def test_a_partial_epoch_is_the_mean_of_its_own_steps(make_task: MakeTask) -> None:
    record = trained(make_task(objective=Constant(), max_steps=5)).history
    assert [epoch["loss"] for epoch in record] == [6.0, 6.0]


def test_training_lowers_the_loss(make_task: MakeTask) -> None:
    task = make_task(max_epochs=40, drops=())
    before = assess(task, start_run(task, 0, 5)).loss
    assert assess(task, trained(task)).loss < 0.8 * before


def test_the_same_seed_gives_the_same_weights(make_task: MakeTask) -> None:
    first, second = (trained(make_task()).network.state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_augment_sees_a_generator_of_its_step(make_task: MakeTask) -> None:
    seeds: list[int] = []

    def augment(x: Tensor, generator: Generator) -> Tensor:
        seeds.append(generator.initial_seed())
        return x

    trained(make_task(augment=augment))
    again, seeds[:] = seeds.copy(), []
    trained(make_task(augment=augment))
    assert seeds == again
    assert len(set(seeds)) == 6


@pytest.mark.parametrize("wrong", [lambda x, g: x[:, :3], lambda x, g: None, lambda x, g: x.numpy()])
def test_augment_has_to_keep_the_shape(make_task: MakeTask, wrong: Any) -> None:
    with pytest.raises(InputError, match=r"augment must give a batch of shape \(10, 10\)"):
        trained(make_task(augment=wrong))


def test_an_assessment_ends_where_it_has_seen_enough(make_task: MakeTask) -> None:
    task = make_task()
    network = start_run(task, 0, 5).network
    found = {enough: evaluate(task, network, enough=enough).codes for enough in (1, 10, 11, 30, 31)}
    assert [len(codes) for codes in found.values() if codes is not None] == [10, 10, 20, 30, 30]


def test_an_assessment_is_one_pass_in_eval_mode(make_task: MakeTask) -> None:
    task = make_task()
    network = start_run(task, 0, 5).network
    before = {name: value.clone() for name, value in network.state_dict().items()}
    first = evaluate(task, network).loss
    assert first == evaluate(task, network).loss
    assert not network.training
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    network.train()
    with torch.no_grad():
        rows = torch.from_numpy(np.concatenate([p.rows for p in task.objective.sampler.evaluation_plans()]))
    assert sorted(rows.tolist()) == list(range(30))


def test_threads_are_put_back() -> None:
    before = torch.get_num_threads()
    with torch_threads(3):
        assert torch.get_num_threads() == 3
    assert torch.get_num_threads() == before

    def fail() -> None:
        with torch_threads(3):
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert torch.get_num_threads() == before


def test_small_networks_take_one_thread() -> None:
    cpu = torch.device("cpu")
    small = build_network("mlp", (8,), 3, 0)
    large = build_network("mlp", (40_000,), 3, 0)
    with torch_threads(2):
        assert choose_threads("auto", small, cpu) == 1
        assert choose_threads("auto", large, cpu) == 2
        assert choose_threads(4, small, cpu) == 4


@pytest.mark.parametrize("device", ["gpu", "cuda:99", ""])
def test_an_unknown_device_is_named(device: str) -> None:
    with pytest.raises(InputError, match=f"device: '{device}' cannot be used"):
        make_runtime(device)


def test_restarts_differ_and_the_lowest_loss_is_kept(make_task: MakeTask) -> None:
    session = Session([1, 2, 3, 4], keep=2)
    run_session(make_task(), session)
    losses = [info["loss"] for info in session.runs]
    assert len(set(losses)) == 4
    best, second = np.argsort(losses)[:2]
    assert [kept.index for kept in session.kept] == [best, second]
    assert [info["restart"] for info in session.runs if info["chosen"]] == [best]
    assert [epoch["restart"] for epoch in session.history] == [0, 0, 1, 1, 2, 2, 3, 3]
    assert list(session.runs[0]) == [
        *["restart", "seed", "loss", "steps", "epochs", "stopped", "rung", "how", "threads"],
        *["collapsed", "replaced", "duplicate_of", "chosen"],
    ]


def test_kept_weights_give_the_loss_they_were_kept_for(make_task: MakeTask) -> None:
    task, session = make_task(), Session([1, 2, 3], keep=3)
    run_session(task, session)
    for kept in session.kept:
        network = task.make_network(0)
        network.load_state_dict(kept.state)
        assert evaluate(task, network).loss == kept.loss


def test_more_kept_than_run_keeps_all(make_task: MakeTask) -> None:
    session = Session([1, 2], keep=9)
    run_session(make_task(), session)
    assert len(session.kept) == 2


def test_a_diverged_restart_is_never_chosen(make_task: MakeTask) -> None:
    class FirstDiverges(Constant):
        def terms(self, output: Output, batch: Batch) -> dict[str, Tensor]:
            self.calls += 1
            return {"c": output.logits.sum() * 0.0 + (math.nan if self.calls <= 3 else 1.0)}

    session = Session([1, 2])
    run_session(make_task(objective=FirstDiverges()), session)
    assert [info["stopped"] for info in session.runs] == ["diverged", "budget"]
    assert session.runs[0]["loss"] is None
    assert [kept.index for kept in session.kept] == [1]


def test_all_diverged_is_an_error(make_task: MakeTask) -> None:
    with pytest.raises(InputError, match="all 2 restarts diverged"):
        run_session(make_task(objective=Constant(nan_from=0)), Session([1, 2]))
