"""What only a GPU shows: ``pytest -m gpu``; `benchmarks.gpu` runs these first."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone

from coterie import ADC, CCN, DDC
from coterie.data.arrays import ScaledSource, fit_scaling
from coterie.engine.loop import _step, start_run, train
from coterie.engine.objective import Modules
from coterie.engine.runtime import make_runtime
from coterie.engine.stacked import Stack
from coterie.methods.base import NeuralEstimator, Training
from coterie.metrics import clustering_accuracy

pytestmark = pytest.mark.gpu
RNG = np.random.default_rng(0)
Y = np.arange(400) % 4
IMAGES = (RNG.random((4, 28, 28))[Y] + 0.1 * RNG.random((400, 28, 28))).astype(np.float32)
SHORT: dict[str, Any] = {"max_steps": 40, "n_restarts": 1, "random_state": 0, "over_clustering": True}
METHODS: dict[str, Any] = {"ccn": CCN(4, **SHORT), "ddc": DDC(4, **SHORT), "adc": ADC(4, **SHORT)}


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("precision", ["float32", "auto"])
def test_a_fit_predicts_the_same_on_both_devices(name: str, precision: str) -> None:
    model = clone(METHODS[name]).set_params(device="cuda", precision=precision).fit(IMAGES, Y)
    assert np.isfinite(model.loss_)
    assert next(model.network_.parameters()).device.type == "cuda"
    on_gpu = model.predict_proba(IMAGES)
    model.network_.to("cpu")
    np.testing.assert_allclose(model.predict_proba(IMAGES), on_gpu, atol=2e-2)


def test_labels_are_learned() -> None:
    model = CCN(4, device="cuda", random_state=0, max_steps=150).fit(IMAGES, Y)
    assert clustering_accuracy(Y, model.labels_) > 0.9


@pytest.mark.parametrize("stacked", [False, True])
@pytest.mark.parametrize("name", METHODS)
def test_a_step_waits_for_nothing(name: str, stacked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    model, plan = planned(METHODS[name].set_params(device="cuda"), monkeypatch)
    runtime = make_runtime("cuda")
    source = ScaledSource(IMAGES, fit_scaling(IMAGES, True), runtime.device)
    task = model._task(source, plan, runtime)
    runs = [start_run(task, number, number) for number in range(2)]
    for run in runs:
        train(task, run, 1)
    stack = Stack(task, runs) if stacked else None
    with no_waiting():
        if stack is not None:
            stack.step()
        else:
            assert runs[0].model is not None
            _step(task, runs[0], Modules(runs[0].network, runs[0].model, runs[0].auxiliary))
    assert runs[0].step == 2


@pytest.mark.parametrize("precision", ["float32", "auto"])
@pytest.mark.parametrize("name", METHODS)
def test_replayed_steps_are_those_of_the_network(name: str, precision: str) -> None:
    """No warning: each of these networks can be captured. Dropout draws other numbers in a graph."""
    model = clone(METHODS[name]).set_params(device="cuda", precision=precision, max_steps=10)
    plain = clone(model).fit(IMAGES, Y)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="compile=")
        replayed = clone(model).set_params(compile="auto").fit(IMAGES, Y)
    assert np.isfinite(replayed.loss_)
    assert replayed.loss_ == pytest.approx(plain.loss_, rel=0.2, abs=0.05)


def test_replayed_steps_learn() -> None:
    model = CCN(4, device="cuda", random_state=0, max_steps=150, compile="auto").fit(IMAGES, Y)
    assert clustering_accuracy(Y, model.labels_) > 0.9


@contextlib.contextmanager
def no_waiting() -> Iterator[None]:
    """Operations that wait for the device raise."""
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


class _Planned(Exception):
    """Ends a fit that has handed its plan over."""


def planned(model: Any, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Training]:
    """An estimator, and what its fit asks of the engine."""
    seen: list[tuple[Any, Training]] = []

    def spy(model: Any, samples: Any, plan: Training) -> Any:
        model.max_pixels_ = model._working_pixels()
        seen.append((model, plan))
        raise _Planned

    with monkeypatch.context() as patch:
        patch.setattr(NeuralEstimator, "_train", spy)
        with pytest.raises(_Planned):
            clone(model).fit(IMAGES, Y)
    return seen[-1]
