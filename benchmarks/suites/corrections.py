"""A person who puts a clustering right on the page of `coterie open`: by clicks in a browser, or over HTTP.

Twenty objects of COIL-100 that no choice here has seen, 36 pictures each, clustered by k-means of an
encoder's vectors. The person looks at what the page shows and takes the one action that leaves the fewest
pictures in a wrong place: merge two clusters, split one into the parts that are shown, move pictures of one
cluster together, or say "wrong here" of some. After a few actions, and where few pictures are left, it lets
the page learn. "browser" clicks and presses keys in headless Chromium; "page" sends what the page's own
script sends. Presses of "Learn" are counted apart.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.cluster import KMeans
from tests.browser import Browser

from benchmarks.columns import metric
from benchmarks.correcting import AtThePage, Person
from benchmarks.embedded import items_of, vectors_of
from benchmarks.suites.base import Case, Options, Outcome, Suite
from coterie.cli.open import library
from coterie.cli.open.library import Library
from coterie.cli.open.prepare import page_points
from coterie.cli.open.server import OpenServer
from coterie.cli.open.session import Session
from coterie.report.baseline import unit_rows

Ints = npt.NDArray[np.int64]
Array = npt.NDArray[Any]
DRAWS = tuple(range(100, 110))
N_OBJECTS = 20
METHODS = ("page", "browser")


def write_run(folder: Path, X: Array, draw: int, pictures: Array | None = None) -> Path:
    """What `prepare` writes of a run whose clusters are those of k-means.

    Parameters
    ----------
    folder : Path
    X : float array of shape (n, d)
    draw : int
    pictures : uint8 array of shape (n, h, w, 3), optional
        What the page shows; values of the vectors without them.
    """
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
    kind = {"kind": "values", "modality": "vectors", "columns": ["0", "1"]}
    if pictures is not None:
        np.save(explore / library.PIXELS, pictures)
        kind = {"kind": "pixels", "modality": "image", "columns": []}
    metadata = kind | {
        "threshold": 0.0,
        "method": "k-means",
        "loss": "",
        "command": "",
        "params": {},
        "history": [],
    }
    (explore / library.META).write_text(json.dumps(metadata | {"data": "", "reading": [], "folder": ""}))
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
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        write_run(
            folder, X[rows], case.draw, _pictures(case.data, rows) if case.method == "browser" else None
        )
        with _served(folder) as address, _person(case.method, address, y[rows], folder) as person:
            accuracy = person.work()
    metrics: dict[str, Any] = {
        "start_accuracy": accuracy[0],
        "accuracy": accuracy[-1],
        "actions": len(person.actions),
        "learnt": person.learnt,
        "seconds_learning": float(np.median(person.waits)) if person.waits else 0.0,
    }
    metrics |= {f"n_{kind}": person.actions.count(kind) for kind in ("merge", "split", "move", "wrong")}
    return Outcome(metrics, [{"accuracy": accuracy, "actions": person.actions}])


def _pictures(data: str, rows: Ints) -> Array:
    items, _ = items_of(data)
    return np.stack([np.moveaxis(items.values[row], 0, 2) for row in rows])


@contextlib.contextmanager
def _served(folder: Path) -> Iterator[str]:
    """Serve the page; its address."""
    session = Session(folder, Library(folder / library.FOLDER))
    with OpenServer(session) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.address
        finally:
            server.shutdown()
            thread.join()
            session.finish()


@contextlib.contextmanager
def _person(method: str, address: str, y: Ints, folder: Path) -> Iterator[Person]:
    if method == "page":
        yield Person(address, y)
        return
    browser = Browser(folder / "profile")
    try:
        yield AtThePage(browser, address, y)
        browser.open("about:blank")
    finally:
        browser.close()


def _cases(options: Options) -> list[Case]:
    return [
        Case("corrections", method, options.data or "coil100", "", draw, {"n_objects": N_OBJECTS})
        for draw in options.draws or DRAWS
        for method in options.pick_methods(METHODS)
    ]


CORRECTIONS = Suite(
    "corrections",
    "Twenty unseen objects of COIL-100 put right on the page of `coterie open`, by a simulated person (bar: "
    "at most 12 actions to 100%)",
    METHODS,
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
