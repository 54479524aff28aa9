"""What a command costs before it works, against the imports that it could not do without: processor time.

Every command runs in a fresh process, in turn with the imports; medians of the rounds.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from typing import Any

from benchmarks.columns import metric
from benchmarks.suites.base import Case, Options, Outcome, Suite

ROUNDS = 11
_COMMAND = "from coterie.cli import main; main({})"
_TORCH = "import torch"
_LIBRARIES = "import torch, sklearn.cluster"
_ONE_STEP = """
import torch, sklearn.cluster, numpy as np
from coterie import DDC
DDC(2, n_restarts=1, max_steps=1, over_clustering=True).fit(np.random.default_rng(0).normal(size=(50, 4)))
"""
# method -> (what runs, what it is measured against, the bar or None)
METHODS: dict[str, tuple[str, str, float | None]] = {
    "help": (_COMMAND.format(["--help"]), _TORCH, 0.15),
    "fit-help": (_COMMAND.format(["fit", "--help"]), _TORCH, None),
    "wrong-method": (_COMMAND.format(["fit", "data.npy", "--out", "run", "--method", "dcc"]), _TORCH, 0.25),
    "wrong-option": (_COMMAND.format(["fit", "data.npy", "--out", "run", "--clusters", "3"]), _TORCH, None),
    "completion": (_COMMAND.format(["completion", "bash"]), _TORCH, None),
    "import": (
        f"{_LIBRARIES}; from coterie import DDC",
        _LIBRARIES,
        1.15,
    ),
    "first-step": (_ONE_STEP, _LIBRARIES, None),
}


def _cases(options: Options) -> list[Case]:
    rounds = 1 if options.quick else ROUNDS
    return [
        Case("start-up", method, "", "", draw, {"rounds": rounds, "bar": METHODS[method][2]})
        for draw in options.draws or (0,)
        for method in options.pick_methods(tuple(METHODS))
    ]


def run(case: Case) -> Outcome:
    """Run both in turn."""
    code, beside, _ = METHODS[case.method]
    seconds: dict[str, list[float]] = {code: [], beside: []}
    if case.settings["rounds"] > 1:
        for each in seconds:
            _seconds(each)  # what lies on the disk is read once
    for _ in range(case.settings["rounds"]):
        for each, taken in seconds.items():
            taken.append(_seconds(each))
    ours, base = seconds[code], seconds[beside]
    metrics: dict[str, Any] = {
        "ratio": statistics.median(ours) / statistics.median(base),
        "ratio_of_pairs": statistics.median(a / b for a, b in zip(ours, base, strict=True)),
        "processor_seconds": statistics.median(ours),
        "base_processor_seconds": statistics.median(base),
    }
    return Outcome(metrics)


def _seconds(code: str) -> float:
    """Processor seconds of a fresh Python process."""
    with open(os.devnull, "wb") as nowhere:
        process = subprocess.Popen([sys.executable, "-c", code], stdout=nowhere, stderr=nowhere)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise ValueError(f"{code!r} ended with {process.returncode}")
    return usage.ru_utime + usage.ru_stime


START_UP = Suite(
    "start-up",
    "Processor time of commands and imports (bars: help 0.15, a wrong method 0.25 of importing torch)",
    tuple(METHODS),
    (0,),
    _cases,
    run,
    columns=(
        metric("of importing torch, medians", "ratio", digits=2),
        metric("processor s", "processor_seconds", digits=2),
        metric("importing torch, s", "base_processor_seconds", digits=2),
    ),
)
