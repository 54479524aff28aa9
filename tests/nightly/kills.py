"""Commands that are killed or stopped at random moments, and go on as if nothing had happened."""

from __future__ import annotations

import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from tests.nightly.commands import SIGNALS, Command, faults_of

from coterie.engine.storage import read_tensors

_DATA = ["x.npy", "--n-clusters", "10", "--random-state", "3", "--out", "run"]
_CCN = [*_DATA, "--labels", "y.npy", "--over-clustering", "true"]


@dataclass(frozen=True)
class Scene:
    """Where a command is killed.

    Attributes
    ----------
    words : sequence of str
        Of ``coterie fit``.
    at_writing : bool
        Kill while the results are written; else at any moment.
    """

    words: Sequence[str]
    at_writing: bool = False


_FIT = [*_CCN, "--n-restarts", "2", "--max-steps", "60", "--n-jobs"]
_RACING = [*_CCN, "--n-restarts", "8", "--restarts", "successive-halving", "--max-steps", "32", "--n-jobs"]
_AUTO = ["x.npy", "--method", "ddc", "--n-clusters", "auto", "--random-state", "3", "--out", "run"]
SCENES = {
    "fit": Scene([*_FIT, "1"]),
    "racing": Scene([*_RACING, "1"]),
    "auto count": Scene([*_AUTO, "--n-restarts", "1", "--max-steps", "4", "--n-jobs", "1"]),
    "writing": Scene([*_CCN, "--n-restarts", "1", "--max-steps", "2", "--n-jobs", "1"], at_writing=True),
    "fit, two workers": Scene([*_FIT, "2"]),
    "racing, two workers": Scene([*_RACING, "2"]),
}


def write_data(folder: Path) -> None:
    """The first 150 digits, as all scenes have them."""
    X, y = load_digits(return_X_y=True)
    np.save(folder / "x.npy", X[:150])
    np.save(folder / "y.npy", y[:150])


def results(folder: Path) -> dict[str, object]:
    """Every bit of a run's results: a model as it is read: the order in its header is arbitrary."""
    tensors, meta = read_tensors(folder / "run" / "model", "model")
    found: dict[str, object] = {name: value.numpy().tobytes() for name, value in tensors.items()}
    tables = {name: (folder / "run" / name).read_bytes() for name in ("labels.csv", "history.csv")}
    return found | {"meta": meta} | tables


class Killing:
    """Kills one scene's command again and again, resumes it, and counts what happens.

    Parameters
    ----------
    name : str
        Of `SCENES`.
    folder : Path
        Empty.
    seed : int
    """

    def __init__(self, name: str, folder: Path, seed: int) -> None:
        self.scene = SCENES[name]
        self.folder = folder
        self.faults: list[str] = []
        self.counts: Counter[str] = Counter()
        self._chance = random.Random(f"{name} {seed}")
        write_data(folder)
        self._words = ["fit", *self.scene.words, "--resume"]
        self._seconds = self._whole_run()
        self.expected = results(folder)
        shutil.rmtree(folder / "run")

    def _whole_run(self) -> float:
        """Seconds of the part of the command in which it is to be killed, once undisturbed."""
        command = Command(self._words, self.folder, self.scene.at_writing)
        command.wait_until_begun()
        begun = time.monotonic()
        code = command.wait()
        if code != 0:
            raise RuntimeError(f"{self._words} ended with {code}: {command.said()}")
        return time.monotonic() - begun

    def kill(self, n: int) -> None:
        """Kill or stop the command so many times at random moments; each time it goes on afterwards."""
        while self.counts["kills"] < n:
            number, fresh = self._chance.choice(SIGNALS), not (self.folder / "run").exists()
            command = Command(self._words, self.folder, self.scene.at_writing)
            command.wait_until_begun()
            begun = time.monotonic()
            command.pause(self._chance.random() * self._seconds)
            command.send(number)
            code = command.wait()
            if code == 0 and fresh:  # the machine may be faster or slower than it was
                self._seconds = time.monotonic() - begun
            self._judge(command, number, code)
            if code == 0:
                self._compare()
        self._finish()

    def _judge(self, command: Command, number: int, code: int | None) -> None:
        if code == 0:
            self.counts["finished before"] += 1
        else:
            self.counts["kills"] += 1
            self.counts[signal.Signals(number).name] += 1
        self.faults += faults_of(command, number, code)

    def _compare(self) -> None:
        """Hold what a run came to against the undisturbed one, and begin again."""
        self.counts["runs"] += 1
        found = results(self.folder)
        if wrong := [name for name in self.expected if found.get(name) != self.expected[name]]:
            self.faults.append(f"other results after kills: {', '.join(wrong)}")
        if left := list((self.folder / "run").rglob(".coterie-*")):
            self.faults.append(f"temporary files left: {left}")
        shutil.rmtree(self.folder / "run")

    def _finish(self) -> None:
        """Let the last run come to its end."""
        command = Command(self._words, self.folder)
        code = command.wait()
        if code != 0:
            self.faults.append(f"the last resume ended with {code}: {command.said()[-600:]}")
        else:
            self._compare()
