"""Actions one by one: what is shown after each, what is refused and why, and what stays over a new fit."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coterie._errors import DamagedFileError, InputError, WriteError
from coterie.corrections.journal import Journal
from coterie.corrections.matching import match_clusters
from coterie.corrections.relations import Contradiction, Link, Relations
from coterie.corrections.workbench import Workbench

Make = Callable[..., Workbench]
NAMES = [f"{letter}.png" for letter in "abcdefghi"]
# three clusters of three samples each, of which the last one is the least certain
VALUES = np.kron(np.eye(3), np.ones((3, 1)))[:, :3] * np.array([[0.9], [0.8], [0.6]] * 3)
VALUES = np.where(VALUES > 0, VALUES, ((1 - VALUES.max(axis=1)) / 2)[:, None]).astype(np.float32)


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def opened(values: Any = VALUES, others: Mapping[int, Any] | None = None) -> Workbench:
        journal = Journal(tmp_path / "corrections.jsonl", "ann")
        return Workbench(NAMES, journal, lambda fit: values if fit is None else (others or {})[fit.number])

    return opened


def chain_of(bench: Workbench, do: str, what: Any) -> list[tuple[int, int, bool, int]]:
    with pytest.raises(Contradiction) as caught:
        bench.act(do, what)
    return [(link.a, link.b, link.same, link.entry) for link in caught.value.chain]


def test_what_is_wrong_goes_to_the_next_likely_cluster_or_aside(make: Make) -> None:
    values = VALUES.copy()
    values[2] = [0.6, 0.35, 0.05]
    bench = make(values)
    bench.act("wrong", {"rows": [1, 2], "cluster": 0})
    # of what is left for b, no cluster has more than half
    assert bench.shown.labels.tolist() == [0, -1, 1, 1, 1, 1, 2, 2, 2]
    bench.act("wrong", {"rows": [2], "cluster": 1})
    assert bench.shown.labels[2] == 2
    bench.act("wrong", {"rows": [2], "cluster": 2})
    assert bench.shown.labels[2] == -1
    assert bench.shown.said.tolist() == [False, True, True, *[False] * 6]


def test_one_cluster_has_no_other_place(make: Make) -> None:
    bench = make(np.ones((9, 1), dtype=np.float32))
    bench.act("wrong", {"rows": [4], "cluster": 0})
    assert bench.shown.labels.tolist() == [0, 0, 0, 0, -1, 0, 0, 0, 0]
    bench.act("move", {"rows": [4, 5], "cluster": None, "name": "cats"})
    assert bench.shown.labels.tolist() == [0, 0, 0, 0, 1, 1, 0, 0, 0]
    assert bench.cluster_names == {1: "cats"}


def test_merge_keeps_the_first_id_and_undo_brings_the_other_back(make: Make) -> None:
    bench = make()
    bench.act("merge", {"clusters": [2, 0]})
    assert bench.shown.labels.tolist() == [2, 2, 2, 1, 1, 1, 2, 2, 2]
    assert bench.shown.clusters == (1, 2)
    with pytest.raises(InputError, match="cluster=0 must be the id of a cluster"):
        bench.act("wrong", {"rows": [3], "cluster": 0})
    bench.undo()
    assert bench.shown.labels.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    bench.redo()
    assert bench.shown.clusters == (1, 2)
    assert bench.redo() is None


def test_split_takes_new_ids_and_a_later_merge_contradicts_it(make: Make) -> None:
    bench = make()
    split = bench.act("split", {"cluster": 1, "parts": [[5]]})
    assert bench.shown.labels.tolist() == [0, 0, 0, 1, 1, 3, 2, 2, 2]
    assert chain_of(bench, "merge", {"clusters": [1, 3]}) == [
        (~1, ~3, True, 2),
        (~1, ~3, False, split.number),
    ]
    with pytest.raises(InputError, match="cluster=3 must have at least 2 samples to be split, got 1"):
        bench.act("split", {"cluster": 3, "parts": [[5]]})
    merge = bench.act("merge", {"clusters": [1, 3]}, instead=True)
    assert merge.what["instead"] == [[split.number, None]]
    assert bench.shown.labels.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    bench.undo()
    assert bench.shown.labels[5] == 3


def test_the_shortest_chain_is_shown(make: Make) -> None:
    bench = make()
    for do, what in (
        ("pair", {"rows": [0, 3], "same": True}),
        ("pair", {"rows": [3, 6], "same": True}),
        ("together", {"rows": [6, 8]}),
        ("pair", {"rows": [0, 6], "same": True}),
    ):
        bench.act(do, what)
    assert chain_of(bench, "pair", {"rows": [0, 8], "same": False}) == [
        (0, 6, True, 4),
        (6, 8, True, 3),
        (0, 8, False, 5),
    ]
    assert len(bench.journal.entries) == 4


def test_a_second_move_contradicts_the_first_one_for_its_sample_alone(make: Make) -> None:
    bench = make()
    bench.act("move", {"rows": [0, 1], "cluster": 1})
    assert chain_of(bench, "move", {"rows": [1], "cluster": 2}) == [
        (~1, 1, True, 1),
        (1, ~2, True, 2),
        (~1, ~2, False, 0),
    ]
    second = bench.act("move", {"rows": [1], "cluster": 2}, instead=True)
    assert second.what["instead"] == [[1, ["b.png"]]]
    assert bench.shown.labels[:2].tolist() == [1, 2]
    bench.act("withdraw", {"entry": second.number})
    assert bench.shown.labels[:2].tolist() == [1, 1]


def test_what_is_joined_is_together_and_what_differs_is_not(make: Make) -> None:
    bench = make()
    bench.act("together", {"rows": [0, 1, 3]})
    assert bench.shown.labels[[0, 1, 3]].tolist() == [0, 0, 0]
    bench.act("pair", {"rows": [0, 4], "same": False})
    assert bench.shown.labels[4] == 1
    bench.act("move", {"rows": [4], "cluster": 0})
    # the three, once with e, cannot stay where e was put
    assert bench.shown.labels[4] == 0
    assert len(set(bench.shown.labels[[0, 1, 3]].tolist())) == 1
    assert bench.shown.labels[0] != 0


def test_names_are_kept_and_cleaned(make: Make) -> None:
    bench = make()
    bench.act("name", {"cluster": 1, "name": "  <b>tabby \n cats</b> "})
    bench.act("name", {"cluster": 1, "name": "cats"})
    assert bench.cluster_names == {1: "cats"}
    bench.undo()
    assert bench.cluster_names == {1: "<b>tabby cats</b>"}
    for name in ("x" * 81, "a\x00b", 3, None):
        with pytest.raises(InputError, match="name="):
            bench.act("name", {"cluster": 1, "name": name})


@pytest.mark.parametrize(
    ("do", "what"),
    [
        ("fly", {}),
        ("wrong", {"rows": [9], "cluster": 0}),
        ("wrong", {"rows": [True], "cluster": 0}),
        ("wrong", {"rows": [], "cluster": 0}),
        ("wrong", {"rows": [0], "cluster": 7}),
        ("pair", {"rows": [1, 1], "same": True}),
        ("pair", {"rows": [0, 1], "same": 1}),
        ("merge", {"clusters": [1, 1]}),
        ("merge", {"clusters": 1}),
        ("split", {"cluster": 0, "parts": [[0, 1, 2]]}),
        ("split", {"cluster": 0, "parts": [[3]]}),
        ("split", {"cluster": 0, "parts": [[0], [0]]}),
        ("withdraw", {"entry": 1}),
    ],
)
def test_actions_that_mean_nothing_are_refused(make: Make, do: str, what: Any) -> None:
    bench = make()
    with pytest.raises(InputError, match="must"):
        bench.act(do, what)
    assert bench.journal.entries == []


def test_ids_names_and_statements_stay_over_a_new_fit(make: Make) -> None:
    # columns in another order, one sample elsewhere, and a column that is new
    values = np.full((9, 4), 0.05, dtype=np.float32)
    values[range(9), [2, 2, 1, 0, 0, 3, 1, 1, 1]] = 0.85
    others = {3: values}
    bench = make(others=others)
    bench.act("name", {"cluster": 0, "name": "cats"})
    bench.act("wrong", {"rows": [8], "cluster": 2})
    fit = bench.adopt(values, {})
    assert fit.what["clusters"] == [1, 2, 0, 3]
    assert bench.shown.labels.tolist()[:8] == [0, 0, 2, 1, 1, 3, 2, 2]
    assert bench.shown.labels[8] != 2
    assert bench.cluster_names == {0: "cats"}
    assert make(others=others).shown.labels.tolist() == bench.shown.labels.tolist()
    bench.undo()
    assert bench.shown.labels.tolist()[:8] == [0, 0, 0, 1, 1, 1, 2, 2]


@given(st.lists(st.integers(0, 5), min_size=1, max_size=60), st.permutations(range(6)))
@settings(max_examples=50, deadline=None)
def test_the_same_clusters_keep_their_ids(labels: list[int], order: list[int]) -> None:
    ids = np.array([3, 4, 10, 11, 12, 30])
    before = ids[labels]
    after = np.array(order)[labels]
    found = match_clusters(before, after, 6, fresh=31)
    assert np.array_equal(np.array(found)[after], before)
    assert len(set(found)) == 6


@given(st.lists(st.tuples(st.integers(-4, 8), st.integers(-4, 8), st.booleans()), max_size=30))
@settings(max_examples=100, deadline=None)
def test_a_refused_statement_changes_nothing_and_its_chain_is_true(links: list[Any]) -> None:
    said, kept = Relations(), []
    for number, (a, b, same) in enumerate(links, start=1):
        before = {(x, y): said.relation(x, y) for x in range(-4, 9) for y in range(-4, 9)}
        try:
            said.add(Link(a, b, same, number))
            kept.append((a, b, same))
            assert said.relation(a, b) == (1 if same else -1)
        except Contradiction as found:
            *joins, apart = found.chain
            assert before == {(x, y): said.relation(x, y) for x in range(-4, 9) for y in range(-4, 9)}
            assert all(one.b == other.a for one, other in pairwise(joins))
            assert all(link.same for link in joins)
            assert not apart.same
            stated = {*kept, (a, b, same)}
            implied = [link for link in found.chain if link.entry == 0]
            assert all((x.a, x.b, x.same) in stated or (x.b, x.a, x.same) in stated for x in joins)
            assert implied in ([], [apart])
            if joins:
                assert {joins[0].a, joins[-1].b} == {apart.a, apart.b}


def test_a_torn_line_goes_and_a_damaged_one_is_named(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    journal = Journal(path, "ann")
    journal.append("name", {"cluster": 0, "name": "Käfer"})
    journal.append("name", {"cluster": 0, "name": "beetles"})
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    assert [entry.what["name"] for entry in Journal(path).entries] == ["Käfer"]
    # reading changes nothing: somebody may be writing
    assert path.read_bytes() == whole[:-5]
    Journal(path).append("name", {"cluster": 0, "name": "bugs"})
    assert [entry.what["name"] for entry in Journal(path).entries] == ["Käfer", "bugs"]
    first = json.loads(path.read_text(encoding="utf-8").splitlines()[0])
    assert (first["n"], first["who"], first["do"], first["at"][-6:]) == (1, "ann", "name", "+00:00")
    for line in (b"{}\n", b"[1]\n", b'{"n": 2, "at": "", "who": "", "do": "redo", "entry": 1}\n', b"\xff\n"):
        path.write_bytes(whole.splitlines(keepends=True)[0] + line)
        with pytest.raises(DamagedFileError, match="line 2 is not a journal entry"):
            Journal(path)


def test_what_cannot_be_kept_is_not_done(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "gone" / "journal.jsonl", "ann")
    bench = Workbench(NAMES, journal, lambda fit: VALUES)
    with pytest.raises(WriteError, match="nothing was changed"):
        bench.act("wrong", {"rows": [0], "cluster": 0})
    assert bench.shown.labels[0] == 0
    assert journal.active() == []
