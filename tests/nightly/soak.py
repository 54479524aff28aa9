"""The soak: fits, predictions and label sessions in one process, again and again.

``python -m tests.nightly.soak --minutes 120`` writes a record into tests/nightly/results, and exits with 1
if memory grows, or if a file, a process, a thread or an open file is left.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import io
import json
import os
import shlex
import sys
import tempfile
import threading
import time
import urllib.request
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from sklearn.datasets import load_digits
from tests.nightly.records import RESULTS, Found, write

import coterie
from benchmarks import record
from coterie import ADC, CCN, DDC, L2C, Pairs
from coterie.cli import main as command
from coterie.cli.open.library import FOLDER, Library
from coterie.cli.open.prepare import prepare
from coterie.cli.open.server import OpenServer
from coterie.cli.open.session import Session
from coterie.engine import restarts

# of the measured rounds' mean: memory may grow by so much from the first to the last
MOST_GROWTH = 0.03
# rounds before those that are measured: caches of torch and numpy fill
WARM_UP = 5
# a fit with worker processes in every so many rounds: each imports torch
WORKERS_EVERY = 25
_QUICK: dict[str, Any] = {"n_clusters": 10, "n_restarts": 2, "max_steps": 20, "over_clustering": True}


class Soak:
    """Rounds of work, and what the process holds after each.

    Parameters
    ----------
    folder : Path
        Empty.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.held: list[dict[str, int]] = []
        X, self.y = load_digits(return_X_y=True)
        self.X = X.astype(np.float32)
        np.save(folder / "x.npy", self.X)
        np.save(folder / "y.npy", self.y)
        self._files = {path.name for path in folder.iterdir()}

    def round(self) -> None:
        """One of each: fits, a saved model, commands, a label session."""
        number = len(self.held)
        rows = np.random.default_rng(number).choice(len(self.X), 200, replace=False)
        X, y = self.X[rows], self.y[rows]
        jobs, worth = (2, 0.0) if number % WORKERS_EVERY == 3 else (1, restarts.WORTH_SECONDS)
        checkpoints = str(self.folder / "checkpoints")
        model = CCN(**_QUICK, n_jobs=jobs, checkpoint_dir=checkpoints, random_state=number)
        with mock.patch.multiple(restarts, TRIAL_SECONDS=0.0, WORTH_SECONDS=worth):
            model.fit(X, y)
        for other in (DDC(**_QUICK), ADC(**_QUICK), CCN(**_QUICK)):
            other.fit(X, pairs=Pairs.from_labels(y, 100, random_state=number)).transform(self.X)
        L2C.from_pretrained("points2d").predict(X[:60, 20:22])
        coterie.save(model, self.folder / "model")
        np.testing.assert_array_equal(coterie.load(self.folder / "model").predict(X), model.predict(X))
        self._commands()
        self._label()
        self._remove()
        self._measure()

    def _commands(self) -> None:
        run, words = (
            str(self.folder / "run"),
            ["--n-clusters", "10", "--max-steps", "10", "--n-restarts", "1"],
        )
        data, labels = str(self.folder / "x.npy"), str(self.folder / "y.npy")
        for given in (
            ["fit", data, "--labels", labels, "--out", run, *words, "--over-clustering", "true"],
            ["predict", run, data, "--out", str(self.folder / "predicted.csv")],
        ):
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                code = command(given)
            if code != 0:
                raise RuntimeError(f"{shlex.join(given)} ended with {code}")

    def _label(self) -> None:
        """Ten answers to the page of the run."""
        run = self.folder / "run"
        prepare(run, None)
        session = Session(run, Library(run / FOLDER))
        with OpenServer(session) as server:
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
            thread.start()
            for number in range(10):
                rows = [sample["row"] for sample in _ask(f"{server.address}question")["pair"]]
                body = {"version": number, "do": "pair", "rows": rows, "same": False}
                _ask(f"{server.address}act", body)
            server.shutdown()
            thread.join()
        session.finish()

    def _remove(self) -> None:
        """Remove what was written under its known names; what else there is stays, to be counted."""
        for name in ("model", "predicted.csv"):
            (self.folder / name).unlink()
        for name in ("run", "checkpoints"):
            for file in (self.folder / name).rglob("*"):
                if file.is_file() and not file.name.startswith(".coterie-"):
                    file.unlink()
        for folder in sorted(self.folder.rglob("*"), reverse=True):
            with contextlib.suppress(OSError):  # it is a file, or holds one
                folder.rmdir()

    def _measure(self) -> None:
        gc.collect()
        left = {path.name for path in self.folder.rglob("*") if path.is_file()} - self._files
        self.held.append(
            {
                "resident": resident_bytes(),
                "threads": len(os.listdir("/proc/self/task")),
                "open_files": len(os.listdir("/proc/self/fd")),
                "processes": sum(1 for _ in _children()),
                "files": len(left),
            }
        )


def resident_bytes() -> int:
    """Memory that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _children() -> Iterator[int]:
    """Processes of this one, and theirs."""
    waiting = [os.getpid()]
    while waiting:
        for task in Path(f"/proc/{waiting.pop()}/task").glob("*/children"):
            with contextlib.suppress(OSError):  # it has just ended
                found = [int(word) for word in task.read_text().split()]
                waiting += found
                yield from found


def growth(resident: list[int]) -> float:
    """Growth of memory from the first to the last round, by a straight line, as a share of the mean."""
    slope = float(np.polyfit(np.arange(len(resident)), resident, 1)[0])
    return slope * (len(resident) - 1) / float(np.mean(resident))


def judge(held: list[dict[str, int]]) -> list[str]:
    """What grew from the first measured round to the last one."""
    first, last = held[0], held[-1]
    faults = [
        f"{name}: {first[name]} became {last[name]}"
        for name in first
        if name != "resident" and last[name] > first[name]
    ]
    grown = growth([one["resident"] for one in held])
    return faults + ([f"memory grew by {grown:.1%} in {len(held)} rounds"] if grown > MOST_GROWTH else [])


def _ask(address: str, body: dict[str, Any] | None = None) -> Any:
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address, content, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as reply:
        return json.loads(reply.read())


def soak(seconds: float) -> list[dict[str, int]]:
    """Rounds for so many seconds, two after the warm-up at least; what each of the measured ones held."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = Soak(Path(folder))
        begun = time.monotonic()
        while time.monotonic() - begun < seconds or len(made.held) < WARM_UP + 2:
            made.round()
    return made.held[WARM_UP:]


def main(words: list[str] | None = None) -> int:
    """Soak, say what was held and write the record; 1 where something grew."""
    parser = argparse.ArgumentParser(prog="python -m tests.nightly.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=120.0, metavar="M")
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="FOLDER")
    given = sys.argv[1:] if words is None else words
    asked = parser.parse_args(given)
    torch.set_num_threads(1)
    record.commit()  # of the code that was loaded
    begun = time.monotonic()
    held = soak(asked.minutes * 60)
    faults = judge(held)
    _write(asked, held, time.monotonic() - begun, shlex.join(["python", "-m", "tests.nightly.soak", *given]))
    print(
        "\n".join([f"{len(held)} rounds: first {held[0]}, last {held[-1]}", *faults, f"{len(faults)} faults"])
    )
    return int(bool(faults))


def _write(asked: argparse.Namespace, held: list[dict[str, int]], seconds: float, line: str) -> None:
    metrics: dict[str, float] = {"rounds": len(held), "growth": growth([one["resident"] for one in held])}
    metrics |= {f"{name}_first": value for name, value in held[0].items()}
    metrics |= {f"{name}_last": value for name, value in held[-1].items()}
    settings = {"minutes": asked.minutes, "warm_up_rounds": WARM_UP, "most_growth": MOST_GROWTH}
    found = Found("soak", f"m{asked.minutes:g}", settings, metrics, [], seconds, line)
    write(asked.out, found)


if __name__ == "__main__":
    sys.exit(main())
