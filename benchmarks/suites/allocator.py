"""`coterie fit` that keeps the memory that it frees, against the same fit that gives it back as glibc does.

Whole commands on generated images or vectors, in turn; which of the two goes first is drawn.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks import processes
from benchmarks.columns import metric
from benchmarks.record import ROOT
from benchmarks.suites.base import Case, Options, Outcome, Suite


class Work(NamedTuple):
    """A fit: its method, the shape of a sample, and how many steps."""

    method: str
    shape: tuple[int, ...]
    steps: int


METHODS = {
    "ddc-images": Work("ddc", (28, 28), 200),
    "adc-images": Work("adc", (28, 28), 60),
    "ccn-images": Work("ccn", (28, 28), 600),
    "ddc-vectors": Work("ddc", (64,), 1500),
}
# a setting of glibc's allocator that changes nothing: the command then leaves the allocator alone
_GIVEN_BACK = {"GLIBC_TUNABLES": "glibc.malloc.perturb=0"}
MEASURED = ("wall_seconds", "processor_seconds", "peak_mib")


def _cases(options: Options) -> list[Case]:
    cases = []
    for draw in options.draws or (0,):
        for name in options.pick_methods(tuple(METHODS)):
            work = METHODS[name]
            settings: dict[str, Any] = {"rows": 10_000, "rounds": 5, "steps": work.steps}
            if options.quick:
                settings = {"rows": 100, "rounds": 1, "steps": 2}
            cases.append(
                Case("allocator", name, f"noise{'x'.join(map(str, work.shape))}", "", draw, settings)
            )
    return cases


def run(case: Case) -> Outcome:
    """Fit in turn with each."""
    rng = np.random.default_rng(case.draw)
    taken: dict[str, list[dict[str, float]]] = {"kept": [], "given_back": []}
    with tempfile.TemporaryDirectory() as name:
        command = _command(case, Path(name), rng)
        for _ in range(case.settings["rounds"]):
            for side in rng.permutation(list(taken)).tolist():
                environment = {"PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
                environment |= _GIVEN_BACK if side == "given_back" else {}
                taken[side].append(processes.measure(command, Path(name), environment))
    return Outcome(_metrics(taken), resolved={"command": " ".join(command[3:])})


def _command(case: Case, folder: Path, rng: np.random.Generator) -> list[str]:
    """One start of the fit, and the files that it reads."""
    work, rows = METHODS[case.method], case.settings["rows"]
    np.save(folder / "x.npy", rng.integers(0, 256, (rows, *work.shape), dtype=np.uint8))
    command = [
        *(sys.executable, "-W", "ignore", "-m", "coterie", "fit", "x.npy", "--out", "run", "--overwrite")
    ]
    command += ["--method", work.method, "--n-clusters", "10", "--max-steps", str(case.settings["steps"])]
    command += ["--n-restarts", "1", "--n-jobs", "1", "--threads", "1"]
    command += ["--over-clustering", "true"]
    if work.method == "ccn":
        np.save(folder / "y.npy", rng.integers(0, 10, rows))
        command += ["--labels", "y.npy", "--backbone", "lenet-bn"]
    return command


def _metrics(taken: dict[str, list[dict[str, float]]]) -> dict[str, Any]:
    """Medians of both sides and their ratios, and all that was measured."""
    found: dict[str, Any] = {}
    for what in MEASURED:
        medians = {side: statistics.median(one[what] for one in each) for side, each in taken.items()}
        found |= {f"{what}_{side}": value for side, value in medians.items()}
        found[f"{what}_ratio"] = medians["kept"] / medians["given_back"]
        found |= {f"{what}_{side}_all": [round(one[what], 2) for one in each] for side, each in taken.items()}
    return found


ALLOCATOR = Suite(
    "allocator",
    "`coterie fit` that keeps the memory it frees (glibc's mallopt) against the same fit that gives it back",
    tuple(METHODS),
    (0,),
    _cases,
    run,
    columns=(
        metric("kept / given back, wall", "wall_seconds_ratio", digits=2),
        metric("processor time", "processor_seconds_ratio", digits=2),
        metric("memory", "peak_mib_ratio", digits=2),
        metric("kept, s", "wall_seconds_kept", digits=1),
        metric("given back, s", "wall_seconds_given_back", digits=1),
        metric("kept, MiB", "peak_mib_kept", digits=0),
    ),
)
