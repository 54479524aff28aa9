"""Steps that replay CUDA graphs: what is captured and when, and what happens where nothing can be."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from tests.engine.conftest import MakeTask
from tests.engine.tasks import noisy_network
from torch import Tensor, nn

from coterie import DDC
from coterie.engine import graphs
from coterie.engine.graphs import GraphedNetwork, takes_graphs
from coterie.engine.loop import start_run, train
from coterie.engine.runtime import Runtime

CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.fixture(autouse=True)
def _each_reason_anew() -> Iterator[None]:
    graphs.warn_of_eager.cache_clear()
    yield
    graphs.warn_of_eager.cache_clear()


class Capture:
    """Stands in for torch's capture: warms up as it does, and notes the batches that would be replayed."""

    def __init__(self) -> None:
        self.captured: list[tuple[int, ...]] = []
        self.replayed: list[int] = []

    def __call__(self, module: nn.Module, args: tuple[Tensor], allow_unused_input: bool) -> nn.Module:
        assert module.training
        self.captured.append(tuple(args[0].shape))
        for _ in range(3):
            module(*args)
        whole = module.forward

        def replay(x: Tensor) -> Any:
            self.replayed.append(len(x))
            return whole(x)

        module.forward = replay
        return module


@pytest.fixture
def capture(monkeypatch: pytest.MonkeyPatch) -> Capture:
    made = Capture()
    monkeypatch.setattr(torch.cuda, "make_graphed_callables", made)
    return made


def test_the_second_batch_of_one_shape_is_captured_once(capture: Capture) -> None:
    network = GraphedNetwork(noisy_network(0)).train()
    for rows in (6, 4, 4, 4, 6, 6, 4):
        network(torch.randn(rows, 10))
    assert capture.captured == [(4, 10)]
    assert capture.replayed == [4, 4, 4]


def test_evaluation_takes_no_graph(capture: Capture) -> None:
    network = GraphedNetwork(noisy_network(0)).eval()
    for _ in range(3):
        network(torch.randn(4, 10))
    with torch.no_grad():
        for _ in range(3):
            network.train()(torch.randn(4, 10))
    assert capture.captured == []


def test_steps_are_those_without_graphs(make_task: MakeTask, capture: Capture) -> None:
    """The warm-up leaves no trace in batch norm's statistics and in random numbers."""
    plain, graphed = make_task(), make_task()
    object.__setattr__(graphed, "runtime", Runtime(CPU, graphs=True))
    runs = [start_run(task, 0, 3) for task in (plain, graphed)]
    for task, run in zip((plain, graphed), runs, strict=True):
        train(task, run, task.total_steps)
    assert len(capture.replayed) == graphed.total_steps - 1
    assert runs[0].history == runs[1].history
    for name, value in runs[0].network.state_dict().items():
        assert torch.equal(runs[1].network.state_dict()[name], value), name


def test_a_capture_that_fails_says_why_and_steps_go_on(
    make_task: MakeTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    def refuse(*_: Any, **__: Any) -> None:
        calls.append(1)
        raise RuntimeError("operation not permitted when stream is capturing\nmore")

    monkeypatch.setattr(torch.cuda, "make_graphed_callables", refuse)
    task = make_task()
    object.__setattr__(task, "runtime", Runtime(CPU, graphs=True))
    run = start_run(task, 0, 3)
    message = "without CUDA graphs: operation not permitted when stream is capturing$"
    with pytest.warns(UserWarning, match=message):
        train(task, run, 4)
    assert (run.step, len(calls)) == (4, 1)
    other = start_run(make_task(), 0, 3)
    train(make_task(), other, 4)
    for name, value in other.network.state_dict().items():
        assert torch.equal(run.network.state_dict()[name], value), name


@pytest.mark.parametrize(
    ("device", "world", "reason"),
    [(CPU, 1, "CUDA graphs need a GPU, and the device is cpu"), (GPU, 2, "CUDA graphs are for one process")],
)
def test_what_cannot_have_graphs_says_why_once(device: torch.device, world: int, reason: str) -> None:
    with pytest.warns(UserWarning, match=f"compile='auto' trains without CUDA graphs: {reason}"):
        assert not takes_graphs("auto", device, world)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not takes_graphs("auto", device, world)
        assert not takes_graphs("none", device, world)
        assert takes_graphs("auto", GPU, 1)


def test_a_fit_on_a_cpu_says_why_and_gives_the_same_labels() -> None:
    X = np.random.default_rng(0).normal(size=(40, 3))
    settings: dict[str, Any] = {"n_restarts": 1, "max_steps": 4, "random_state": 0, "over_clustering": True}
    with pytest.warns(UserWarning, match="need a GPU, and the device is cpu"):
        asked = DDC(2, device="cpu", compile="auto", **settings).fit(X)
    assert np.array_equal(asked.labels_, DDC(2, device="cpu", **settings).fit(X).labels_)
