"""People who correct clusterings at random: all actions, changes of mind, undo, redo, new fits, sessions."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tests.corrections.oracle import contradicted

from coterie._errors import InputError
from coterie.corrections.journal import Entry, Journal
from coterie.corrections.relations import Contradiction
from coterie.corrections.workbench import Workbench

Floats = npt.NDArray[np.float32]
# how often each is chosen
WEIGHTS = {"pair": 6, "together": 3, "wrong": 6, "move": 6, "merge": 2, "split": 2, "name": 1, "withdraw": 1}
WEIGHTS |= {"undo": 4, "redo": 2, "fit": 2, "open": 1, "skip": 1, "answers": 1}


class SimulatedSession:
    """One session of random actions on random probabilities.

    Parameters
    ----------
    folder : Path
        An empty one.
    seed : int

    Attributes
    ----------
    counts : Counter
        Of actions, refusals and statements that what is shown contradicts ("contradicted").
    faults : list of str
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self.chance = random.Random(f"corrections {seed}")
        self.counts: Counter[str] = Counter()
        self.faults: list[str] = []
        self.n, self.k = self.chance.randint(2, 40), self.chance.randint(1, 8)
        self.names = [f"{number}.png" for number in range(self.n)]
        self.path = folder / "corrections.jsonl"
        self.fits: list[Floats] = [self._fit(self.k)]
        self.bench = self._open()

    def _open(self) -> Workbench:
        return Workbench(self.names, Journal(self.path, "someone"), self._scores)

    def _scores(self, fit: Entry | None) -> Floats:
        return self.fits[0 if fit is None else fit.what["place"]]

    def _fit(self, k: int) -> Floats:
        """Probabilities, some of them the same, so sure that others vanish, or that follow what is shown."""
        rng = np.random.default_rng(self.chance.getrandbits(32))
        logits = rng.normal(size=(self.n, k)) * self.chance.choice((0.0, 1.0, 100.0))
        if hasattr(self, "bench") and self.chance.random() < 0.7:
            _, column = np.unique(self.bench.shown.labels, return_inverse=True)
            logits[np.arange(self.n), rng.permutation(k)[column % k]] += 3
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(shares / shares.sum(axis=1, keepdims=True), dtype=np.float32)

    def act(self, n: int) -> None:
        """So many actions, each followed by a look at what is shown."""
        for _ in range(n):
            kind = self.chance.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
            before = self.bench.shown.labels.copy(), len(self.bench.journal.entries)
            try:
                self._do(kind)
                self.counts[kind] += 1
            except InputError as refusal:
                self.counts[
                    "contradictions refused" if isinstance(refusal, Contradiction) else "refused"
                ] += 1
                if not np.array_equal(before[0], self.bench.shown.labels) or before[1] != len(
                    self.bench.journal.entries
                ):
                    self.faults.append(f"{kind}: refused, yet something changed: {refusal}")
            self._look(kind)

    def _do(self, kind: str) -> None:
        bench = self.bench
        if kind in ("undo", "redo"):
            bench.undo() if kind == "undo" else bench.redo()
        elif kind == "fit":
            self.fits.append(self._fit(self.chance.randint(1, 9)))
            bench.adopt(self.fits[-1], {"place": len(self.fits) - 1})
        elif kind == "open":
            before = bench.shown.labels
            self.bench = self._open()
            if not np.array_equal(before, self.bench.shown.labels):
                self.faults.append("another session shows another clustering")
        else:
            bench.act(kind, self._given(kind), instead=self.chance.random() < 0.3)

    def _given(self, kind: str) -> dict[str, object]:
        chance, clusters = self.chance, self.bench.shown.clusters
        rows = chance.sample(range(self.n), min(self.n, chance.choice((1, 2, 2, 3, 6))))
        cluster = chance.choice(clusters)
        if kind == "pair":
            return {"rows": rows[:2], "same": chance.random() < 0.5}
        if kind == "skip":
            return {"rows": rows[:2]}
        if kind == "answers":
            ends = [chance.sample(range(self.n), 2) for _ in range(chance.randint(1, 3))]
            return {"pairs": [{"rows": pair, "same": chance.random() < 0.5} for pair in ends]}
        if kind == "merge":
            return {"clusters": chance.sample(clusters, min(len(clusters), chance.choice((2, 2, 3))))}
        if kind == "split":
            members = np.flatnonzero(self.bench.shown.labels == cluster).tolist()
            return {"cluster": cluster, "parts": [members[: len(members) // 2]]}
        if kind == "name":
            return {"cluster": cluster, "name": chance.choice(("cats", "<b>dogs</b>", ""))}
        if kind == "withdraw":
            return {"entry": chance.randint(1, 1 + len(self.bench.journal.entries))}
        new = kind == "move" and chance.random() < 0.2
        return {"rows": rows, "cluster": None if new else cluster}

    def _look(self, kind: str) -> None:
        bench = self.bench
        shown = dict(zip(self.names, bench.shown.labels.tolist(), strict=True))
        against = contradicted(bench.journal.entries, shown)
        self.counts["contradicted"] += len(against)
        self.faults += [f"after {kind}: {one}" for one in against]
        i, j, same = bench.pairs()
        labels = bench.shown.labels
        if not np.array_equal(labels[i] == labels[j], same == 1):
            self.faults.append(f"after {kind}: pairs of the next fit are not what is shown")
