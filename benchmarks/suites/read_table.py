"""Reading a table of numbers against pandas alone: processor time, and memory beside the array that results.

Each reading takes place in a fresh process, the two in turn; anonymous memory (RssAnon) is sampled meanwhile.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.columns import metric
from benchmarks.record import ROOT
from benchmarks.suites.base import Case, Options, Outcome, Suite

ROWS = 1_200_000
COLUMNS = 8
REPEATS = 3
# what is imported, and the cost of a first reading, come before the measurement
_READ = """
import json, sys, time
import pandas
from benchmarks.processes import anonymous, peak_memory
from coterie.data import read_samples
read = {"pandas": pandas.read_csv, "coterie": read_samples}[sys.argv[1]]
read(sys.argv[2])
before = anonymous()
with peak_memory() as peak:
    start = time.process_time()
    held = read(sys.argv[3])
    seconds = time.process_time() - start
print(json.dumps([seconds, peak[0] - before]))
"""


def _cases(options: Options) -> list[Case]:
    sizes, repeats = ((20_000,), 1) if options.quick else (options.sizes or (ROWS,), REPEATS)
    return [
        Case("read-table", "coterie", f"csv{COLUMNS}", f"n{size}", draw, {"rows": size, "repeats": repeats})
        for draw in options.draws or (0,)
        for size in sizes
    ]


def run(case: Case) -> Outcome:
    """Write a CSV file of numbers and read it in both ways."""
    rows = case.settings["rows"]
    values = np.random.default_rng(case.draw).normal(size=(rows, COLUMNS)).round(6)
    found: dict[str, list[tuple[float, float]]] = {"pandas": [], "coterie": []}
    with tempfile.TemporaryDirectory() as folder:
        small, large = Path(folder, "small.csv"), Path(folder, "large.csv")
        frame = pd.DataFrame(values, columns=list("abcdefgh"))
        frame.head(100).to_csv(small, index=False)
        frame.to_csv(large, index=False)
        for _ in range(case.settings["repeats"]):
            for name, measured in found.items():
                measured.append(_measure(name, small, large))
    seconds = {name: statistics.median(one[0] for one in measured) for name, measured in found.items()}
    memory = {name: statistics.median(one[1] for one in measured) for name, measured in found.items()}
    metrics = {f"{name}_seconds": value for name, value in seconds.items()}
    metrics |= {f"{name}_arrays": value / values.nbytes for name, value in memory.items()}
    return Outcome(metrics | {"ratio": seconds["coterie"] / seconds["pandas"]})


def _measure(name: str, small: Path, large: Path) -> tuple[float, float]:
    """Seconds, and bytes at the most, of one reading in a process of its own."""
    command = [sys.executable, "-c", _READ, name, str(small), str(large)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    seconds, memory = json.loads(done.stdout)
    return float(seconds), float(memory)


READ_TABLE = Suite(
    "read-table",
    "a table of 1,200,000 rows read by coterie and by pandas alone: time and memory",
    ("coterie",),
    (0,),
    _cases,
    run,
    columns=(
        metric("coterie / pandas, medians of processor time", "ratio"),
        metric("coterie, s", "coterie_seconds", digits=2),
        metric("pandas, s", "pandas_seconds", digits=2),
        metric("coterie: largest memory / the array", "coterie_arrays", digits=2),
        metric("pandas: the same", "pandas_arrays", digits=2),
    ),
)
