"""What the engine costs: a training step against a hand-written loop, and `predict` against a forward pass.

Both sides have the same network, memory layout, fused optimizer and loss function, and both draw their
batches from the same sampler and gather them from scaled rows. They run in turn in short chunks, and a second
bare side beside them shows what the noise of the machine makes of two sides that are the same. A third one
has its batches ready in memory. The cases "layout-..." hold a step against the same step of a network that
sees images of one channel in the layout that their strides leave open, and whose ELU comes before the pooling
and keeps its input.
"""

from __future__ import annotations

import contextlib
import dataclasses
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from benchmarks.columns import metric
from benchmarks.suites.base import Case, Options, Outcome, Suite
from coterie import CCN, Pairs
from coterie._types import Batch, BatchPlan, Output
from coterie.data import LabelBatches, PairBatches, RowBatches
from coterie.data.arrays import ScaledSource, fit_scaling
from coterie.engine.loop import Run, start_run, train
from coterie.engine.objective import Objective, Phase
from coterie.engine.progress import ProgressBar
from coterie.engine.recipe import Recipe
from coterie.engine.runtime import make_runtime
from coterie.engine.task import Task
from coterie.engine.training import Session
from coterie.losses.ddc import DDCOptions
from coterie.losses.pairs import PairOptions
from coterie.methods.ddc import DDCObjective
from coterie.methods.pair_objectives import PairObjective
from coterie.nn import build_network, channels_last
from coterie.params.ddc import TERMS

Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]
BATCH = 100
PREDICT_BATCH = 1000
# backbones that add a channel to images
_WITH_CHANNEL = ("lenet", "ddc", "vcnn")


class Work(NamedTuple):
    """What is timed: the objective and the network."""

    objective: str
    backbone: str
    steps: int


METHODS = {
    "ccl-labels": Work("labels", "lenet-bn", 20),
    "kcl-pairs": Work("pairs", "lenet-bn", 20),
    "mlp-labels": Work("labels", "mlp", 40),
    "mlp-pairs": Work("pairs", "mlp", 40),
    "mlp-ddc": Work("ddc", "mlp", 40),
    "layout-lenet": Work("labels", "lenet-bn", 10),
    "layout-ddc": Work("ddc", "ddc-cnn", 10),
    "layout-vcnn": Work("labels", "vcnn", 4),
    "predict": Work("labels", "lenet-bn", 1),
}


def _cases(options: Options) -> list[Case]:
    size = {"chunks": 30, "rows": 5000, "batch_size": BATCH}
    if options.quick:
        size = {"chunks": 2, "rows": 60, "batch_size": 10}
    cases = []
    for draw in options.draws or (0,):
        for method in options.pick_methods(tuple(METHODS)):
            work = METHODS[method]
            steps = 2 if options.quick else work.steps
            settings = size | {"steps": steps, "backbone": work.backbone}
            cases.append(Case("step", method, "noise28", "", draw, settings))
    return cases


def run(case: Case) -> Outcome:
    """Time one case on generated images of MNIST's shape."""
    rng = np.random.default_rng(case.draw)
    images = rng.integers(0, 256, (case.settings["rows"], 28, 28), dtype=np.uint8)
    labels = rng.integers(0, 10, len(images))
    task, steps = _task(case, images, labels), case.settings["steps"]
    work = steps
    if case.method == "predict":
        sides, work = _predict_sides(case, images, labels), len(images)
    elif case.method.startswith("layout"):
        sides = _layout_sides(task, steps)
    else:
        sides = {"ours": _engine(task, steps)}
        sides |= {name: _bare_loop(task, steps, _drawn) for name in ("bare", "control")}
        sides["ready"] = _bare_loop(task, steps, _ready)
    metrics = _alternate(sides, case.settings["chunks"], case.draw)
    metrics["per_chunk"] = work
    resolved = {
        "recipe": dataclasses.asdict(task.recipe),
        "device": str(task.runtime.device),
        "threads": torch.get_num_threads(),
    }
    return Outcome(metrics, resolved=resolved)


def _task(case: Case, images: Images, labels: Labels) -> Task:
    runtime, seed = make_runtime(compile="auto" if torch.cuda.is_available() else "none"), case.draw
    source = ScaledSource(images, fit_scaling(images, True), runtime.device)
    batch_size = case.settings["batch_size"]
    recipe = Recipe("adam", learning_rate=1e-3, batch_size=batch_size, max_epochs=1)

    def network(_: int) -> Any:
        return channels_last(build_network(case.settings["backbone"], images.shape[1:], 10, seed))

    return Task(
        source, _objective(METHODS[case.method].objective, labels, batch_size), recipe, runtime, network
    )


def _objective(name: str, labels: Labels, batch_size: int) -> Objective:
    if name == "ddc":
        phases = (Phase("clustering", None, dict.fromkeys(TERMS, 1.0)),)
        return DDCObjective(RowBatches(len(labels), batch_size), phases, DDCOptions())
    if name == "pairs":
        pairs = Pairs.from_labels(labels, 12 * len(labels) // 5, random_state=0)
        return PairObjective(PairBatches(pairs, batch_size // 2), "kcl", 2.0, PairOptions(), 0.0)
    return PairObjective(LabelBatches(labels, batch_size), "ccl", 0.0, PairOptions(), 0.0)


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
        **(
            {"ready_ratio": statistics.median(ours) / statistics.median(wall["ready"])}
            if "ready" in wall
            else {}
        ),
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


def _engine(task: Task, steps: int) -> Callable[[], None]:
    """A chunk of the engine's own steps."""
    run = start_run(task, 0, seed=0)
    bar = ProgressBar(task, Session([0]), shown=False)

    def ours() -> None:
        until = run.step + steps
        recipe = dataclasses.replace(task.recipe, max_steps=until)
        run.stopped = None
        train(dataclasses.replace(task, recipe=recipe), run, until, [bar])

    return ours


def _bare_loop(
    task: Task, steps: int, batches_of: Callable[[Task], Callable[[int], tuple[Tensor, Batch]]]
) -> Callable[[], None]:
    """The same number of steps as a person would write them."""
    run: Run = start_run(task, 0, seed=0)
    network, optimizer, loss_of = run.network, run.optimizer, task.objective.terms
    network.train()
    batch_at = batches_of(task)
    losses: list[Tensor] = []

    def bare() -> None:
        for _ in range(steps):
            x, batch = batch_at(run.step)
            embedding, logits = network(x)
            terms = loss_of(Output({"embedding": embedding, "logits": logits}), batch)
            loss = torch.stack([*terms.values()]).sum() if len(terms) > 1 else next(iter(terms.values()))
            optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            optimizer.step()
            losses.append(loss.detach())
            run.step += 1

    return bare


def _drawn(task: Task) -> Callable[[int], tuple[Tensor, Batch]]:
    """Batches that are drawn and gathered at each step."""

    def batch_at(step: int) -> tuple[Tensor, Batch]:
        epoch, position = divmod(step, task.steps_per_epoch)
        return _gathered(task, task.objective.sampler.plan(0, epoch, position))

    return batch_at


def _ready(task: Task) -> Callable[[int], tuple[Tensor, Batch]]:
    """Batches that lie in memory."""
    plans = [task.objective.sampler.plan(0, 0, number) for number in range(min(task.steps_per_epoch, 50))]
    batches = [_gathered(task, plan) for plan in plans]
    return lambda step: batches[step % len(batches)]


def _gathered(task: Task, plan: BatchPlan) -> tuple[Tensor, Batch]:
    """A plan's scaled rows, and what is known about them as tensors."""
    device = task.runtime.device
    parts = (plan.rows, plan.same, plan.labels)
    rows, same, labels = (None if part is None else torch.from_numpy(part).to(device) for part in parts)
    assert rows is not None
    return task.source.take(plan.rows), Batch(rows, same, labels)


def _layout_sides(task: Task, steps: int) -> dict[str, Callable[[], None]]:
    """Steps as they are, and twice as they were before images of one channel said where it stands."""
    sides = {"ours": _engine(task, steps)}
    for name in ("bare", "control"):
        before = dataclasses.replace(task, make_network=_without_in_place(task.make_network))
        sides[name] = _in_open_layout(_engine(before, steps))
    return sides


def _without_in_place(make: Callable[[int], Any]) -> Callable[[int], Any]:
    def made(seed: int) -> Any:
        network = make(seed)
        for layer in network.modules():
            if isinstance(layer, nn.ELU):
                layer.inplace = False
            elif isinstance(layer, nn.Sequential):
                _pool_last(layer)
        return network

    return made


def _pool_last(layers: nn.Sequential) -> None:
    """Put poolings that stand before an ELU behind it, as they were."""
    for place in range(len(layers) - 1):
        pooling, after = layers[place], layers[place + 1]
        if isinstance(pooling, nn.MaxPool2d) and isinstance(after, nn.ELU):
            layers[place], layers[place + 1] = after, pooling


def _in_open_layout(side: Callable[[], None]) -> Callable[[], None]:
    def inside() -> None:
        with _open_layout():
            side()

    return inside


@contextlib.contextmanager
def _open_layout() -> Iterator[None]:
    """Let networks add a channel to images as `Tensor.unsqueeze` does."""
    with contextlib.ExitStack() as stack:
        for module in _WITH_CHANNEL:
            name = f"coterie.nn.{module}.with_channel"
            stack.enter_context(mock.patch(name, lambda x: x.unsqueeze(1) if x.dim() == 3 else x))
        yield


def _predict_sides(case: Case, images: Images, labels: Labels) -> dict[str, Callable[[], None]]:
    model = CCN(
        10,
        backbone=case.settings["backbone"],
        batch_size=case.settings["batch_size"],
        max_steps=1,
        n_restarts=1,
        threads=1,
        over_clustering=True,
        random_state=case.draw,
    ).fit(images, labels)
    network = model.network_
    source = ScaledSource(images, model.scaling_, next(network.parameters()).device)
    ready = torch.split(source.take(np.arange(len(images))), PREDICT_BATCH)

    def bare() -> None:
        with torch.inference_mode():
            torch.cat([network(part)[1].argmax(dim=1) for part in ready])

    return {"ours": lambda: _discard(model.predict(images)), "bare": bare, "control": bare}


def _discard(_: Any) -> None:
    """Make a call one without a value."""


STEP = Suite(
    "step",
    "A training step against a hand-written loop (bar: 1.05) and in the layout of before (bars: LeNet "
    "0.78, DDC 0.76, VCNN 0.88), predict against a bare forward pass (bar: 1/0.95)",
    tuple(METHODS),
    (0,),
    _cases,
    run,
    columns=(
        metric("ours / bare, medians of wall time", "ratio"),
        metric("median of the chunks' ratios", "ratio_of_pairs"),
        metric("ours / bare, processor time", "processor_ratio"),
        metric("bare / bare (noise of the machine)", "control_ratio"),
        metric("ours / bare with its batches ready", "ready_ratio"),
        metric("ours, s a chunk", "ours_seconds"),
        metric("bare, s a chunk", "bare_seconds"),
        metric("chunks", "chunks", digits=0),
    ),
)
