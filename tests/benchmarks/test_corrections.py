"""The simulated person on the page: what counts as wrong, and a session that needs no new fit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from benchmarks.correcting import AtThePage, Person, errors, homes
from tests.browser import Browser
from tests.cli.open_client import Done, served

from coterie.cli.open import library, work
from coterie.cli.open.library import Library
from coterie.cli.open.session import Session

Ints = npt.NDArray[np.int64]


def test_what_counts_as_wrong() -> None:
    y = np.array([0, 0, 0, 1, 1, 1])
    assert errors(y, np.array([5, 5, 5, 2, 2, 2])) == 0
    assert errors(y, np.array([5, 5, 2, 2, 2, 2])) == 1
    assert errors(y, np.array([5, 5, -1, 2, 2, -1])) == 2
    assert errors(y, np.zeros(6, dtype=np.int64)) == 3
    assert homes(y, np.array([7, 7, 3, 3, 3, 9])) == {0: 7, 1: 3}


def write_run(folder: Path) -> Ints:
    """The first object in two clusters, the second and the third in one, and a stray picture; the objects."""
    y = np.repeat(np.arange(4), 12)
    found = np.concatenate([np.repeat([0, 1], 6), np.repeat(2, 24), np.repeat(3, 12)])
    found[40] = 0
    points = np.eye(4, dtype=np.float32)[y] * 5 + np.random.default_rng(0).normal(size=(48, 4)) * 0.1
    explore = folder / library.FOLDER
    explore.mkdir()
    np.save(explore / library.SCORES, 0.9 * np.eye(4, dtype=np.float32)[found] + 0.025)
    for name in (library.POINTS, library.VALUES, library.FEATURES):
        np.save(explore / name, points.astype(np.float32))
    metadata = {"kind": "values", "modality": "vectors", "columns": list("abcd"), "threshold": 0.0}
    metadata |= {"method": "none", "loss": "", "command": "", "params": {}, "history": []}
    (explore / library.META).write_text(json.dumps(metadata | {"data": "", "reading": [], "folder": ""}))
    (explore / library.NAMES).write_text(json.dumps([str(row) for row in range(48)]))
    return y


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    monkeypatch.setattr(work, "start", Done)
    write_run(tmp_path)
    return Session(tmp_path, Library(tmp_path / library.FOLDER), "ann")


@pytest.mark.parametrize("in_browser", [False, True])
def test_a_person_merges_splits_and_moves(
    session: Session, request: pytest.FixtureRequest, in_browser: bool
) -> None:
    y = np.repeat(np.arange(4), 12)
    with served(session) as server:
        if in_browser:
            browser = request.getfixturevalue("browser")
            person: Person = AtThePage(browser, server.address, y)
            accuracy = person.work()
            assert browser.complaints == []
            browser.open("about:blank")
        else:
            person = Person(server.address, y)
            accuracy = person.work()
    assert accuracy[-1] == 1
    assert len(person.actions) <= 4
    assert {"merge", "move"} <= set(person.actions)
    assert [entry.do for entry in session.bench.journal.entries if entry.do != "fit"] == person.actions


def test_every_action_of_the_person_does_the_same_in_a_browser(session: Session, browser: Browser) -> None:
    y = np.repeat(np.arange(4), 12)
    with served(session) as server:
        person = AtThePage(browser, server.address, y)
        parts = [part["rows"] for part in session.parts(2, 3)["parts"]]
        bodies: tuple[dict[str, Any], ...] = (
            {"do": "split", "cluster": 2, "parts": parts[1:]},
            {"do": "wrong", "cluster": 0, "rows": [40, 3]},
            {"do": "move", "cluster": None, "rows": [7, 8]},
            {"do": "move", "cluster": 3, "rows": [9]},
            {"do": "merge", "clusters": [3, 0]},
        )
        for body in bodies:
            person._do(body)
            entry = session.bench.journal.entries[-1]
            assert entry.do == body["do"]
            if "rows" in body:
                assert sorted(entry.what["rows"]) == sorted(map(str, body["rows"]))
        browser.open("about:blank")
    assert len(session.bench.journal.entries) == 5
