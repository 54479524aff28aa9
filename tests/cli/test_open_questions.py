"""Which pair the page asks about next, and answers that a file brings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.cli.local_client import blobs
from tests.cli.open_client import session_of

from coterie import InputError, Pairs
from coterie.cli.open import opened as open_run
from coterie.cli.open.session import Session
from coterie.corrections.questions import Candidates, Known, next_question
from coterie.corrections.relations import Link, Relations, cluster_node
from coterie.methods.candidates import representatives

Given = list[tuple[int, int, int]]


def known(given: Given) -> Known:
    """What answers say: 1 same, -1 different, 0 skipped."""
    said = Relations()
    for number, (i, j, same) in enumerate(given, start=1):
        if same:
            said.add(Link(i, j, same == 1, number))
    return Known(said, [(i, j) for i, j, same in given if same == 0])


def ask(candidates: Candidates, y: Any, n: int) -> Given:
    given: Given = []
    while len(given) < n and (question := next_question(candidates, known(given))) is not None:
        i, j = question
        given.append((i, j, 1 if y[i] == y[j] else -1))
    return given


def test_representatives_stand_for_all_rows() -> None:
    points, probabilities, _ = blobs()
    found = representatives(probabilities, points)
    assert len(set(found.rows.tolist())) == len(found.rows) == 60
    assert found.weight.sum() == pytest.approx(1)
    np.testing.assert_array_equal(found.probabilities, probabilities[found.rows])
    again = representatives(probabilities, points, asked=[3, 77])
    assert {3, 77} <= set(again.rows.tolist())
    assert again.weight.sum() == pytest.approx(1)


def test_few_questions_find_a_group_that_the_run_had_merged() -> None:
    points, probabilities, y = blobs()
    groups = known(ask(representatives(probabilities, points), y, 14)).groups()
    assert len(groups) == 4
    assert all(len({int(y[row]) for row in group}) == 1 for group in groups)


def test_answers_tell_more_than_as_many_random_pairs() -> None:
    points, probabilities, y = blobs()
    chosen = Pairs(ask(representatives(probabilities, points), y, 40))
    drawn = [Pairs.from_labels(y, 40, random_state=seed).closure().n_pairs for seed in range(5)]
    assert chosen.n_pairs == 40
    assert chosen.closure().n_pairs > 3 * max(drawn)


def test_no_question_is_asked_whose_answer_follows() -> None:
    points, probabilities, y = blobs(10)
    candidates = representatives(probabilities, points)
    given: Given = []
    while (question := next_question(candidates, known(given))) is not None:
        assert known(given).relation(*question) == 0
        given.append((*question, 1 if y[question[0]] == y[question[1]] else -1))
    groups = known(given).groups()
    assert sorted(row for group in groups for row in group) == list(range(40))
    assert len(groups) == 4


def test_skipped_questions_do_not_come_back() -> None:
    points, probabilities, _ = blobs(3)
    candidates = representatives(probabilities, points)
    given: Given = []
    while (question := next_question(candidates, known(given))) is not None:
        given.append((*question, 0))
    assert len({frozenset(pair) for *pair, _ in given}) == len(given) == 11
    assert known(given).groups() == []


def test_what_follows_from_answers_and_from_clusters() -> None:
    found = known([(0, 1, 1), (2, 3, 1), (1, 2, -1), (4, 0, 0)])
    assert found.groups() == [[0, 1], [2, 3]]
    assert [found.relation(*pair) for pair in [(0, 1), (0, 3), (0, 4), (4, 5)]] == [1, -1, 0, 0]
    assert found.was_skipped(0, 4)
    said = Relations()
    said.add(Link(0, cluster_node(3), True, 1))
    said.add(Link(1, cluster_node(3), True, 2))
    said.add(Link(2, cluster_node(4), True, 3))
    said.add(Link(5, cluster_node(3), False, 4))
    by_clusters = Known(said)
    assert by_clusters.groups() == [[0, 1], [2], [5]]
    assert [by_clusters.relation(0, other) for other in (1, 2, 5, 6)] == [1, -1, -1, 0]


def rows_of(session: Session) -> tuple[int, int]:
    first, second = session.question()["pair"]
    return first["row"], second["row"]


def test_answers_of_a_session_are_shown_written_and_undone(run: Path) -> None:
    session = session_of(run)
    first = rows_of(session)
    session.act(0, "pair", {"rows": list(first), "same": True})
    second = rows_of(session)
    assert set(second) != set(first)
    session.act(1, "skip", {"rows": list(second)})
    third = rows_of(session)
    assert set(third) != set(second)
    session.act(2, "pair", {"rows": list(third), "same": False})
    labels = session.bench.shown.labels
    assert labels[first[0]] == labels[first[1]]
    assert labels[third[0]] != labels[third[1]] or labels[third[0]] == -1
    found = session.question()
    assert (found["answers"], found["same"]) == (2, 1)
    # a skipped question is nothing that a fit could learn
    assert session.state()["refit"]["waiting"] == 2
    session.finish()
    names = session.library.names
    pairs = Pairs.from_csv(run / "pairs.csv", ids=names)
    said = {
        (frozenset((names[i], names[j])), same)
        for i, j, same in zip(pairs.i, pairs.j, pairs.same, strict=True)
    }
    assert (frozenset(names[row] for row in first), 1) in said
    again = session_of(run)
    assert set(rows_of(again)) not in ({*first}, {*second}, {*third})
    for version in (3, 4):
        again.act(version, "undo", {})
    assert set(rows_of(again)) == set(second)
    again.finish()


def test_answers_of_a_file_are_one_action(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mine.csv"
    names = session_of(run).library.names
    file.write_text(f"i,j,same\n{names[5]},{names[6]},1\n{names[6]},{names[30]},-1\n")
    with open_run(run, None, "ann", str(file)) as session:
        assert capsys.readouterr().err == f"coterie: took over 2 answers of {file}\n"
        assert session.version == 1
        assert session.question()["answers"] == 2
        labels = session.bench.shown.labels
        assert labels[5] == labels[6]
        # what was answered is compared with what is asked about next
        assert {5, 6, 30} <= set(session._questions._rows.tolist())  # type: ignore[union-attr]
        assert session.words.in_words(session.bench.journal.entries[0]) == "2 answers of a file"
        session.act(1, "undo", {})
        assert session.question()["answers"] == 0
        session.finish()


def test_earlier_answers_of_a_run_are_taken_over_once(run: Path) -> None:
    names = session_of(run).library.names
    (run / "pairs.csv").write_text(f"i,j,same\n{names[5]},{names[6]},1\n")
    for _ in range(2):
        with open_run(run, None, None) as session:
            assert session.version == 1
            session.finish()


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("nobody,{1},1", "nobody"),
        ("{0},{1},1\n{1},{2},1\n{0},{2},-1", "contradict"),
        ("{0},{1}", "line 2 must"),
    ],
)
def test_a_file_of_answers_that_is_wrong_changes_nothing(
    run: Path, tmp_path: Path, lines: str, said: str
) -> None:
    file = tmp_path / "mine.csv"
    file.write_text("i,j,same\n" + lines.format(*session_of(run).library.names) + "\n")
    with pytest.raises(InputError, match=said), open_run(run, None, None, str(file)):
        pass
    assert not (run / "corrections.jsonl").exists()


def test_questions_follow_the_present_fit(run: Path) -> None:
    session = session_of(run)
    rows_of(session)
    questions = session._questions
    assert questions is not None
    candidates = questions.candidates(session.bench)
    np.testing.assert_array_equal(candidates.probabilities, session.bench.scores.values[candidates.rows])
    assert candidates.weight.sum() == pytest.approx(1)
    session.finish()
