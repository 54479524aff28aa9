"""A person who knows the classes and corrects clusters: over HTTP as the page's script does, or by clicks."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from tests.browser import Browser
from tests.cli.open_page import DESK, go, look

from coterie.metrics import clustering_accuracy

Ints = npt.NDArray[np.int64]
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


class AtThePage(Person):
    """The same person in front of a browser: clicks and keys in place of requests."""

    def __init__(self, page: Browser, address: str, y: Ints) -> None:
        self._page = page
        look(page, *DESK)
        page.open(address)
        page.wait_for("page.state && document.querySelectorAll('.card').length > 0")
        super().__init__(address, y)

    def _do(self, body: dict[str, Any]) -> None:
        ways = {"move": self._move, "merge": self._merge, "split": self._split, "wrong": self._wrong_here}
        ways[body["do"]](body)
        self._page.wait_for(f"page.state.version === {self.state['version'] + 1}")
        self.state = self._ask("state")

    def _learn(self) -> None:
        super()._learn()
        self._page.wait_for(f"page.state.version === {self.state['version']}")

    def _press_learn(self) -> None:
        self._page.press("l")
        self._page.wait_for("page.state.refit.running || page.state.refit.waiting === 0")

    def _open(self, cluster: int) -> None:
        go(self._page, f"c/{cluster}")
        self._page.wait_for(
            f"location.hash === '#/c/{cluster}' && page.view?.known?.size === page.view?.size"
        )

    def _select(self, rows: list[int]) -> None:
        for row in rows:
            place = self._page.evaluate(f"[...page.view.known].find(([, one]) => one.row === {row})[0]")
            self._page.evaluate(f"page.view.focus({place})")
            self._page.press(" ")
        self._page.wait_for(f"page.selection.size === {len(rows)}")

    def _pick(self, cluster: int | None) -> None:
        self._page.wait_for("document.querySelector('dialog').open")
        if cluster is None:
            self._page.evaluate("document.getElementById('new').click()")
            return
        name = next(one["name"] for one in self.state["clusters"] if one["id"] == cluster)
        names = "[...document.querySelectorAll('.pick button')]"
        self._page.evaluate(
            f"{names}.find(one => one.querySelector('span:not(.look)')?.textContent === '{name}').click()"
        )

    def _move(self, body: dict[str, Any]) -> None:
        self._open(int(self.labels[body["rows"][0]]))
        self._select(body["rows"])
        self._page.press("v")
        self._pick(body["cluster"])

    def _wrong_here(self, body: dict[str, Any]) -> None:
        self._open(body["cluster"])
        self._select(body["rows"])
        self._page.press("w")

    def _merge(self, body: dict[str, Any]) -> None:
        first, second = body["clusters"]
        self._open(first)
        self._page.press("m")
        self._pick(second)

    def _split(self, body: dict[str, Any]) -> None:
        self._open(body["cluster"])
        self._page.press("x")
        n = 1 + len(body["parts"])
        self._page.wait_for("document.querySelectorAll('.part').length === 2")
        if n > 2:
            self._page.evaluate(
                f"(box => {{ box.value = {n}; box.dispatchEvent(new Event('change')); }})"
                "(document.querySelector('dialog select'))"
            )
            self._page.wait_for(f"document.querySelectorAll('.part').length === {n}")
        self._page.evaluate("document.querySelector('dialog button.main').click()")


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
