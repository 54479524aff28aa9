"""The pair losses against enumerating the pairs: `benchmarks.pair_losses` under this runner's record."""

from __future__ import annotations

from typing import Any

import torch

from benchmarks import pair_losses
from benchmarks.columns import metric
from benchmarks.suites.base import Case, Options, Outcome, Suite

METHODS = tuple(pair_losses.LOSSES)


def _cases(options: Options) -> list[Case]:
    size = {"rows": 1000, "clusters": 100, "repeats": 5, "block_rows": 65_536, "block_clusters": 10}
    if options.quick:
        size |= {"rows": 64, "clusters": 10, "repeats": 1, "block_rows": 256}
    return [
        Case("pair-losses", method, "random", "", draw, size)
        for draw in options.draws or (0,)
        for method in options.pick_methods(METHODS)
    ]


def run(case: Case) -> Outcome:
    """Time and memory of forward and backward: matrix form against enumeration, and the block form."""
    size = case.settings
    found = pair_losses.compare(case.method, size["rows"], size["clusters"], size["repeats"])
    blocks = pair_losses.in_process("blocks", case.method, size["block_rows"], size["block_clusters"])
    metrics: dict[str, Any] = {
        "times_faster": found["times_faster"],
        "times_less_tensor_memory": found["times_less_tensor_memory"],
        "times_less_resident_growth": found["times_less_resident_growth"],
        "ours_seconds": found["seconds"]["ours"],
        "enumerated_seconds": found["seconds"]["enumerated"],
        "block_seconds": blocks["seconds"],
        "block_peak_mib": blocks["peak_mib"],
        "detail": found,
    }
    return Outcome(metrics, resolved={"threads": torch.get_num_threads()})


PAIR_LOSSES = Suite(
    "pair-losses",
    "Pair losses with gradients against enumerating the pairs (bars: 50x time, 50x memory; blocks 2 GB)",
    METHODS,
    (0,),
    _cases,
    run,
    columns=(
        metric("times faster", "times_faster", digits=0),
        metric("times less memory (tensors)", "times_less_tensor_memory", digits=0),
        metric("times less memory (resident growth)", "times_less_resident_growth", digits=0),
        metric("blocks: s", "block_seconds", digits=1),
        metric("blocks: peak MiB", "block_peak_mib", digits=0),
    ),
)
