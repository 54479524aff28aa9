"""Photos from files to clusters through an encoder, on all cores: once, with new photos, and after a kill.

Each fit is one command line in a process of its own. For the fit that is killed an encoder is registered that
notes every photo once its vector is there; its weights are those of the others.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks import processes, scores
from benchmarks.columns import metric
from benchmarks.datasets import load
from benchmarks.record import ROOT
from benchmarks.suites.base import Case, Options, Outcome, Suite
from benchmarks.suites.minutes import labels_of, mixed_sizes, write_pictures
from coterie.cli.embedding import FOLDER
from coterie.data.readers import read_items
from coterie.encoders import find_encoder
from coterie.encoders.efficientnet_lite0 import EfficientNetLite0
from coterie.encoders.embedding import embed_items
from coterie.metrics import clustering_accuracy, nmi
from coterie.report.baseline import unit_rows

METHOD = "self-distillation"
# side of the encoder's pictures -> most minutes of the first fit on two cores
BARS = {160: 20, 224: 30}
PHOTOS, NEW, CLASSES = 10_000, 100, 10
QUICK_PHOTOS, QUICK_NEW, QUICK_SIDE = 96, 8, 32
DRAWS = (100,)
_RESTARTS = 10
_LOOKED_EVERY = 0.05
_NOTED, _NOTES = "noted", "COTERIE_NOTES"


class Noted(EfficientNetLite0):
    """The same vectors; each photo is noted in a file, which a variable names, once it has its vector."""

    def __init__(self, side: int | str) -> None:
        super().__init__(side)
        self.name = f"{_NOTED}:{self.side}"

    def embed(self, batch: Sequence[Any]) -> npt.NDArray[np.float32]:
        """Vectors of RGB pictures, float32 of shape (len(batch), 1280)."""
        found = super().embed(batch)
        lines = "".join(hashlib.sha256(picture.tobytes()).hexdigest() + "\n" for picture in batch)
        with open(os.environ[_NOTES], "a", encoding="utf-8") as file:
            file.write(lines)
        return found


def _cases(options: Options) -> list[Case]:
    sides = (QUICK_SIDE,) if options.quick else tuple(BARS)
    n = QUICK_PHOTOS if options.quick else PHOTOS
    settings = {
        "photos": options.train_rows or n,
        "new": QUICK_NEW if options.quick else NEW,
        "options": [
            word
            for name, value in options.parameters.items()
            for word in (f"--{name.replace('_', '-')}", str(value))
        ],
    }
    return [
        Case(
            *("embedding", method, f"photos{settings['photos']}", str(side), draw),
            settings | {"side": side, "bar_minutes": BARS.get(side)},
        )
        for draw in options.draws or DRAWS
        for method in options.pick_methods((METHOD,))
        for side in sides
    ]


def run(case: Case) -> Outcome:
    """Fit, fit again with new photos, and fit once more with a kill between."""
    n, new, side = (case.settings[name] for name in ("photos", "new", "side"))
    encoder = f"efficientnet-lite0:{side}"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pictures, labels, later = _write(folder, n, new, case.draw)
        fit = _Fit(folder, case.draw, case.settings["options"])
        first = fit.measure("run", encoder)
        truth, found = labels_of(folder / "run" / "labels.csv", labels)
        by_kmeans = _kmeans(fit, encoder, case.draw)
        for file in later:
            file.rename(pictures / file.name)
        again = fit.measure("run", encoder, "--overwrite")
        kept, all_kept = len(truth), _count_kept(folder / "run")
        killed = _go_on(fit, f"{_NOTED}:{side}", (n + new) // 2)
    metrics = {
        **first,
        "again_wall_seconds": again["wall_seconds"],
        "again_embedded": all_kept - kept,
        "again_peak_mib": again["peak_mib"],
        **killed,
        "accuracy": clustering_accuracy(truth, found),
        "nmi": nmi(truth, found),
        "kmeans_accuracy": clustering_accuracy(truth, by_kmeans),
        "rows": len(truth),
    }
    return Outcome(metrics, resolved={"command": " ".join(fit.words("run", encoder)[1:])})


def _write(folder: Path, n: int, new: int, draw: int) -> tuple[Path, dict[str, int], list[Path]]:
    """Photos of CIFAR-10, each enlarged to a size of its own; their classes; files for later, beside them."""
    split = load("cifar10")
    rows = np.random.default_rng(draw).choice(len(split.x_train), n + new, replace=False)
    classes = [int(label) for label in split.y_train[rows]]
    pictures, labels = write_pictures(folder, split.x_train[rows], classes, mixed_sizes(n + new, draw))
    place = folder / "later"
    place.mkdir()
    later = [(pictures / name).rename(place / name) for name in sorted(labels)[n:]]
    return pictures, labels, later


class _Fit:
    """The command line of a fit of the pictures of a folder."""

    def __init__(self, folder: Path, draw: int, options: list[str]) -> None:
        self.folder = folder
        self.notes = folder / "notes"
        self._last = ["--n-clusters", str(CLASSES), "--random-state", str(draw), *options]

    def words(self, out: str, encoder: str, *more: str) -> list[str]:
        """The command, without the interpreter's options."""
        chosen = ["--method", METHOD, "--encoder", encoder, *self._last, *more]
        return [sys.executable, "-m", "coterie", "fit", "pictures", "--out", out, *chosen]

    def environment(self) -> dict[str, str]:
        """Variables under which the other encoder is known, as if a package brought it."""
        info = self.folder / "packages" / f"{_NOTED}-1.dist-info"
        info.mkdir(parents=True, exist_ok=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {_NOTED}\nVersion: 1\n")
        (info / "entry_points.txt").write_text(f"[coterie.encoders]\n{_NOTED} = {__name__}:Noted\n")
        path = os.pathsep.join(map(str, (ROOT / "src", ROOT, info.parent)))
        return {"PYTHONPATH": path, "OMP_NUM_THREADS": "1", _NOTES: str(self.notes)}

    def measure(self, out: str, encoder: str, *more: str) -> dict[str, float]:
        """Seconds and memory of the whole fit."""
        return processes.measure(self.words(out, encoder, *more), self.folder, self.environment())


def _go_on(fit: _Fit, encoder: str, after: int) -> dict[str, float]:
    """End a fit without notice once so many vectors lie beside it, and let it go on; how it went."""
    run = fit.folder / "killed"
    _kill(fit.words(run.name, encoder), fit.folder, fit.environment(), lambda: _count_kept(run) >= after)
    at_kill, kept = len(_notes(fit)), _count_kept(run)
    resumed = fit.measure(run.name, encoder, "--resume")
    notes = _notes(fit)
    return {
        "embedded_before_the_kill": at_kill,
        "kept_before_the_kill": kept,
        "embedded_twice": len(notes) - len(set(notes)),
        "resumed_wall_seconds": resumed["wall_seconds"],
        "resumed_peak_mib": resumed["peak_mib"],
    }


def _kill(
    command: Sequence[str], folder: Path, environment: dict[str, str], is_time: Callable[[], bool]
) -> None:
    """Start a command and kill it with all its processes once it is time.

    Raises
    ------
    RuntimeError
        It ended before.
    """
    with subprocess.Popen(
        command, cwd=folder, env=os.environ | environment, stdout=subprocess.DEVNULL, start_new_session=True
    ) as process:
        while not is_time():
            if process.poll() is not None:
                raise RuntimeError(f"{' '.join(command)} ended with exit code {process.returncode}")
            time.sleep(_LOOKED_EVERY)
        os.killpg(process.pid, signal.SIGKILL)


def _notes(fit: _Fit) -> list[str]:
    return fit.notes.read_text(encoding="utf-8").split() if fit.notes.exists() else []


def _count_kept(run: Path) -> int:
    """Photos whose vectors lie beside a run; files with a dot are still being written."""
    return sum(len(json.loads(index.read_text())) for index in Path(run, FOLDER).glob("*/[!.]*.json"))


def _kmeans(fit: _Fit, encoder: str, seed: int) -> scores.Labels:
    """The best of some runs of k-means on the vectors that the first fit kept, in the order of its rows."""
    items = read_items(fit.folder / "pictures")
    assert items is not None, "it is a folder of pictures"
    vectors = embed_items(items, find_encoder(encoder), folder=fit.folder / "run" / FOLDER, n_jobs=1).X
    return scores.kmeans(unit_rows(np.asarray(vectors, np.float64)), CLASSES, _RESTARTS, seed)


EMBEDDING = Suite(
    "embedding",
    "10,000 photos through an encoder to clusters (bars: 20 minutes at 160 pixels, 30 at 224, 3 GB; with 100 "
    "new photos 1 minute; none embedded twice after a kill)",
    (METHOD,),
    DRAWS,
    _cases,
    run,
    columns=(
        metric("rows", "rows", digits=0),
        metric("ACC", "accuracy"),
        metric("k-means on the vectors, ACC", "kmeans_accuracy"),
        metric("wall, s", "wall_seconds", digits=0),
        metric("processor, s", "processor_seconds", digits=0),
        metric("memory of all processes, MiB", "peak_mib", digits=0),
        metric("with new photos, s", "again_wall_seconds", digits=0),
        metric("embedded anew", "again_embedded", digits=0),
        metric("embedded before the kill", "embedded_before_the_kill", digits=0),
        metric("embedded twice", "embedded_twice", digits=0),
        metric("load of the machine", "load", digits=1),
    ),
)
