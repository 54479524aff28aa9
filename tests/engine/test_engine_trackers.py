"""Trackers hear of every epoch of every restart, once, also of runs that train together or are resumed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from accelerate.tracking import GeneralTracker
from sklearn.base import clone

from coterie import ADC, CCN, DDC, InputError, InputTypeError

Call = Callable[..., tuple[int, str, str]]
X = np.random.default_rng(0).normal(size=(60, 6))
Y = np.arange(60) % 3
QUICK: dict[str, Any] = {"n_clusters": 3, "batch_size": 20, "over_clustering": True, "random_state": 0}


class Memory(GeneralTracker):
    """Remembers what it is told."""

    name = "memory"
    requires_logging_directory = False

    def __init__(self) -> None:
        super().__init__()
        self.config: dict[str, Any] = {}
        self.heard: list[tuple[int | None, dict[str, float]]] = []
        self.ended = 0

    @property
    def tracker(self) -> list[tuple[int | None, dict[str, float]]]:
        return self.heard

    def store_init_configuration(self, values: dict[str, Any]) -> None:
        self.config = values

    def log(self, values: dict[str, float], step: int | None = None, **kwargs: Any) -> None:
        self.heard.append((step, values))

    def finish(self) -> None:
        self.ended += 1


def expected(model: Any) -> list[tuple[int, dict[str, float]]]:
    """What a fit's history says, as trackers are to hear it."""
    place = ("restart", "epoch", "step")
    return [
        (epoch["step"], {f"{name}/{epoch['restart']}": epoch[name] for name in epoch if name not in place})
        for epoch in model.history_
    ]


def in_order(heard: list[Any]) -> list[Any]:
    return sorted(heard, key=lambda one: (sorted(one[1]), one[0]))


@pytest.mark.parametrize(
    "model",
    [
        CCN(n_restarts=2, max_epochs=3, **QUICK),
        DDC(n_restarts=4, restarts="successive-halving", max_epochs=4, **QUICK),
        ADC(n_restarts=2, restarts="stacked", max_epochs=3, **QUICK),
    ],
    ids=["sequential", "successive-halving", "stacked"],
)
def test_each_epoch_is_told_once(model: Any) -> None:
    memory = Memory()
    model.log_with(memory).fit(X, Y)
    assert in_order(memory.heard) == in_order(expected(model))
    assert memory.ended == 1
    assert (memory.config["n_clusters"], memory.config["checkpoint_dir"]) == (3, "None")


def test_a_clone_and_an_estimator_without_trackers_tell_nobody() -> None:
    memory = Memory()
    model = CCN(n_restarts=1, max_epochs=2, **QUICK).log_with(memory)
    clone(model).fit(X, Y)
    model.log_with().fit(X, Y)
    assert memory.heard == []


class Stop(Exception):
    pass


class Weak(Memory):
    """Fails at its third epoch."""

    def log(self, values: dict[str, float], step: int | None = None, **kwargs: Any) -> None:
        if len(self.heard) == 2:
            raise Stop
        super().log(values, step)


def test_a_resumed_fit_goes_on_telling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coterie.engine.checkpoint.Checkpointer.seconds", 0.0)
    first, second = Weak(), Memory()
    params = QUICK | {"n_restarts": 1, "max_epochs": 5, "checkpoint_dir": str(tmp_path)}
    with pytest.raises(Stop):
        CCN(**params).log_with(first).fit(X, Y)
    assert first.ended == 1
    model = CCN(**params).log_with(second).fit(X, Y)
    assert first.heard + second.heard == expected(model)


@pytest.mark.filterwarnings("ignore:::tensorboard")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tensorboard_s_own_files(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    model = CCN(n_restarts=2, max_epochs=3, **QUICK)
    model.log_with("tensorboard", folder=str(tmp_path / "tracked")).fit(X, Y)
    events = EventAccumulator(str(tmp_path / "tracked" / "coterie")).Reload()
    for restart in (0, 1):
        own = [epoch for epoch in model.history_ if epoch["restart"] == restart]
        for term in ("ccl", "loss", "learning_rate"):
            found = [(event.step, event.value) for event in events.Scalars(f"{term}/{restart}")]
            assert [step for step, _ in found] == [epoch["step"] for epoch in own]
            np.testing.assert_allclose([value for _, value in found], [e[term] for e in own], rtol=1e-6)


def test_trackers_that_cannot_be(monkeypatch: pytest.MonkeyPatch) -> None:
    model = CCN()
    with pytest.raises(InputError, match=r"trackers: 'tensorbored' must be one of .*tensorboard"):
        model.log_with("tensorbored")
    with pytest.raises(
        InputTypeError, match="trackers must be names or accelerate's GeneralTracker, got int"
    ):
        model.log_with(3)
    with pytest.raises(InputError, match="folder must name a folder for the files of tensorboard, got None"):
        model.log_with("tensorboard")
    monkeypatch.setattr("coterie.engine.trackers.get_available_trackers", list)
    with pytest.raises(ImportError, match="tensorboard is not installed: pip install tensorboard"):
        model.log_with("tensorboard", folder="runs")
