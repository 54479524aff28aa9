"""The simulated person on the page: what counts as wrong, and a sitting that needs no new fit."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from benchmarks.suites.corrections import Person, errors, homes
from tests.cli.open_client import Done, served

from coterie.cli.open import library, work
from coterie.cli.open.library import Library
from coterie.cli.open.session import Session


def test_what_counts_as_wrong() -> None:
    y = np.array([0, 0, 0, 1, 1, 1])
    assert errors(y, np.array([5, 5, 5, 2, 2, 2])) == 0
    assert errors(y, np.array([5, 5, 2, 2, 2, 2])) == 1
    assert errors(y, np.array([5, 5, -1, 2, 2, -1])) == 2
    assert errors(y, np.zeros(6, dtype=np.int64)) == 3
    assert homes(y, np.array([7, 7, 3, 3, 3, 9])) == {0: 7, 1: 3}


def test_a_person_merges_splits_and_moves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "start", Done)
    y = np.repeat(np.arange(4), 12)
    # the first object in two clusters, the second and the third in one, and a stray picture
    found = np.concatenate([np.repeat([0, 1], 6), np.repeat(2, 24), np.repeat(3, 12)])
    found[40] = 0
    points = np.eye(4, dtype=np.float32)[y] * 5 + np.random.default_rng(0).normal(size=(48, 4)) * 0.1
    explore = tmp_path / library.FOLDER
    explore.mkdir()
    np.save(explore / library.SCORES, 0.9 * np.eye(4, dtype=np.float32)[found] + 0.025)
    for name in (library.POINTS, library.VALUES):
        np.save(explore / name, points.astype(np.float32))
    facts = {"kind": "values", "modality": "vectors", "columns": list("abcd"), "threshold": 0.0}
    (explore / library.META).write_text(json.dumps(facts | {"data": "", "reading": [], "folder": ""}))
    (explore / library.NAMES).write_text(json.dumps([str(row) for row in range(48)]))
    session = Session(tmp_path, Library(explore), "ann")
    with served(session) as server:
        person = Person(server.address, y)
        accuracy = person.work()
    assert accuracy[-1] == 1
    assert len(person.actions) <= 4
    assert {"merge", "move"} <= set(person.actions)
    assert [entry.do for entry in session.bench.journal.entries if entry.do != "fit"] == person.actions
