"""What the engine costs: a training step against a bare loop, and `predict` against a bare forward pass.

Both sides have the same network, memory layout, fused optimizer and loss function; the bare side has its
batches ready in memory, scaled, with their labels or pairs as tensors. Both run in turn in short chunks, and
a second bare side beside them shows what the noise of the machine makes of two sides that are the same.
"""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from benchmarks.columns import metric
from benchmarks.estimators import RecordedCCN
from benchmarks.suites.base import Case, Options, Outcome, Suite
from coterie import Pairs
from coterie._types import Batch, Output
from coterie.engine.loop import Run, start_run, train
from coterie.engine.progress import ProgressBar
from coterie.engine.task import Task
from coterie.engine.training import Session

METHODS: dict[str, Any] = {"ccl-labels": "ccl", "kcl-pairs": "kcl", "predict": "ccl"}
BATCH = 100
PREDICT_BATCH = 1000


class _TaskTaker(RecordedCCN):
    """CCN that hands out the engine's task; fitted for one step."""

    task_: Task

    def _run(self, task: Task, fresh: Session, fingerprint: str) -> Session:
        # the task goes on for as many steps as are timed, at one rate
        self.task_ = dataclasses.replace(
            task, recipe=dataclasses.replace(task.recipe, drops=(), patience=None), augment=None
        )
        return super()._run(task, fresh, fingerprint)


def _cases(options: Options) -> list[Case]:
    chunks = {"chunks": 3, "steps": 2, "rows": 400} if options.quick else {}
    settings = {"chunks": 30, "steps": 20, "rows": 5000, "batch_size": BATCH, "backbone": "lenet-bn"} | chunks
    return [
        Case("step", method, "noise28", "", draw, settings | {"parameters": dict(options.parameters)})
        for draw in options.draws or (0,)
        for method in options.pick_methods(tuple(METHODS))
    ]


def run(case: Case) -> Outcome:
    """Time one case on generated images of MNIST's shape."""
    rng = np.random.default_rng(case.draw)
    images = rng.integers(0, 256, (case.settings["rows"], 28, 28), dtype=np.uint8)
    labels = rng.integers(0, 10, len(images))
    model = _fitted(case, images, labels)
    if case.method == "predict":
        sides, work = _predict_sides(model, images), len(images)
    else:
        sides, work = _step_sides(model.task_, case.settings["steps"]), case.settings["steps"]
    metrics = _alternate(sides, case.settings["chunks"], case.draw)
    metrics["per_chunk"] = work
    return Outcome(metrics, resolved=model.resolved_ | {"threads": torch.get_num_threads()})


def _fitted(case: Case, images: npt.NDArray[np.uint8], labels: npt.NDArray[np.int64]) -> _TaskTaker:
    model = _TaskTaker(
        n_clusters=10,
        loss=METHODS[case.method],
        backbone=case.settings["backbone"],
        batch_size=case.settings["batch_size"],
        max_steps=1,
        n_restarts=1,
        threads=1,
        over_clustering=True,
        random_state=case.draw,
    )
    model.set_params(**case.settings["parameters"])
    if case.method == "kcl-pairs":
        model.fit(images, pairs=Pairs.from_labels(labels, 12 * len(images) // 5, random_state=0))
    else:
        model.fit(images, labels)
    return model


def _alternate(
    sides: dict[str, Callable[[], None]], chunks: int, seed: int
) -> dict[str, float | int | list[float]]:
    """Ratios of wall and processor seconds of the sides, run in turn; which goes first is drawn."""
    rng = np.random.default_rng(seed)
    wall: dict[str, list[float]] = {name: [] for name in sides}
    processor: dict[str, list[float]] = {name: [] for name in sides}
    for name in sides:
        sides[name]()
    _wait_for_gpu()
    for _ in range(chunks):
        for name in rng.permutation(list(sides)).tolist():
            start = time.perf_counter(), time.process_time()
            sides[name]()
            _wait_for_gpu()
            wall[name].append(time.perf_counter() - start[0])
            processor[name].append(time.process_time() - start[1])
    ours, bare = wall["ours"], wall["bare"]
    return {
        "ratio": statistics.median(ours) / statistics.median(bare),
        "ratio_of_pairs": statistics.median(a / b for a, b in zip(ours, bare, strict=True)),
        "processor_ratio": statistics.median(processor["ours"]) / statistics.median(processor["bare"]),
        "control_ratio": statistics.median(wall["control"]) / statistics.median(bare),
        "ours_seconds": statistics.median(ours),
        "bare_seconds": statistics.median(bare),
        "chunks": chunks,
        "ours_all": [round(value, 5) for value in ours],
        "bare_all": [round(value, 5) for value in bare],
    }


def _wait_for_gpu() -> None:
    """Its work is queued: what a side has started counts for that side."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _step_sides(task: Task, steps: int) -> dict[str, Callable[[], None]]:
    """A chunk of the engine's own steps, and the same number of steps of a bare loop."""
    run = start_run(task, 0, seed=0)
    bar = ProgressBar(task, Session([0]), shown=False)

    def ours() -> None:
        until = run.step + steps
        recipe = dataclasses.replace(task.recipe, max_steps=until)
        run.stopped = None
        train(dataclasses.replace(task, recipe=recipe), run, until, [bar])

    bare, control = (_bare_loop(task, start_run(task, 0, seed=0), steps) for _ in range(2))
    return {"ours": ours, "bare": bare, "control": control}


def _bare_loop(task: Task, run: Run, steps: int) -> Callable[[], None]:
    batches = [_ready(task, number) for number in range(min(task.steps_per_epoch, 50))]
    network, optimizer, loss_of = run.network, run.optimizer, task.objective.terms
    network.train()

    def bare() -> None:
        for number in range(steps):
            x, batch = batches[number % len(batches)]
            embedding, logits = network(x)
            (loss,) = loss_of(Output({"embedding": embedding, "logits": logits}), batch).values()
            optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            optimizer.step()

    return bare


def _ready(task: Task, number: int) -> tuple[Tensor, Batch]:
    """A batch scaled beforehand, and what is known about it as tensors."""
    plan = task.objective.sampler.plan(0, 0, number)
    device = task.runtime.device
    parts = (plan.rows, plan.same, plan.labels)
    rows, same, labels = (None if part is None else torch.from_numpy(part).to(device) for part in parts)
    assert rows is not None
    return task.source.take(plan.rows), Batch(rows, same, labels)


def _predict_sides(model: _TaskTaker, images: npt.NDArray[np.uint8]) -> dict[str, Callable[[], None]]:
    ready = torch.split(model.task_.source.take(np.arange(len(images))), PREDICT_BATCH)
    network = model.network_

    def bare() -> None:
        with torch.inference_mode():
            torch.cat([network(part)[1].argmax(dim=1) for part in ready])

    return {"ours": lambda: _discard(model.predict(images)), "bare": bare, "control": bare}


def _discard(_: Any) -> None:
    """Make a call one without a value."""


STEP = Suite(
    "step",
    "A training step against a bare loop (bar: 1.03), predict against a bare forward pass (bar: 1/0.95)",
    tuple(METHODS),
    (0,),
    _cases,
    run,
    columns=(
        metric("ours / bare, medians of wall time", "ratio"),
        metric("median of the chunks' ratios", "ratio_of_pairs"),
        metric("ours / bare, processor time", "processor_ratio"),
        metric("bare / bare (noise of the machine)", "control_ratio"),
        metric("ours, s a chunk", "ours_seconds"),
        metric("bare, s a chunk", "bare_seconds"),
        metric("chunks", "chunks", digits=0),
    ),
)
