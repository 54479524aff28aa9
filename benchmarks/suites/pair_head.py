"""The pair head of a similarity network against the same layers on all concatenated pairs."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from benchmarks.columns import metric
from benchmarks.suites.base import Case, Options, Outcome, Suite
from coterie.nn import PairHead

METHODS = ("full", "symmetric")


def concatenated(head: PairHead, embedding: Tensor) -> Tensor:
    """The layers of the head on rows (n^2, 2e): the released code's way."""
    n = len(embedding)
    rows = torch.cat([embedding.repeat_interleave(n, 0), embedding.repeat(n, 1)], dim=1)
    weight = torch.cat(head.hidden.weight.chunk(2), dim=1)
    outputs: Tensor = head.out(head.norm(rows @ weight.T).relu())
    odds = (outputs[:, 1] - outputs[:, 0]).view(n, n)
    return (odds + odds.T) / 2 if head.symmetric else odds


def step(form: Callable[[Tensor], Tensor], head: PairHead, embedding: Tensor, seen: Tensor) -> dict[str, Any]:
    """Seconds of processor and wall of one forward and backward pass, its values and gradients."""
    leaf = embedding.clone().requires_grad_()
    head.zero_grad()
    wall, processor = time.perf_counter(), time.process_time()
    odds = form(leaf)
    torch.autograd.backward((odds * seen).sum())
    processor, wall = time.process_time() - processor, time.perf_counter() - wall
    grads = [part.grad.clone() for part in (leaf, *head.parameters()) if part.grad is not None]
    return {"wall": wall, "processor": processor, "odds": odds.detach(), "grads": grads}


def _furthest(ours: list[Tensor], other: list[Tensor]) -> float:
    """Largest difference of gradients, each relative to its largest entry."""
    return max(float((a - b).abs().max() / b.abs().max()) for a, b in zip(ours, other, strict=True))


def run(case: Case) -> Outcome:
    """Alternate both forms; values in float32, gradients in float64 on a smaller head."""
    size = case.settings
    torch.manual_seed(case.draw)
    head = PairHead(size["features"], size["hidden"], symmetric=case.method == "symmetric")
    embedding, seen = torch.randn(size["rows"], size["features"]), torch.randn(size["rows"], size["rows"])
    forms: dict[str, Callable[[Tensor], Tensor]] = {
        "ours": head,
        "concatenated": lambda rows: concatenated(head, rows),
    }
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in forms}
    step(head, head, embedding, seen)  # the first pass makes the buffers of the libraries
    for _ in range(size["repeats"]):
        for name, form in forms.items():
            runs[name].append(step(form, head, embedding, seen))
    metrics: dict[str, Any] = {}
    for clock in ("wall", "processor"):
        ours, other = (statistics.median(one[clock] for one in runs[name]) for name in forms)
        metrics |= {f"{clock}_ratio": other / ours, f"ours_{clock}": ours, f"concatenated_{clock}": other}
    first = {name: found[0]["odds"] for name, found in runs.items()}
    metrics["value_difference"] = float((first["ours"] - first["concatenated"]).abs().max())
    metrics["gradient_difference_float64"] = _gradient_difference(case)
    return Outcome(metrics, resolved={"threads": torch.get_num_threads()})


def _gradient_difference(case: Case) -> float:
    """In float64, where no unit is active in one form and not in the other."""
    head = PairHead(32, 128, symmetric=case.method == "symmetric").double()
    embedding, seen = torch.randn(30, 32).double(), torch.randn(30, 30).double()
    ours = step(head, head, embedding, seen)
    other = step(lambda rows: concatenated(head, rows), head, embedding, seen)
    return _furthest(ours["grads"], other["grads"])


def _cases(options: Options) -> list[Case]:
    size = {"rows": 100, "features": 1024, "hidden": 4096, "repeats": 2}
    if options.quick:
        size = {"rows": 20, "features": 32, "hidden": 64, "repeats": 1}
    return [
        Case("pair-head", method, "random", "", draw, size)
        for draw in options.draws or (0,)
        for method in options.pick_methods(METHODS)
    ]


PAIR_HEAD = Suite(
    "pair-head",
    "The pair head against concatenating all pairs, forward and backward (bars: 20x, values to 1e-5)",
    METHODS,
    (0,),
    _cases,
    run,
    columns=(
        metric("times faster (wall)", "wall_ratio", digits=1),
        metric("times faster (processor)", "processor_ratio", digits=1),
        metric("ours, s", "ours_wall"),
        metric("concatenated, s", "concatenated_wall", digits=1),
        metric("largest difference of values", "value_difference", digits=7),
    ),
)
