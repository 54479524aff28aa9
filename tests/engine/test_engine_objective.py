"""What an objective may ask of the engine: outputs by name, views, phases, an auxiliary module, sets."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from tests.engine.tasks import (
    AllParts,
    SetTerms,
    centred,
    make_points,
    noisy_network,
    set_network,
)
from torch import Generator, Tensor, nn

from coterie import InputError
from coterie._types import Batch, Output
from coterie.data import LabelBatches
from coterie.engine.assessment import assess
from coterie.engine.loop import Run, start_run, train
from coterie.engine.objective import Modules, Objective, Phase
from coterie.engine.runtime import Runtime
from coterie.engine.task import Task, global_terms
from coterie.nn import Network

MakeTask = Callable[..., Task]


def sampler() -> LabelBatches:
    return LabelBatches(np.arange(30) % 3, 10)


class Recorder(Objective):
    """Remembers what it was given; the loss is the mean logit, or a constant."""

    def __init__(self, weights: dict[str, float] | None = None, *, phases: tuple[Phase, ...] = ()) -> None:
        super().__init__(sampler(), weights or (None if phases else {"first": 1.0}), phases=phases)
        self.seen: list[tuple[Output, Batch]] = []
        self.constant = False

    def terms(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        self.seen.append((output, batch))
        value = output.logits.square().mean()
        return dict.fromkeys(self.weights, value * 0 + 1 if self.constant else value)


class Twofold:
    """A view that is the samples times 2, 3, ...: by its place in the batch."""

    def __call__(self, x: Tensor, generator: Generator) -> Tensor:
        factors = torch.arange(len(x) // 10).repeat_interleave(10) + 2
        return x * factors[:, None]


class Plain(Network):
    """Gives its input back as embedding, with a weight to train."""

    outputs: tuple[str, ...] = ("embedding", "logits")

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(10))

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return x, x * self.weight


def all_parts(make_task: MakeTask, border: int = 4, **changes: Any) -> Task:
    objective = AllParts(sampler(), 10, border)
    return make_task(
        objective=objective,
        augment=lambda x, generator: x + 0.1 * torch.randn(x.shape, generator=generator),
        make_network=lambda seed: centred(noisy_network(seed)),
        **changes,
    )


def trained(task: Task) -> Run:
    run = start_run(task, 0, 5)
    train(task, run, task.total_steps)
    return run


def test_outputs_come_by_name() -> None:
    output = Output({"embedding": torch.ones(2, 3), "logits": torch.zeros(2, 4), "more": torch.ones(1)})
    assert output["more"] is output.tensors["more"]
    assert output.embedding is output["embedding"]
    torch.testing.assert_close(output.prob, torch.full((2, 4), 0.25))
    with pytest.raises(KeyError):
        output["none"]


def test_a_network_of_fewer_outputs_than_names_fails(make_task: MakeTask) -> None:
    class Short(Plain):
        outputs = ("embedding", "logits", "third")

    with pytest.raises(ValueError, match="shorter"):
        trained(make_task(objective=Recorder(), make_network=lambda seed: Short()))


def test_plain_rows_and_their_views_in_row_order(make_task: MakeTask) -> None:
    objective = Recorder()
    objective.n_views = 2
    trained(make_task(objective=objective, augment=Twofold(), make_network=lambda seed: Plain(), max_steps=1))
    ((output, batch),) = objective.seen
    rows = make_points(30, 10).rows[batch.rows]
    torch.testing.assert_close(output.embedding, rows)
    assert len(output.views) == 2
    for factor, view in zip((2, 3), output.views, strict=True):
        torch.testing.assert_close(view.embedding, factor * rows)


def test_no_views_means_plain_rows(make_task: MakeTask) -> None:
    objective = Recorder()
    objective.n_views = 0
    trained(make_task(objective=objective, augment=Twofold(), make_network=lambda seed: Plain(), max_steps=1))
    ((output, batch),) = objective.seen
    torch.testing.assert_close(output.embedding, make_points(30, 10).rows[batch.rows])
    assert output.views == ()


def test_views_without_augment_are_refused(make_task: MakeTask) -> None:
    objective = Recorder()
    objective.n_views = 2
    with pytest.raises(InputError, match="augment must not be None: the objective compares 2 views"):
        trained(make_task(objective=objective))


def test_evaluation_sees_the_same_views_each_time(make_task: MakeTask) -> None:
    task = all_parts(make_task)
    run = start_run(task, 0, 5)
    torch.manual_seed(1)
    first = assess(task, run).loss
    torch.manual_seed(2)
    assert assess(task, run).loss == first


def test_each_phase_minimises_its_own_weights(make_task: MakeTask) -> None:
    objective = Recorder(
        phases=(Phase("one", 2, {"first": 1.0}), Phase("two", None, {"second": 10.0, "first": 2.0}))
    )
    objective.constant = True
    task = make_task(objective=objective, max_steps=4)
    run = trained(task)
    assert list(objective.weights) == ["first", "second"]
    # steps 0 and 1 count 1, step 2 counts 12; the last epoch is step 3
    assert [epoch["loss"] for epoch in run.history] == pytest.approx([14 / 3, 12.0])
    assert [epoch["phase"] for epoch in run.history] == [2, 2]
    assert [(epoch["first"], epoch["second"]) for epoch in run.history] == [(1.0, 1.0)] * 2
    assert assess(task, run).loss == pytest.approx(12.0)


def test_a_term_without_weight_does_not_train(make_task: MakeTask) -> None:
    objective = Recorder(phases=(Phase("idle", None, {"first": 0.0}),))
    task = make_task(objective=objective, make_network=lambda seed: Plain(), optimizer="sgd", max_steps=3)
    assert torch.equal(trained(task).network.get_parameter("weight"), torch.ones(10))


def test_a_plateau_is_sought_in_the_last_phase_alone(
    make_task: MakeTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coterie.engine.recipe.MIN_STALE_STEPS", 1)
    objective = Recorder(phases=(Phase("one", 10, {"first": 1.0}), Phase("two", None, {"first": 2.0})))
    objective.constant = True
    run = trained(make_task(objective=objective, max_epochs=30, patience=2))
    # epochs of 3 steps: the fourth, across the border, does not count; the fifth is the first that does
    assert (run.stopped, run.step, run.best) == ("plateau", 21, 2.0)


def test_a_phase_may_end_early(make_task: MakeTask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coterie.engine.recipe.MIN_STALE_STEPS", 1)
    weights = {"first": 1.0}
    objective = Recorder(phases=(Phase("one", 100, weights, patience=2), Phase("two", None, weights)))
    objective.constant = True
    run = trained(make_task(objective=objective, max_steps=15))
    # of the epochs of 3 steps the first improves, and the two after it do not
    assert (run.entered, run.entered_at, run.stopped, run.step) == (2, 9, "budget", 15)


def test_on_enter_sets_parameters_from_all_embeddings(make_task: MakeTask) -> None:
    given: list[Tensor] = []

    def enter(embed: Callable[[], Tensor], seed: int) -> dict[str, Tensor]:
        assert 0 <= seed < 2**32
        given.append(embed())
        return {"weight": torch.arange(10.0)}

    objective = Recorder(
        phases=(Phase("one", 2, {"first": 1.0}), Phase("two", None, {"first": 0.0}, on_enter=enter))
    )
    task = make_task(objective=objective, make_network=lambda seed: Plain(), max_steps=6)
    run = trained(task)
    (embedding,) = given
    torch.testing.assert_close(embedding, make_points(30, 10).rows)
    assert embedding.dtype == torch.float32
    assert not embedding.requires_grad
    # momentum of the first phase moves the new values on
    torch.testing.assert_close(run.network.get_parameter("weight"), torch.arange(10.0), rtol=0, atol=0.1)
    assert run.entered == 2


def test_on_enter_leaves_the_network_in_training_mode(make_task: MakeTask) -> None:
    task = all_parts(make_task, border=0, max_steps=2)
    run = trained(task)
    assert run.network.training
    assert run.entered == 2


def test_a_fresh_optimizer_forgets(make_task: MakeTask) -> None:
    def run(reset: bool) -> Run:
        second = Phase("two", None, {"first": 0.0}, reset_optimizer=reset)
        objective = Recorder(phases=(Phase("one", 2, {"first": 1.0}), second))
        return trained(make_task(objective=objective, make_network=lambda seed: Plain(), max_steps=3))

    kept, fresh = run(False), run(True)
    (moments,) = kept.optimizer.state.values()
    assert moments["exp_avg"].abs().sum() > 0
    (moments,) = fresh.optimizer.state.values()
    assert moments["exp_avg"].abs().sum() == 0


@pytest.mark.parametrize("values", [{"none": torch.ones(10)}, {"weight": torch.ones(3)}])
def test_on_enter_may_set_parameters_alone(make_task: MakeTask, values: dict[str, Tensor]) -> None:
    phases = (Phase("only", None, {"first": 1.0}, on_enter=lambda embed, seed: values),)
    with pytest.raises(InputError, match="on_enter of phase only must give parameters"):
        trained(make_task(objective=Recorder(phases=phases), make_network=lambda seed: Plain()))


def test_only_the_last_phase_has_no_end() -> None:
    phases = (Phase("one", None, {"first": 1.0}), Phase("two", None, {"first": 1.0}))
    with pytest.raises(InputError, match="phases: steps must be a number"):
        Recorder(phases=phases)


def test_the_phase_of_a_step() -> None:
    weights = {"first": 1.0}
    objective = Recorder(
        phases=(Phase("one", 2, weights), Phase("none", 0, weights), Phase("two", 3, weights))
    )
    assert [objective.phase_at(step) for step in range(7)] == [0, 0, 2, 2, 2, 2, 2]


def test_the_auxiliary_module_is_each_runs_own(make_task: MakeTask) -> None:
    task = all_parts(make_task)
    assert task.objective.auxiliary is not None
    before = {name: value.clone() for name, value in task.objective.auxiliary.state_dict().items()}
    run = trained(task)
    assert run.auxiliary is not None
    assert run.auxiliary.training
    assert not any(parameter.requires_grad for parameter in run.auxiliary.parameters())
    after = task.objective.auxiliary.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    moved = run.auxiliary.get_buffer("1.running_mean").clone()
    assert not torch.equal(moved, before["1.running_mean"])
    assess(task, run)
    assert torch.equal(moved, run.auxiliary.get_buffer("1.running_mean"))


def test_targets_see_what_the_network_saw(make_task: MakeTask) -> None:
    seen: list[Tensor] = []

    class Teacher(Recorder):
        auxiliary = nn.Linear(10, 2)

        def targets(self, modules: Modules, samples: Tensor, output: Output, batch: Batch) -> Batch:
            assert not torch.is_grad_enabled()
            assert modules.auxiliary is not None
            assert not modules.auxiliary.training
            torch.testing.assert_close(output.embedding, samples)
            seen.append(samples)
            return dataclasses.replace(batch, same=torch.full((len(samples), len(samples)), 1))

    objective = Teacher()
    task = make_task(objective=objective, augment=Twofold(), make_network=lambda seed: Plain(), max_steps=1)
    trained(task)
    ((output, batch),) = objective.seen
    torch.testing.assert_close(output.embedding, seen[0])
    assert batch.same is not None
    assert batch.same.shape == (10, 10)


def test_sets_keep_their_shape(make_task: MakeTask) -> None:
    task = dataclasses.replace(
        make_task(objective=SetTerms(), make_network=set_network, max_epochs=40, learning_rate=0.05),
        source=make_points(30, 6, torch.float64),
    )
    before = assess(task, start_run(task, 0, 5)).loss
    assert assess(task, trained(task)).loss < 0.9 * before


@pytest.mark.parametrize(("needs", "width"), [(None, 8 + 3), (frozenset({"logits"}), 3)])
def test_processes_send_the_outputs_that_terms_read(
    make_task: MakeTask, monkeypatch: pytest.MonkeyPatch, needs: frozenset[str] | None, width: int
) -> None:
    """The embedding may be a hundred times as wide as the logits."""
    sent: list[int] = []

    def gather(self: Runtime, local: Tensor, total: int) -> Tensor:
        sent.append(local.shape[2])
        return torch.cat([local, local])

    monkeypatch.setattr(Runtime, "gather", gather)
    monkeypatch.setattr(Runtime, "joint_batch", lambda *_: None)
    objective = Recorder()
    objective.needs = needs
    task = make_task(objective=objective)
    task = dataclasses.replace(task, runtime=dataclasses.replace(task.runtime, world=2))
    network = task.make_network(0)
    plan = objective.sampler.plan(0, 0, 0)
    global_terms(task, Modules(network, network), plan, 0, training=False)
    assert sent == [width]
