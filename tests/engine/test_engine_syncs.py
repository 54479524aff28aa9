"""A training step never asks for a value: on a GPU each such question waits for all work that is queued."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from tests.engine.asked import Asked
from tests.engine.conftest import MakeTask

from coterie.engine.loop import start_run, train
from coterie.engine.stacked import Stack


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_a_step_asks_for_no_value(make_task: MakeTask, optimizer: str) -> None:
    """Within an epoch; at its end the sums of all of its steps are read, once."""
    task = make_task(optimizer=optimizer, clip_norm=1.0)
    run = start_run(task, 0, 3)
    with Asked() as asked:
        train(task, run, 2)
    assert run.step == 2
    assert asked.names == []


def test_a_step_of_stacked_runs_asks_for_no_value(make_task: MakeTask) -> None:
    task = make_task()
    runs = [start_run(task, number, number) for number in range(3)]
    for run in runs:
        train(task, run, 1)
    stack = Stack(task, runs)
    with Asked() as asked:
        stack.step()
    stack.release()
    assert asked.names == []


@pytest.mark.parametrize(
    "question",
    [lambda x: float(x.sum()), lambda x: bool(x.any()), lambda x: x[x > 0], lambda x: x.nonzero()],
)
def test_questions_are_noticed(question: Callable[[torch.Tensor], object]) -> None:
    with Asked() as asked:
        question(torch.ones(3))
    assert asked.names


@pytest.mark.parametrize(
    "copy",
    [
        lambda: torch.ones(3).to("meta"),
        lambda: torch.tensor([1.0, 2.0], device="meta"),
        lambda: torch.empty(3, device="meta").copy_(torch.ones(3)),
        lambda: torch.empty(2, device="meta").new_tensor([1.0, 2.0]),
    ],
)
def test_copies_that_a_gpu_waits_for_are_noticed(copy: Callable[[], object]) -> None:
    with Asked() as asked:
        copy()
    assert asked.names
    with Asked() as asked:
        torch.ones(3).to("meta", non_blocking=True)
    assert asked.names == []
