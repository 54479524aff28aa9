"""Twenty DDC starts in one process and in two: wall, the processor time of the busiest process, the labels.

On a machine with other work beside it, wall says little. The processor time of the busiest worker and that of
the process that started it are together what the wall would be on two idle cores, where no worker waits.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.columns import metric
from benchmarks.estimators import RecordedDDC
from benchmarks.processes import called_again
from benchmarks.suites.base import Case, Options, Outcome, Suite
from benchmarks.suites.from_pairs import read_split

# method -> how the starts run
METHODS: dict[str, Any] = {"racing": "successive-halving", "sequential": "sequential"}
N_RESTARTS = 20
BAR = 0.65
_SAMPLED_EVERY = 0.1


def _cases(options: Options) -> list[Case]:
    settings: dict[str, Any] = {
        "rows": 2000,
        "max_steps": 400,
        "batch_size": 120,
        "n_restarts": N_RESTARTS,
        "bar": BAR,
    }
    if options.quick:
        settings |= {"rows": 200, "max_steps": 3, "n_restarts": 3}
    return [
        Case("workers", method, options.data or "mnist", "", draw, settings)
        for draw in options.draws or (0,)
        for method in options.pick_methods(tuple(METHODS))
    ]


def run(case: Case) -> Outcome:
    """Fit once with each number of processes."""
    images = read_split(case.data, case.settings["rows"], None).x_train
    metrics: dict[str, Any] = {"load_before": os.getloadavg()[0]}
    labels = []
    for n_jobs in (1, 2):
        model = RecordedDDC(
            n_clusters=10,
            n_restarts=case.settings["n_restarts"],
            restarts=METHODS[case.method],
            max_steps=case.settings["max_steps"],
            batch_size=case.settings["batch_size"],
            n_jobs=n_jobs,
            threads=1,
            over_clustering=True,
            random_state=case.draw,
        )
        begun = time.perf_counter()
        with _watched() as seconds:
            model.fit(images)
        metrics[f"wall_{n_jobs}"] = time.perf_counter() - begun
        metrics[f"busiest_processor_seconds_{n_jobs}"] = sum(
            sorted((taken for pid, taken in seconds.items() if pid != os.getpid()))[-1:]
        ) + seconds.get(os.getpid(), 0.0)
        metrics[f"all_processor_seconds_{n_jobs}"] = sum(seconds.values())
        labels.append(hashlib.sha256(np.ascontiguousarray(model.labels_).tobytes()).hexdigest())
    metrics["wall_ratio"] = metrics["wall_2"] / metrics["wall_1"]
    busiest = "busiest_processor_seconds"
    metrics["busiest_ratio"] = metrics[f"{busiest}_2"] / metrics[f"{busiest}_1"]
    metrics["same_labels"] = int(labels[0] == labels[1])
    metrics["load_after"] = os.getloadavg()[0]
    return Outcome(metrics, resolved=model.resolved_)


@contextlib.contextmanager
def _watched() -> Iterator[dict[int, float]]:
    """Processor seconds of this process and of its children while it is inside."""
    own = time.process_time()
    seconds: dict[int, float] = {}
    try:
        with called_again(lambda: seconds.update(_children()), _SAMPLED_EVERY):
            yield seconds
    finally:
        seconds[os.getpid()] = time.process_time() - own


def _children() -> dict[int, float]:
    """Processor seconds of this process's children so far."""
    ticks = os.sysconf("SC_CLK_TCK")
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError):  # it has ended
            fields = path.read_text().rpartition(")")[2].split()
            if int(fields[1]) == os.getpid():
                found[int(path.parent.name)] = (int(fields[11]) + int(fields[12])) / ticks
    return found


WORKERS = Suite(
    "workers",
    "Twenty DDC starts in two processes against one (bar: 0.65 of the wall, the same labels)",
    tuple(METHODS),
    (0,),
    _cases,
    run,
    columns=(
        metric("two processes / one, wall", "wall_ratio", digits=2),
        metric("the busier process / one", "busiest_ratio", digits=2),
        metric("one process, s", "wall_1", digits=1),
        metric("two processes, s", "wall_2", digits=1),
        metric("same labels", "same_labels", digits=0),
    ),
)
