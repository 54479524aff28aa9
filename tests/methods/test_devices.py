"""Every objective's step on a device of its own: a tensor that is left behind on the CPU raises.

Tensors on torch's device "meta" have shapes and no values. An operation on one of them and one on the CPU is
refused, as it is between a GPU and the CPU. L2C's network for tables is left out: it picks columns by a mask,
which needs values.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone
from tests.engine.asked import Asked
from tests.methods.test_similarity import groups
from tests.test_joint import VIEWS
from torch import Tensor

from coterie import ADC, CCN, DDC, L2C, Pairs, SimilarityNetwork
from coterie._types import Rows
from coterie.engine import task as task_module
from coterie.engine.loop import _step, start_run, train
from coterie.engine.objective import Modules
from coterie.engine.runtime import make_runtime
from coterie.engine.stacked import Stack
from coterie.engine.task import Task, mean_terms, terms_of
from coterie.losses import adc
from coterie.methods.base import NeuralEstimator, Training

META = torch.device("meta")
X, Y = groups(0, 20, 10)
IMAGES = np.random.default_rng(0).random((40, 16, 16))
PAIRS = Pairs.from_labels(Y, 300, random_state=0)
SHORT: dict[str, Any] = {"max_steps": 4, "n_restarts": 1, "random_state": 0}


class MetaSource:
    """Rows without values."""

    reads_ahead = False

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape

    def expect(self, rows: Rows) -> None:
        pass

    def __len__(self) -> int:
        return 1000

    def take(self, rows: Rows) -> Tensor:
        return torch.empty(len(rows), *self.shape, device=META)


class RandomSource(MetaSource):
    """Rows of normal numbers."""

    def take(self, rows: Rows) -> Tensor:
        return torch.randn(len(rows), *self.shape)


# an estimator, its samples, and what else its fit takes; "similarity" stands for a fitted network
Fit = tuple[Any, Any, dict[str, Any]]
# rows that are drawn afresh have no clusters to begin with
FRESH: dict[str, Any] = {**SHORT, "head_init": "random"}
KNOWN: dict[str, dict[str, Any]] = {"labels": {"y": Y}, "pairs": {"pairs": PAIRS}}
TRANSFER: dict[str, Any] = {"similarity": True}
FITS: dict[str, Fit] = {
    **{
        f"ccn-{loss}-{preset}-{name}": (CCN(20, loss=loss, preset=preset, **FRESH), X, known)
        for loss in ("kcl", "ccl")
        for preset in ("default", "paper", "code")
        for name, known in KNOWN.items()
    },
    "ccn-balanced": (CCN(20, pair_weight="balanced", **FRESH), X, KNOWN["pairs"]),
    "ccn-cross-entropy": (CCN(20, cross_entropy_weight=1.0, **SHORT), X, {"y": Y, "pairs": PAIRS}),
    "ccn-images": (CCN(20, **FRESH), IMAGES, {"y": np.arange(40) % 20}),
    "ccn-transfer": (CCN(4, **SHORT), X, TRANSFER),
    "ccn-transfer-paper": (CCN(4, preset="paper", loss="kcl", **SHORT), X, TRANSFER),
    "ccn-transfer-confidence": (CCN(4, pair_weight="confidence", **SHORT), X, TRANSFER),
    "similarity": (SimilarityNetwork(**SHORT), X, {"y": Y}),
    "similarity-pairs": (SimilarityNetwork(**SHORT), X, KNOWN["pairs"]),
    "similarity-asymmetric": (SimilarityNetwork(symmetric=False, **SHORT), X, {"y": Y}),
    **{
        f"ddc-{preset}-{form}-{kind}": (
            DDC(4, preset=preset, loss_form=form, divergence=kind, **SHORT),
            X,
            {},
        )
        for preset in ("default", "paper")
        for form in ("code", "paper")
        for kind in ("cs", "kl")
    },
    "ddc-images": (DDC(4, **SHORT), IMAGES, {}),
    "ddc-balance": (DDC(4, balance=True, **SHORT), X, {}),
    "ddc-pairs": (DDC(20, **SHORT), X, KNOWN["pairs"]),
    **{
        f"adc-{preset}": (ADC(4, preset=preset, **SHORT), IMAGES, {})
        for preset in ("default", "paper", "paper-mnist", "code")
    },
    "adc-pairs": (ADC(20, **SHORT), X, KNOWN["pairs"]),
    "l2c-attention": (L2C(3, set_size=6, batch_size=2, **SHORT), X, {"y": Y}),
    **{
        f"l2c-lstm-{distance}": (
            L2C(3, network="lstm", distance=distance, set_size=6, batch_size=2, **SHORT),
            X,
            {"y": Y},
        )
        for distance in ("implicit", "euclidean", "diagonal", "full")
    },
}


def samples_of(rows: Any, shape: tuple[int, ...], n_views: int | None) -> Tensor:
    """What the network sees: the rows, or sets of them, and the views that the objective compares."""
    return torch.empty((1 + (n_views or 0)) * len(rows), *rows.shape[1:], *shape, device=META)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("fit", FITS.values(), ids=FITS)
def test_a_step_leaves_nothing_on_the_cpu(fit: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    model, plan = captured(fit, monkeypatch)
    network = model._make_network(0).to(META)
    auxiliary = plan.objective.make_auxiliary(network)
    modules = Modules(network, network, None if auxiliary is None else auxiliary.to(META))
    runtime = dataclasses.replace(make_runtime("cpu", "float32"), device=META)
    source = MetaSource(model.sample_shape_)
    task = Task(source, plan.objective, plan.recipe, runtime, model._make_network)
    batch = plan.objective.sampler.plan(0, 0, 0)
    samples = samples_of(batch.rows, model.sample_shape_, plan.objective.n_views)
    with shapes_alone(monkeypatch), Asked() as asked:
        terms = mean_terms(terms_of(task, modules, batch, samples, network(samples)))
    assert asked.names == []
    assert set(terms) >= set(plan.objective.weights)
    assert {value.device for value in terms.values()} == {META}
    for phase in plan.objective.phases:
        torch.autograd.backward(phase.total(terms), retain_graph=True)
    trained = [one.grad for one in network.parameters() if one.grad is not None]
    assert trained
    assert {one.device for one in trained} == {META}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("fit", FITS.values(), ids=FITS)
def test_a_step_asks_for_no_value(fit: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a CPU, with its views: each question would make a GPU wait."""
    model, plan = captured(fit, monkeypatch)
    source = RandomSource(model.sample_shape_)
    task = model._task(source, plan, make_runtime("cpu"))
    run = start_run(task, 0, 0)
    train(task, run, 1)  # a phase may begin with k-means
    assert run.model is not None
    with Asked() as asked:
        _step(task, run, Modules(run.network, run.model, run.auxiliary))
    assert run.step == 2
    assert asked.names == []


# similarity networks and LSTMs do not stack
STACKED = ("ccn-ccl-default-labels", "ddc-default-code-cs", "ddc-images", "adc-default", "l2c-attention")


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", STACKED)
def test_a_stacked_step_leaves_nothing_on_the_cpu(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model, plan = captured(FITS[name], monkeypatch)
    runtime = dataclasses.replace(make_runtime("cpu"), device=META)
    source = MetaSource(model.sample_shape_)
    task = Task(source, plan.objective, plan.recipe, runtime, model._make_network)
    runs = [start_run(task, number, number) for number in range(2)]
    for run in runs:
        run.entered = len(plan.objective.phases)  # on_enter looks at values
    stack = Stack(task, runs)
    plans = [plan.objective.sampler.plan(0, 0, 0) for run in runs]
    samples = [samples_of(one.rows, model.sample_shape_, plan.objective.n_views) for one in plans]
    with shapes_alone(monkeypatch):
        losses = []
        for run, batch, one, values in zip(runs, plans, samples, stack.forward(samples), strict=True):
            terms = mean_terms(
                terms_of(task, Modules(run.network, run.network, run.auxiliary), batch, one, values)
            )
            losses.append(plan.objective.total(terms))
    torch.autograd.backward(losses)
    assert {loss.device for loss in losses} == {META}
    assert {one.grad.device for one in stack._parameters.values() if one.grad is not None} == {META}


@pytest.mark.parametrize("name", sorted(VIEWS))
def test_views_leave_nothing_on_the_cpu_and_ask_for_no_value(name: str) -> None:
    augment, shape = VIEWS[name]
    for _ in range(2):  # what is made once is made by the first
        with Asked() as asked:
            # torch has no generator on this device
            views = augment(torch.empty(4, *shape, device=META), None)  # type: ignore[arg-type]
        assert views.device == META
    assert asked.names == []
    augment(torch.randn(4, *shape), torch.Generator())
    with Asked() as asked:
        augment(torch.randn(4, *shape), torch.Generator())
    assert asked.names == []


class _Captured(Exception):
    """Ends a fit that has handed its plan over."""


def captured(fit: Fit, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Training]:
    """The estimator that a fit is called on, and the plan that it hands to the engine."""
    seen: list[tuple[Any, Training]] = []

    def spy(model: Any, samples: Any, plan: Training) -> Any:
        model.max_pixels_ = model._working_pixels()
        seen.append((model, plan))
        raise _Captured  # of the training itself nothing is asked

    model, samples, known = fit
    if "similarity" in known:
        similarity = SimilarityNetwork(max_steps=2, random_state=0, augment="none").fit(X, Y)
        known = {"similarity": similarity}
    with monkeypatch.context() as patch:
        patch.setattr(NeuralEstimator, "_train", spy)
        with pytest.raises(_Captured):
            clone(model).fit(samples, **known)
    return seen[-1]


@contextlib.contextmanager
def shapes_alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Leave out what asks for values, and autocast, which does not know the device."""
    with monkeypatch.context() as patch:
        patch.setattr(torch, "autocast", lambda *_, **__: contextlib.nullcontext())
        patch.setattr(adc, "check_dense", lambda *_: None)
        patch.setattr(task_module, "onto", lambda values, device: values.to(device, non_blocking=True))
        yield
