"""Sessions of ``coterie label`` that are killed or stopped while somebody answers: no answer is lost."""

from __future__ import annotations

import http.client
import json
import random
import signal
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

from tests.nightly.commands import KILL, PATIENCE, SIGNALS, Command, faults_of
from tests.nightly.kills import write_data

from coterie.cli.label.answers import Answers, read_answers, write_answers

# what is on the disk: answers and skipped questions, each a set of (i, j, same)
Given = frozenset[tuple[int, int, int]]
_FIT = ["fit", "x.npy", "--labels", "y.npy", "--n-clusters", "10", "--n-restarts", "1", "--max-steps", "2"]
_FIT += ["--over-clustering", "true", "--random-state", "0", "--out", "run"]
# seconds in which a session is killed, from its first answer on: some tens of answers
_SECONDS = 0.5


class KilledLabelling:
    """Answers, skips and undoes at random, while a signal comes at a random moment; then looks at the files.

    Parameters
    ----------
    folder : Path
        Empty.
    seed : int
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self.counts: Counter[str] = Counter()
        self.faults: list[str] = []
        self._chance = random.Random(f"label {seed}")
        self._folder = folder
        write_data(folder)
        command = Command(_FIT, folder)
        if command.wait() != 0:
            raise RuntimeError(command.said())

    def kill(self, n: int) -> None:
        """So many sessions on one run, each killed or stopped."""
        for _ in range(n):
            self._session(self._chance.choice(SIGNALS))
        # what a kill left of a file goes when that file is written again
        write_answers(self._folder / "run" / "pairs.csv", self._on_disk(), [str(row) for row in range(150)])
        if left := list((self._folder / "run").glob(".coterie-*")):
            self.faults.append(f"temporary files left: {left}")

    def _session(self, number: int) -> None:
        command = Command(["label", "run"], self._folder)
        address = _address(command)
        if address is None:
            self.faults.append(f"label does not start: {command.wait()}, {command.said()[-600:]}")
            return
        timer = threading.Timer(self._chance.random() * _SECONDS, command.send, [number])
        timer.start()
        possible = self._answer(address)
        timer.join()
        code = command.wait()
        self.counts["kills"] += 1
        self.counts[signal.Signals(number).name] += 1
        self.faults += faults_of(command, number, code)
        kept = _given(self._on_disk())
        if kept not in possible:
            given = [len(one) for one in possible]
            self.faults.append(f"{signal.Signals(number).name}: {len(kept)} answers kept, {given} given")
        if number != KILL and (lock := list((self._folder / "run").glob(".*.lock"))):
            self.faults.append(f"{signal.Signals(number).name}: left behind {lock}")

    def _answer(self, address: str) -> list[Given]:
        """Answer until the session ends; what may be on the disk: with the last request or without it."""
        answers = self._on_disk()
        before = _given(answers)
        try:
            question = _ask(address + "state")["question"]
            while True:
                before = _given(answers)
                kind = self._chance.choice(("answer", "answer", "skip", "skip", "undo"))
                if question is None or (kind == "undo" and answers.given):
                    answers.undo()
                    body: dict[str, int] = {}
                else:
                    body = {"i": question["i"], "j": question["j"], "same": -1 if kind == "answer" else 0}
                    answers.add(**body)
                question = _ask(address + ("answer" if body else "undo"), body)["question"]
                self.counts["acknowledged"] += 1
        except (OSError, http.client.HTTPException):
            return [before, _given(answers)]

    def _on_disk(self) -> Answers:
        return read_answers(self._folder / "run" / "pairs.csv", None, 150)


def _given(answers: Answers) -> Given:
    return frozenset((min(one.i, one.j), max(one.i, one.j), one.same) for one in answers.given)


def _address(command: Command) -> str | None:
    """Where the session's page is, once it is there."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and command.is_alive():
        first, _, rest = (command.folder / "out").read_text().partition("\n")
        if rest:
            return first.removeprefix("open ")
        time.sleep(0.005)
    return None


def _ask(address: str, body: dict[str, int] | None = None) -> Any:
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address, content, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=PATIENCE) as reply:
        return json.loads(reply.read())
