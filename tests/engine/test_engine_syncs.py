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
