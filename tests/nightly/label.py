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

from coterie.cli.open.library import JOURNAL
from coterie.corrections.journal import Journal
from coterie.data.files import atomic_write

# what is on the disk: the kinds of all entries
Said = tuple[str, ...]
_FIT = ["fit", "x.npy", "--labels", "y.npy", "--n-clusters", "10", "--n-restarts", "1", "--max-steps", "2"]
_FIT += ["--over-clustering", "true", "--random-state", "0", "--out", "run"]
# an answer about two clusters, or another one than before, is kept as what it says
_OTHERWISE = {"merge": "pair", "apart": "pair", "doubt": "pair"}
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
        self._folder, self._run = folder, folder / "run"
        write_data(folder)
        command = Command(_FIT, folder)
        if command.wait() != 0:
            raise RuntimeError(command.said())

    def kill(self, n: int) -> None:
        """So many sessions on one run, each killed or stopped."""
        for _ in range(n):
            self._session(self._chance.choice(SIGNALS))
        # what a kill left of a file goes when that file is written again
        for name in ("labels.csv", "clusters.csv", "pairs.csv"):
            with atomic_write(self._run / name) as temporary:
                temporary.touch()
        if left := list(self._run.glob(".coterie-*")):
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
        kept = self._on_disk()
        if kept not in possible:
            given = [len(one) for one in possible]
            self.faults.append(f"{signal.Signals(number).name}: {len(kept)} answers kept, {given} given")
        if number != KILL and (lock := list(self._run.glob(".*.lock"))):
            self.faults.append(f"{signal.Signals(number).name}: left behind {lock}")

    def _answer(self, address: str) -> list[Said]:
        """Answer until the session ends; what may be on the disk: with the last request or without it."""
        said = self._on_disk()
        before = said
        try:
            while True:
                before = said
                found = _ask(address + "question")
                kind = self._chance.choice(("pair", "pair", "skip", "skip", "undo"))
                if found["pair"] is None or (kind == "undo" and said):
                    body: dict[str, Any] = {"do": "undo"}
                else:
                    rows = [sample["row"] for sample in found["pair"]]
                    body = {"do": kind, "rows": rows} | ({"same": False} if kind == "pair" else {})
                said = (*said, body["do"])
                reply = _ask(address + "act", body | {"version": found["version"]})
                said = said if reply["version"] > found["version"] else before  # nothing was left to undo
                self.counts["acknowledged"] += 1
        except (OSError, http.client.HTTPException):
            return [before, said]

    def _on_disk(self) -> Said:
        kinds = (entry.do for entry in Journal(self._run / JOURNAL).entries)
        return tuple(_OTHERWISE.get(kind, kind) for kind in kinds)


def _address(command: Command) -> str | None:
    """Where the session's page is, once it is there."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and command.is_alive():
        first, _, rest = (command.folder / "out").read_text().partition("\n")
        if rest:
            return first.removeprefix("open ").removesuffix("#/ask")
        time.sleep(0.005)
    return None


def _ask(address: str, body: dict[str, Any] | None = None) -> Any:
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address, content, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=PATIENCE) as reply:
        return json.loads(reply.read())
