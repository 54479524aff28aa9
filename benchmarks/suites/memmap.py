"""Arrays larger than memory: one epoch of a fit and a prediction on memory-mapped rows.

Anonymous memory (RssAnon) is sampled while the work goes on; pages of the mapped file are not part of it.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.columns import SECONDS, metric
from benchmarks.estimators import RecordedCCN, RecordedDDC
from benchmarks.processes import anonymous, peak_memory
from benchmarks.suites.base import Case, Options, Outcome, Suite
from coterie.data import read_samples

METHODS: dict[str, Any] = {"ccn": RecordedCCN, "ddc": RecordedDDC}
SIZES = (100_000, 1_000_000, 5_000_000)
FEATURES = 64
N_CLUSTERS = 10
BATCH_SIZE = 500
_CHUNK = 50_000


def _cases(options: Options) -> list[Case]:
    sizes = (2_000,) if options.quick else options.sizes or SIZES
    return [
        Case("memmap", method, "blobs64", f"n{size}", draw, {"rows": size, "batch_size": BATCH_SIZE})
        for draw in options.draws or (0,)
        for method in options.pick_methods(tuple(METHODS))
        for size in sizes
    ]


def run(case: Case) -> Outcome:
    """Write the rows to a file, map it, fit one epoch and predict."""
    rows = case.settings["rows"]
    model = METHODS[case.method](
        n_clusters=N_CLUSTERS, n_restarts=1, over_clustering=True, threads=1, random_state=case.draw
    ).set_params(max_epochs=1, batch_size=case.settings["batch_size"])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "rows.npy")
        y = _write_rows(path, rows, case.draw)
        small = read_samples(path).X[: 4 * BATCH_SIZE]
        model.fit(small, y[: len(small)]).predict(small)  # what a first fit imports is not to be timed
        metrics: dict[str, Any] = {"file_mib": path.stat().st_size / 2**20, "start_mib": anonymous() / 2**20}
        X = read_samples(path).X
        with peak_memory() as peak:
            metrics |= _timed("fit", rows, lambda: model.fit(X, y))
            metrics |= _timed("predict", rows, lambda: model.predict(X))
    metrics["peak_mib"] = peak[0] / 2**20
    return Outcome(metrics, model.runs_, model.resolved_)


def _timed(name: str, rows: int, work: Callable[[], object]) -> dict[str, float]:
    start = time.process_time()
    work()
    seconds = time.process_time() - start
    return {f"{name}_seconds": seconds, f"{name}_microseconds_a_row": 1e6 * seconds / rows}


def _write_rows(path: Path, rows: int, seed: int) -> npt.NDArray[np.int64]:
    """Write rows around the centres of ten groups, float32, and give their groups."""
    rng = np.random.default_rng(seed)
    centres = 3 * rng.standard_normal((N_CLUSTERS, FEATURES), dtype=np.float32)
    y = rng.integers(0, N_CLUSTERS, rows)
    mapped = np.lib.format.open_memmap(path, "w+", np.float32, (rows, FEATURES))
    for start in range(0, rows, _CHUNK):
        part = y[start : start + _CHUNK]
        mapped[start : start + _CHUNK] = centres[part] + rng.standard_normal(
            (len(part), FEATURES), dtype=np.float32
        )
    mapped.flush()
    return y


MEMMAP = Suite(
    "memmap",
    "A mapped X of up to 5,000,000 x 64 float32: one epoch and a prediction (bars: RssAnon below 1 GB, "
    "time a row within 15% of that at 100,000 rows)",
    tuple(METHODS),
    (0,),
    _cases,
    run,
    columns=(
        metric("file, MiB", "file_mib", digits=0),
        metric("RssAnon before, MiB", "start_mib", digits=0),
        metric("largest RssAnon, MiB", "peak_mib", digits=0),
        metric("fit, processor µs a row", "fit_microseconds_a_row", digits=2),
        metric("predict, processor µs a row", "predict_microseconds_a_row", digits=2),
        SECONDS,
    ),
)
