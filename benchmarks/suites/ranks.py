"""One joint run in two processes, each on a core of its own, against one process on one core.

Steps are timed as the difference of a long and a short fit, so that scaling and the last labels, which both
have, take no part. Memory is that of a fit on mapped rows; half a gigabyte of each process's belongs to
libraries and to the training itself, whatever the data.

Messages are slow in virtual machines. Gloo exchanges 50 kB in 0.4 ms here, sums them in 1.0 ms, and sums and
scatters them in 3.5 ms, so rows and batch statistics are gathered and scattered by exchanges. Before, the
efficiencies were .53 (ddc-images), .58 (ccn-images), .70 (adc-images) and .28 (ccn-vectors). Two fits that do
not talk to each other would have .92 (ddc-images) and 1.02 (ccn-images). Gradients in one message in place of
two, or summed by exchanges too, changed nothing beyond the noise of repeats (a tenth).
"""

from __future__ import annotations

import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.columns import metric
from benchmarks.processes import tree_bytes
from benchmarks.record import ROOT
from benchmarks.suites.base import Case, Options, Outcome, Suite
from coterie import ADC, CCN, DDC
from coterie.data import read_samples
from coterie.engine.processes import leave

EFFICIENCY, MEMORY = 0.8, 0.6
N_CLUSTERS = 10
_SAMPLED_EVERY = 0.2
_CHUNK = 50_000
# of a fit before the others: it meets the other process and imports
_WARM_ROWS = 200
# method -> rows, shape of one, batch size, steps of the short fit and how many more the long one has
METHODS: dict[str, dict[str, Any]] = {
    "ddc-images": {"rows": 6000, "shape": [28, 28], "batch_size": 120, "steps": 10, "more": 80},
    "ccn-images": {"rows": 6000, "shape": [28, 28], "batch_size": 256, "steps": 10, "more": 50},
    "adc-images": {"rows": 6000, "shape": [28, 28], "batch_size": 100, "steps": 10, "more": 30},
    "ccn-vectors": {"rows": 6000, "shape": [64], "batch_size": 1000, "steps": 20, "more": 300},
    "memory": {"rows": 1_500_000, "shape": [784], "batch_size": 1000, "steps": 200, "more": 0},
    "memory-large": {"rows": 3_000_000, "shape": [784], "batch_size": 1000, "steps": 200, "more": 0},
}
_START = "import sys; from benchmarks.suites.ranks import start; start(*sys.argv[1:])"
MAKE: dict[str, type[ADC | CCN | DDC]] = {"adc": ADC, "ddc": DDC}


def _cases(options: Options) -> list[Case]:
    cases = []
    for draw in options.draws or (0,):
        for method in options.pick_methods(tuple(METHODS)):
            settings = METHODS[method] | {"repeats": 3}
            if options.quick:
                settings |= {"rows": 300, "batch_size": 20, "repeats": 1, "steps": 2, "more": 2}
            cases.append(Case("ranks", method, "blobs", "", draw, settings))
    return cases


def run(case: Case) -> Outcome:
    """Time steps, or look at the memory of each process."""
    settings = case.settings
    with tempfile.TemporaryDirectory() as folder:
        _write_rows(Path(folder), settings["rows"], settings["shape"], case.draw)
        size = Path(folder, "x.npy").stat().st_size
        metrics: dict[str, Any] = {"load_before": os.getloadavg()[0], "file_mib": size / 2**20}
        if case.method.startswith("memory"):
            (done,) = [_launched(Path(folder), case, 2)]
            metrics["largest_share"] = max(done["peaks"]) / size
            metrics["largest_mib"] = max(done["peaks"]) / 2**20
        else:
            metrics |= _timed(Path(folder), case)
    return Outcome(metrics | {"load_after": os.getloadavg()[0]})


def _timed(folder: Path, case: Case) -> dict[str, Any]:
    """Seconds of a step of one process and of two, taken in turn."""
    found: dict[int, list[dict[str, Any]]] = {1: [], 2: []}
    for _ in range(case.settings["repeats"]):
        for world, each in found.items():
            each.append(_launched(folder, case, world))
    wall = {world: statistics.median(one["step"] for one in each) for world, each in found.items()}
    busy = {world: statistics.median(one["processor"] for one in each) for world, each in found.items()}
    return {
        "step_1": wall[1],
        "step_2": wall[2],
        "efficiency": wall[1] / (2 * wall[2]),
        "processor_efficiency": busy[1] / busy[2],
        "same_labels": int(all(one["labels"] == found[1][0]["labels"] for one in found[1] + found[2])),
    }


def _launched(folder: Path, case: Case, world: int) -> dict[str, Any]:
    """What `main` found on the first process, with the processor seconds of a step over all of them."""
    settings = case.settings
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    shared = {"WORLD_SIZE": world, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": 1}
    command = [sys.executable, "-c", _START, str(folder), case.method]
    command += [json.dumps(dict(settings)), str(case.draw)]
    processes = []
    for rank in range(world):
        own = shared | {"RANK": rank, "LOCAL_RANK": rank}
        environment = os.environ | {name: str(value) for name, value in own.items()}
        processes.append(
            subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
        )
    peaks = [0] * world
    # to look at memory takes time of a core, which steps that are timed need
    while not settings["more"] and any(process.poll() is None for process in processes):
        peaks = [max(peak, tree_bytes(one.pid)) for peak, one in zip(peaks, processes, strict=True)]
        time.sleep(_SAMPLED_EVERY)
    printed = [process.communicate()[0] for process in processes]
    if any(process.returncode for process in processes):
        raise RuntimeError(f"{' '.join(command)} failed in {world} processes")
    each = [json.loads(text.splitlines()[-1]) for text in printed]
    found: dict[str, Any] = each[0]
    return found | {"processor": sum(one["processor"] for one in each), "peaks": peaks}


def start(folder: str, method: str, settings: str, seed: str) -> None:
    """`main` with the words of a command."""
    main(Path(folder), method, json.loads(settings), int(seed))
    sys.stdout.flush()
    os._exit(0)  # a thread of gloo that still runs when Python ends aborts the process now and then


def main(folder: Path, method: str, settings: dict[str, Any], seed: int) -> None:
    """Fit as one of the processes, on a core of its own; print seconds of a step, and sizes of clusters."""
    rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[rank % len(cores)]})
    X, y = read_samples(folder / "x.npy").X, np.load(folder / "y.npy")
    lengths = [settings["steps"], settings["steps"] + settings["more"]][: 2 if settings["more"] else 1]
    seconds = []
    make_model(method, settings["batch_size"], 2, seed).fit(X[:_WARM_ROWS], y[:_WARM_ROWS])
    for steps in lengths:
        begun = np.array([time.perf_counter(), time.process_time()])
        model = make_model(method, settings["batch_size"], steps, seed).fit(X, y)
        seconds.append(np.array([time.perf_counter(), time.process_time()]) - begun)
    step, processor = np.ptp(seconds, axis=0) / (settings["more"] or np.inf)
    sizes = np.bincount(model.labels_, minlength=N_CLUSTERS).tolist()
    print(json.dumps({"step": step, "processor": processor, "labels": sizes}))
    if world > 1:
        leave()


def make_model(method: str, batch_size: int, steps: int, seed: int) -> ADC | CCN | DDC:
    """The estimator of a method, which takes so many steps."""
    common: dict[str, Any] = {"n_clusters": N_CLUSTERS, "n_restarts": 1, "max_steps": steps}
    common |= {"batch_size": batch_size, "random_state": seed, "threads": 1, "over_clustering": True}
    return MAKE.get(method.partition("-")[0], CCN)(**common)


def _write_rows(folder: Path, rows: int, shape: Sequence[int], seed: int) -> None:
    """Write rows around the centres of ten groups, and their groups."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((N_CLUSTERS, *shape), dtype=np.float32)
    y = rng.integers(0, N_CLUSTERS, rows)
    mapped = np.lib.format.open_memmap(folder / "x.npy", "w+", np.float32, (rows, *shape))
    for start in range(0, rows, _CHUNK):
        part = y[start : start + _CHUNK]
        mapped[start : start + _CHUNK] = centres[part] + rng.standard_normal(
            (len(part), *shape), dtype=np.float32
        )
    mapped.flush()
    np.save(folder / "y.npy", y)


RANKS = Suite(
    "ranks",
    "One joint run in two processes on two cores against one on one core (bars: efficiency "
    f"{EFFICIENCY}; proportional set size of each process at most {MEMORY} of the data)",
    tuple(METHODS),
    (0,),
    _cases,
    run,
    columns=(
        metric("efficiency", "efficiency", digits=2),
        metric("by processor seconds", "processor_efficiency", digits=2),
        metric("step of one process, ms", "step_1", 1000, digits=1),
        metric("step of two, ms", "step_2", 1000, digits=1),
        metric("same sizes of clusters", "same_labels", digits=0),
        metric("largest share of the data's memory", "largest_share", digits=2),
    ),
)
