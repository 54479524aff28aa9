"""A new fit in the background: what it is given, its process, and what comes of it."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from coterie._errors import InputError
from coterie.cli.open import work
from coterie.cli.open.library import REFITS
from coterie.corrections.workbench import Workbench

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


class Learning:
    """New fits of a run, one at a time.

    Parameters
    ----------
    run : Path
    """

    def __init__(self, run: Path) -> None:
        self._run = run
        self._process: subprocess.Popen[str] | None = None
        self._stopped = False

    @property
    def busy(self) -> bool:
        """Whether one is under way."""
        return self._process is not None

    def begin(self, bench: Workbench, done: Callable[[Floats | None, str], None]) -> None:
        """Begin one.

        Parameters
        ----------
        bench : Workbench
        done : callable
            Called in a thread with the probabilities (n, k) and the name of the folder that holds them, or
            with None and why there are none; it says when that was taken over, with `end`.

        Raises
        ------
        InputError
            There is nothing to learn: one cluster, or a fit is under way.
        """
        if self._process is not None:
            raise InputError("a new fit is under way")
        labels = starting_labels(bench)
        number = 1 + max([0, *(int(path.name) for path in (self._run / REFITS).glob("[0-9]*"))])
        folder = self._run / REFITS / f"{number:04}"
        folder.mkdir(parents=True)
        np.save(folder / "labels.npy", labels)
        np.save(folder / "pairs.npy", np.stack(bench.pairs(), axis=1))
        self._stopped = False
        self._process = work.start("refit", str(self._run), str(folder))
        threading.Thread(target=self._wait, args=(self._process, folder, done), daemon=True).start()

    def stop(self) -> None:
        """End the one that is under way."""
        process = self._process
        if process is not None:
            self._stopped = True
            process.kill()

    def end(self) -> None:
        """Say that its result is in use now."""
        self._process = None

    def _wait(
        self, process: subprocess.Popen[str], folder: Path, done: Callable[[Floats | None, str], None]
    ) -> None:
        values, said = None, f"{REFITS}/{folder.name}"
        try:
            work.finish(process)
            values = np.load(folder / "scores.npy")
        except (InputError, OSError) as error:
            shutil.rmtree(folder, ignore_errors=True)
            said = "the new fit was stopped" if self._stopped else f"the new fit failed: {error}"
        done(values, said)


def starting_labels(bench: Workbench) -> Ints:
    """Clusters that are shown, from 0 on; samples that were put aside are where the fit had them.

    Raises
    ------
    InputError
        There are fewer than two.
    """
    shown, scores = bench.shown, bench.scores
    ids = np.unique(shown.labels[shown.labels >= 0])
    if len(ids) < 2:
        raise InputError("a new fit needs at least 2 clusters that have samples")
    likely = np.array([bench.canonical(cluster) for cluster in scores.clusters])
    label = np.where(shown.labels >= 0, shown.labels, likely[scores.values.argmax(axis=1)])
    place = np.minimum(np.searchsorted(ids, label), len(ids) - 1)
    # of a cluster that has no samples any more
    return np.where(ids[place] == label, place, 0).astype(np.int64)
