"""Prediction of ten million rows: a mapped array, and the same rows in a hundred shards by the command line.

Held against a bare forward pass: the same chunks are read, scaled, sent through the same network, and the
largest output taken.
"""

from __future__ import annotations

import hashlib
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.columns import metric
from benchmarks.processes import peak_memory
from benchmarks.record import ROOT
from benchmarks.suites.base import Case, Options, Outcome, Suite
from benchmarks.suites.memmap import FEATURES, N_CLUSTERS, _write_rows
from coterie import DDC, save
from coterie.data import read_samples
from coterie.nn import rows_at_once

SHARE, GROWTH, ANONYMOUS_MIB = 0.9, 0.15, 1000
# method -> sizes; the first of "mapped" is what the growth is held against
METHODS = {"mapped": (100_000, 1_000_000, 10_000_000), "files": (10_000_000,)}
N_SHARDS = 100
_FIT_ROWS = 2000


def _cases(options: Options) -> list[Case]:
    cases = []
    for draw in options.draws or (0,):
        for method in options.pick_methods(tuple(METHODS)):
            settings: dict[str, Any] = {"rows": METHODS[method], "shards": N_SHARDS, "repeats": 3}
            if options.quick:
                settings |= {"rows": (2000, 4000)[: len(METHODS[method])], "shards": 4, "repeats": 1}
            cases.append(Case("shards", method, "blobs64", "", draw, settings))
    return cases


def run(case: Case) -> Outcome:
    """Fit on a few rows, and predict all."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write_rows(folder / "rows.npy", case.settings["rows"][-1], case.draw)
        X = read_samples(folder / "rows.npy").X
        model = DDC(N_CLUSTERS, n_restarts=1, max_steps=20, over_clustering=True, threads=1, random_state=0)
        model.fit(X[:_FIT_ROWS])
        metrics: dict[str, Any] = {"load_before": os.getloadavg()[0]}
        work = {"mapped": _mapped, "files": _files}[case.method]
        metrics |= work(case, model, X, folder)
    return Outcome(metrics | {"load_after": os.getloadavg()[0]}, model.runs_)


def _mapped(case: Case, model: DDC, X: Any, folder: Path) -> dict[str, Any]:
    """Microseconds a row of each size, of `predict` and of a bare forward pass, taken in turn."""
    found: dict[str, Any] = {}
    with peak_memory() as peak:
        for rows in case.settings["rows"]:
            part = X[:rows]
            repeats = case.settings["repeats"] * (1 if rows == len(X) else 3)
            ours, bare = _in_turn(partial(model.predict, part), partial(forward, model, part), repeats)
            found |= {f"predict_{rows}": 1e6 * ours / rows, f"bare_{rows}": 1e6 * bare / rows}
            found["share_of_bare"] = bare / ours
    first, last = (found[f"predict_{rows}"] for rows in (case.settings["rows"][0], len(X)))
    return found | {"growth": last / first - 1, "anonymous_mib": peak[0] / 2**20}


def _in_turn(first: Callable[[], object], second: Callable[[], object], repeats: int) -> list[float]:
    """Medians of the seconds that two calls take."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeats):
        for call, taken in zip((first, second), seconds, strict=True):
            begun = time.perf_counter()
            call()
            taken.append(time.perf_counter() - begun)
    return [statistics.median(taken) for taken in seconds]


def forward(model: DDC, X: Any) -> np.ndarray[Any, Any]:
    """Clusters of rows, by a loop as one writes it by hand."""
    offset, factor = (torch.from_numpy(one).float() for one in (model.scaling_.offset, model.scaling_.factor))
    found = np.empty(len(X), dtype=np.int64)
    together = rows_at_once((FEATURES,))
    with torch.inference_mode():
        for start in range(0, len(X), together):
            rows = torch.from_numpy(np.array(X[start : start + together]))
            logits = model.network_(rows.sub_(offset).mul_(factor))[1]
            found[start : start + len(rows)] = logits.argmax(dim=1).numpy()
    return found


def _files(case: Case, model: DDC, X: Any, folder: Path) -> dict[str, Any]:
    """A whole run of the command on one core and on all, then one that is killed half-way and goes on.

    The bare pass reads one array and writes nothing; the command starts, and writes a line for each row.
    """
    shards = folder / "shards"
    shards.mkdir()
    for number, part in enumerate(np.array_split(np.arange(len(X)), case.settings["shards"])):
        np.save(shards / f"{number:03}.npy", X[part[0] : part[-1] + 1])
    (folder / "run").mkdir()
    save(model, folder / "run" / "model")
    begun = time.perf_counter()
    forward(model, X)
    bare = time.perf_counter() - begun
    begun = time.perf_counter()
    peak = _ended(_command(folder, "whole"))
    taken = time.perf_counter() - begun
    begun = time.perf_counter()
    _ended(_command(folder, "all-cores", n_jobs=-1))
    by_all = time.perf_counter() - begun
    killed = _command(folder, "killed")
    while len([*(folder / "killed").glob("*.csv")]) < case.settings["shards"] // 2:
        time.sleep(0.05)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    before = len([*(folder / "killed").glob("*.csv")])
    _ended(_command(folder, "killed"))
    return {
        "files_seconds": taken,
        "microseconds_a_row": 1e6 * taken / len(X),
        "share_of_bare": bare / taken,
        "all_cores_share_of_bare": bare / by_all,
        "anonymous_mib": peak / 2**20,
        "written_before_the_kill": before,
        "same_files": int(_digests(folder / "whole") == _digests(folder / "killed")),
        "same_files_by_all_cores": int(_digests(folder / "whole") == _digests(folder / "all-cores")),
    }


def _command(folder: Path, out: str, n_jobs: int = 1) -> subprocess.Popen[bytes]:
    words = ["predict", str(folder / "run"), str(folder / "shards" / "*.npy"), "--out", str(folder / out)]
    command = [sys.executable, "-m", "coterie", *words, "--n-jobs", str(n_jobs)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)


def _ended(process: subprocess.Popen[bytes]) -> int:
    """Bytes of the largest anonymous memory of a process up to its end."""
    peak, status = 0, Path(f"/proc/{process.pid}/status")
    while process.poll() is None:
        lines = [line for line in status.read_text().splitlines() if line.startswith("RssAnon:")]
        peak = max([peak, *(1024 * int(line.split()[1]) for line in lines)])
        time.sleep(0.05)
    if process.returncode:
        raise RuntimeError(f"coterie predict failed with exit code {process.returncode}")
    return peak


def _digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.csv")}


SHARDS = Suite(
    "shards",
    "Prediction of 10,000,000 x 64 rows, mapped and in 100 shards (bars: "
    f"{SHARE} of a bare forward pass, RssAnon below {ANONYMOUS_MIB} MB, time a row within {GROWTH:.0%} "
    "of that at 100,000 rows, the same files after a kill)",
    tuple(METHODS),
    (0,),
    _cases,
    run,
    columns=(
        metric("share of a bare forward pass", "share_of_bare", digits=2),
        metric("all cores: of a bare pass on one", "all_cores_share_of_bare", digits=2),
        metric("largest RssAnon, MiB", "anonymous_mib", digits=0),
        metric("growth of a row's time", "growth", digits=2),
        metric("same files after a kill", "same_files", digits=0),
    ),
)
