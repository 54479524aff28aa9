"""Pair losses: coterie's matrix form against enumerating the pairs, and the block form on many rows.

``python -m benchmarks.pair_losses --out FILE.json``. Times are medians of alternated runs on one thread.
Memory is the peak of all tensors in one step (what decides the ratio) and, beside it, the growth of the peak
resident set of a process of its own (median of three), which also counts library pages and the allocator.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from coterie.losses import ccl, kcl

LOSSES: dict[str, Callable[..., Tensor]] = {"kcl": kcl, "ccl": ccl}
EPS = 1e-7


def enumerated(name: str, p: Tensor, same: Tensor) -> Tensor:
    """The loss over all n^2 ordered pairs as gathered rows (n^2, k): the released code's way."""
    n = len(p)
    first = p[torch.arange(n).repeat_interleave(n)]
    second = p[torch.arange(n).repeat(n)]
    similar = same.flatten() == 1
    if name == "ccl":
        together = (first * second).sum(1)
        return -(torch.where(similar, together, 1 - together) + EPS).log().mean()
    fixed, moving = first.detach() + EPS, second + EPS
    kl = (fixed * (fixed.log() - moving.log())).sum(1)
    return torch.where(similar, kl, (2.0 - kl).relu()).mean()


def step(variant: str, name: str, rows: int, clusters: int) -> Callable[[], float]:
    """One forward and backward pass on fixed random logits; returns the loss."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(rows, clusters, generator=generator)
    labels = torch.randint(0, clusters, (rows,), generator=generator)

    def run() -> float:
        p = logits.clone().requires_grad_().softmax(1)
        if variant == "blocks":
            loss = LOSSES[name](p, labels)
        elif variant == "ours":
            loss = LOSSES[name](p, same, include_self=True, eps=EPS)
        else:
            loss = enumerated(name, p, same)
        torch.autograd.backward(loss)
        return float(loss.detach())

    if variant != "blocks":
        same = (2 * (labels[:, None] == labels).to(torch.int8) - 1).to(torch.int8)
    return run


def peak_mib() -> float:
    """Peak resident set; VmHWM because ru_maxrss of a child starts at its parent's size on Linux."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def tensor_peak_mib(run: Callable[[], float]) -> float:
    """Peak of the memory that tensors hold during one step, from the profiler's allocation events."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        run()
    events = profiler.profiler.kineto_results.events()
    held: list[int] = list(accumulate(e.nbytes() for e in events if e.name() == "[memory]"))
    return max(held) / 2**20


def worker(variant: str, name: str, rows: int, clusters: int) -> dict[str, float]:
    """Peak memory and seconds of one step, in this process."""
    step(variant, name, 16, clusters)()
    run = step(variant, name, rows, clusters)
    before, start = peak_mib(), time.perf_counter()
    loss = run()
    seconds = time.perf_counter() - start
    peak = peak_mib()
    return {"loss": loss, "seconds": seconds, "peak_mib": peak, "growth_mib": peak - before}


def in_process(variant: str, name: str, rows: int, clusters: int) -> dict[str, float]:
    """`worker` in a fresh process."""
    call = [
        sys.executable,
        "-m",
        "benchmarks.pair_losses",
        "--worker",
        variant,
        name,
        str(rows),
        str(clusters),
    ]
    done = subprocess.run(call, check=True, capture_output=True, text=True)
    result: dict[str, float] = json.loads(done.stdout)
    return result


def alternated(name: str, rows: int, clusters: int, repeats: int) -> dict[str, Any]:
    """Median times of both variants, run in turn."""
    runs = {variant: step(variant, name, rows, clusters) for variant in ("ours", "enumerated")}
    losses = {variant: run() for variant, run in runs.items()}
    times: dict[str, list[float]] = {variant: [] for variant in runs}
    for _ in range(repeats):
        for variant, run in runs.items():
            start = time.perf_counter()
            run()
            times[variant].append(time.perf_counter() - start)
    medians = {variant: statistics.median(values) for variant, values in times.items()}
    return {"loss": losses, "seconds": medians, "times_faster": medians["enumerated"] / medians["ours"]}


def compare(name: str, rows: int, clusters: int, repeats: int) -> dict[str, Any]:
    """Time and memory of ours against enumeration."""
    resident = {
        variant: statistics.median(in_process(variant, name, rows, clusters)["growth_mib"] for _ in range(3))
        for variant in ("ours", "enumerated")
    }
    tensors = {variant: tensor_peak_mib(step(variant, name, rows, clusters)) for variant in resident}
    return {
        "rows": rows,
        "clusters": clusters,
        "repeats": repeats,
        **alternated(name, rows, clusters, repeats),
        "tensor_peak_mib": tensors,
        "times_less_tensor_memory": tensors["enumerated"] / tensors["ours"],
        "resident_growth_mib": resident,
        "times_less_resident_growth": resident["enumerated"] / max(resident["ours"], 0.1),
    }


def machine() -> dict[str, Any]:
    """Where and with what the numbers were taken."""
    commit = subprocess.run(["git", "rev-parse", "HEAD"], check=False, capture_output=True, text=True)
    return {
        "platform": platform.platform(),
        "cpu_count": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "commit": commit.stdout.strip() or None,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="JSON file to write; standard output without it")
    parser.add_argument("--rows", type=int, default=65_536, help="rows of the block measurement")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument(
        "--worker", nargs=4, metavar=("VARIANT", "LOSS", "ROWS", "CLUSTERS"), help=argparse.SUPPRESS
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.worker:
        variant, name, rows, clusters = arguments.worker
        print(json.dumps(worker(variant, name, int(rows), int(clusters))))
        return
    report = {
        "benchmark": "pair_losses",
        "machine": machine(),
        "against_enumeration": {name: compare(name, 1000, 100, arguments.repeats) for name in LOSSES},
        "blocks": {
            name: {"rows": arguments.rows, "clusters": 10, **in_process("blocks", name, arguments.rows, 10)}
            for name in LOSSES
        },
    }
    text = json.dumps(report, indent=2)
    if arguments.out:
        arguments.out.write_text(text + "\n")
    else:
        print(text)


if __name__ == "__main__":
    main()
