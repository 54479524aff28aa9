"""A person who puts a clustering right on the page of `coterie open`, simulated over its server.

Twenty objects of COIL-100 that no choice here has seen, 36 pictures each, clustered by k-means of an
encoder's vectors. The person looks at what the page shows and takes the one action that leaves the fewest
pictures in a wrong place: merge two clusters, split one into the parts that are shown, move pictures of one
cluster together, or say "wrong here" of some. After a few actions, and where few pictures are left, it lets
the page learn. All goes through HTTP as the page's own script sends it. Presses of "Learn" are counted apart.
"""

from __future__ import annotations

import json
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.cluster import KMeans

from benchmarks.columns import metric
from benchmarks.embedded import vectors_of
from benchmarks.suites.base import Case, Options, Outcome, Suite
from coterie.cli.open import library
from coterie.cli.open.library import Library
from coterie.cli.open.prepare import page_points
from coterie.cli.open.server import OpenServer
from coterie.cli.open.session import Session
from coterie.metrics import clustering_accuracy
from coterie.report.baseline import unit_rows

Ints = npt.NDArray[np.int64]
Array = npt.NDArray[Any]
DRAWS = tuple(range(100, 110))
N_OBJECTS = 20
# actions after which a person lets the page learn, and pictures that one action has to help to go on without
LEARN_AFTER, WORTH = 4, 4
MOST_ACTIONS = 60
# parts that a person looks at, of a cluster
PARTS = (2, 3)


@dataclass(frozen=True)
class Step:
    """An action, and the clustering that the person expects after it."""

    body: dict[str, Any]
    labels: Ints


class Person:
    """Somebody who knows the objects, in front of the page.

    Parameters
    ----------
    address : str
        Of the page.
    y : int64 array of shape (n,)
        Objects.
    """

    def __init__(self, address: str, y: Ints) -> None:
        self._address = address
        self._y = y
        self.actions: list[str] = []
        self.learnt = 0
        self.waits: list[float] = []
        self.state = self._ask("state")

    @property
    def labels(self) -> Ints:
        """What the page shows, as its map reads it."""
        content = self._read("labels")
        return np.frombuffer(content[len(self._y) :], dtype="<i4").astype(np.int64)

    def work(self) -> list[float]:
        """Correct until nothing is wrong; the accuracy before each action, and after the last."""
        found = [self._accuracy()]
        waiting = 0
        while found[-1] < 1 and len(self.actions) < MOST_ACTIONS:
            before = self.labels
            step = min(self._steps(before), key=lambda one: errors(self._y, one.labels))
            gain = errors(self._y, before) - errors(self._y, step.labels)
            if waiting and (waiting >= LEARN_AFTER or gain < WORTH):
                self._learn()
                waiting = 0
            else:
                self._do(step.body)
                self.actions.append(step.body["do"])
                waiting += 1
            found.append(self._accuracy())
        return found

    def _do(self, body: dict[str, Any]) -> None:
        """Send an action as the page's script does."""
        self.state = self._ask("act", body | {"version": self.state["version"]})

    def _steps(self, labels: Ints) -> Iterator[Step]:
        clusters = [one["id"] for one in self.state["clusters"]]
        home = homes(self._y, labels)
        best = {cluster: int(np.bincount(self._y[labels == cluster]).argmax()) for cluster in clusters}
        for cluster in clusters:
            other = home.get(best[cluster], cluster)
            if other != cluster:
                after = np.where(labels == cluster, other, labels)
                yield Step({"do": "merge", "clusters": [other, cluster]}, after)
            members = np.flatnonzero(labels == cluster)
            objects, counts = np.unique(self._y[members], return_counts=True)
            if len(objects) > 1:
                yield from self._moves(labels, cluster, members, home)
                yield self._wrong(labels, cluster, members[self._y[members] != best[cluster]])
                if np.sort(counts)[-2] >= WORTH:
                    yield from self._splits(labels, cluster)

    def _moves(self, labels: Ints, cluster: int, members: Ints, home: dict[int, int]) -> Iterator[Step]:
        """All pictures of one object to where it is at home, or to a new cluster."""
        for one in np.unique(self._y[members]):
            target = home.get(int(one))
            if target != cluster:
                rows = members[self._y[members] == one]
                after = labels.copy()
                after[rows] = labels.max() + 1 if target is None else target
                yield Step({"do": "move", "rows": rows.tolist(), "cluster": target}, after)

    def _wrong(self, labels: Ints, cluster: int, rows: Ints) -> Step:
        """All pictures that are wrong in a cluster; each goes where the page says it is likeliest next."""
        after = labels.copy()
        for row in rows:
            likely = [one for one, _ in self._ask(f"item/{row}")["likely"] if one != cluster]
            after[row] = likely[0] if likely else -1
        return Step({"do": "wrong", "rows": rows.tolist(), "cluster": cluster}, after)

    def _splits(self, labels: Ints, cluster: int) -> Iterator[Step]:
        for n in PARTS:
            parts = [part["rows"] for part in self._ask("parts", {"cluster": cluster, "n": n})["parts"]]
            after = labels.copy()
            for place, rows in enumerate(parts[1:], start=1):
                after[rows] = labels.max() + place
            yield Step({"do": "split", "cluster": cluster, "parts": parts[1:]}, after)

    def _press_learn(self) -> None:
        self._ask("refit", {"version": self.state["version"]})

    def _learn(self) -> None:
        begun = time.monotonic()
        self._press_learn()
        while self._ask("version")["busy"]:
            time.sleep(0.05)
        self.state = self._ask("state")
        self.waits.append(time.monotonic() - begun)
        self.learnt += 1

    def _accuracy(self) -> float:
        return 1 - errors(self._y, self.labels) / len(self._y)

    def _read(self, path: str, body: dict[str, Any] | None = None) -> bytes:
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._address + path, content, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=600) as reply:
            found: bytes = reply.read()
        return found

    def _ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        return json.loads(self._read(path, body))


def errors(y: Ints, labels: Ints) -> int:
    """Samples outside the best pairing of clusters and objects; those set aside are wrong."""
    ids = np.unique(np.append(labels, -1))
    codes = np.searchsorted(ids, labels)
    # each sample that was set aside is alone
    codes = np.where(labels < 0, len(ids) + np.arange(len(labels)), codes)
    return round(len(y) * (1 - float(clustering_accuracy(y, codes))))


def homes(y: Ints, labels: Ints) -> dict[int, int]:
    """For each object the cluster that has most of its pictures, among those where it is the commonest."""
    found: dict[int, int] = {}
    for cluster in np.unique(labels[labels >= 0]):
        objects, counts = np.unique(y[labels == cluster], return_counts=True)
        one = int(objects[counts.argmax()])
        size = int(counts.max())
        if one not in found or size > ((labels == found[one]) & (y == one)).sum():
            found[one] = int(cluster)
    return found


def write_run(folder: Path, X: Array, draw: int) -> Path:
    """What `prepare` writes of a run whose clusters are those of k-means."""
    explore = folder / library.FOLDER
    explore.mkdir()
    unit = unit_rows(X)
    found = KMeans(N_OBJECTS, n_init=10, random_state=draw).fit(unit)
    distance = found.transform(unit) ** 2
    scores = np.exp(-(distance - distance.min(axis=1, keepdims=True)) / np.median(distance.min(axis=1)))
    scores /= scores.sum(axis=1, keepdims=True)
    np.save(explore / library.SCORES, scores.astype(np.float32))
    np.save(explore / library.FEATURES, X.astype(np.float32))
    np.save(explore / library.POINTS, page_points(X))
    np.save(explore / library.VALUES, X[:, :2].astype(np.float32))
    facts = {"kind": "values", "modality": "vectors", "columns": ["0", "1"], "threshold": 0.0}
    (explore / library.META).write_text(json.dumps(facts | {"data": "", "reading": [], "folder": ""}))
    (explore / library.NAMES).write_text(json.dumps([str(row) for row in range(len(X))]))
    return folder


def draw_objects(y: Ints, draw: int) -> Ints:
    """Rows of the objects of a draw."""
    chosen = np.random.default_rng(draw).choice(np.unique(y), N_OBJECTS, replace=False)
    return np.flatnonzero(np.isin(y, chosen))


def run(case: Case) -> Outcome:
    """One session, until every picture is where it belongs."""
    X, y = vectors_of(case.data, "efficientnet-lite0")
    rows = draw_objects(y, case.draw)
    with tempfile.TemporaryDirectory() as name:
        session = Session(write_run(Path(name), X[rows], case.draw), Library(Path(name, library.FOLDER)))
        with OpenServer(session) as server:
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
            thread.start()
            try:
                person = Person(server.address, y[rows])
                accuracy = person.work()
            finally:
                server.shutdown()
                thread.join()
                session.finish()
    metrics: dict[str, Any] = {
        "start_accuracy": accuracy[0],
        "accuracy": accuracy[-1],
        "actions": len(person.actions),
        "learnt": person.learnt,
        "seconds_learning": float(np.median(person.waits)) if person.waits else 0.0,
    }
    metrics |= {f"n_{kind}": person.actions.count(kind) for kind in ("merge", "split", "move", "wrong")}
    return Outcome(metrics, [{"accuracy": accuracy, "actions": person.actions}])


def _cases(options: Options) -> list[Case]:
    return [
        Case("corrections", method, options.data or "coil100", "", draw, {"n_objects": N_OBJECTS})
        for draw in options.draws or DRAWS
        for method in options.pick_methods(("page",))
    ]


CORRECTIONS = Suite(
    "corrections",
    "Twenty unseen objects of COIL-100 put right on the page of `coterie open`, by a simulated person (bar: "
    "at most 12 actions to 100%)",
    ("page",),
    DRAWS,
    _cases,
    run,
    columns=(
        metric("k-means", "start_accuracy", 100, 1),
        metric("corrected", "accuracy", 100, 1),
        metric("actions", "actions", digits=1),
        metric("merge", "n_merge", digits=1),
        metric("split", "n_split", digits=1),
        metric("move", "n_move", digits=1),
        metric("wrong here", "n_wrong", digits=1),
        metric("learn", "learnt", digits=1),
        metric("seconds to learn", "seconds_learning", digits=1),
    ),
)
