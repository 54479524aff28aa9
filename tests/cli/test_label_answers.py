"""Which pair `coterie label` asks about next, and what follows from the answers."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.cli.label_client import blobs
from tests.waiting import in_child

from coterie import InputError, Pairs
from coterie.cli.label.answers import Answers, read_answers, write_answers
from coterie.cli.label.selection import Candidates, next_question, representatives


def ask(candidates: Candidates, y: Any, n: int) -> Answers:
    answers = Answers()
    for _ in range(n):
        question = next_question(candidates, answers)
        if question is None:
            break
        i, j = question
        answers.add(i, j, 1 if y[i] == y[j] else -1)
    return answers


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
    answers = ask(representatives(probabilities, points), y, 14)
    groups = answers.groups()
    assert len(groups) == 4
    assert all(len({int(y[row]) for row in group}) == 1 for group in groups)


def test_answers_tell_more_than_as_many_random_pairs() -> None:
    points, probabilities, y = blobs()
    answers = ask(representatives(probabilities, points), y, 40)
    given = [answer for answer in answers.given if answer.same]
    chosen = Pairs(*([getattr(answer, name) for answer in given] for name in ("i", "j", "same")))
    drawn = [Pairs.from_labels(y, 40, random_state=seed).closure().n_pairs for seed in range(5)]
    assert chosen.n_pairs == 40
    assert chosen.closure().n_pairs > 3 * max(drawn)


def test_no_question_is_asked_whose_answer_follows() -> None:
    points, probabilities, y = blobs(10)
    candidates = representatives(probabilities, points)
    answers = Answers()
    while (question := next_question(candidates, answers)) is not None:
        assert answers.relation(*question) == 0
        answers.add(*question, 1 if y[question[0]] == y[question[1]] else -1)
    placed = sorted(row for group in answers.groups() for row in group)
    assert placed == list(range(40))
    assert len(answers.groups()) == 4


def test_skipped_questions_do_not_come_back() -> None:
    points, probabilities, _ = blobs(3)
    candidates = representatives(probabilities, points)
    answers, seen = Answers(), set()
    while (question := next_question(candidates, answers)) is not None:
        assert frozenset(question) not in seen
        seen.add(frozenset(question))
        answers.add(*question, 0)
    assert len(seen) == 11
    assert answers.groups() == []


def test_answers_follow_from_answers_until_undone() -> None:
    answers = Answers()
    for i, j, same in [(0, 1, 1), (2, 3, 1), (1, 2, -1), (4, 0, 0)]:
        answers.add(i, j, same)
    assert answers.groups() == [[0, 1], [2, 3]]
    assert [answers.relation(*pair) for pair in [(0, 1), (0, 3), (0, 4), (4, 5)]] == [1, -1, 0, 0]
    assert answers.was_skipped(0, 4)
    assert [answers.count(same) for same in (1, -1, 0)] == [2, 1, 1]
    answers.undo()
    answers.undo()
    assert answers.relation(0, 3) == 0
    assert not answers.was_skipped(0, 4)


@pytest.mark.parametrize("ids", [None, ["a", "b", "c", "d", "e"]])
def test_answers_come_back_from_their_file(tmp_path: Path, ids: list[str] | None) -> None:
    path = tmp_path / "pairs.csv"
    names = ids or [str(row) for row in range(5)]
    assert read_answers(path, ids, 5).given == []
    answers = Answers()
    write_answers(path, answers, names)
    assert read_answers(path, ids, 5).given == []
    for i, j, same in [(0, 1, 1), (1, 2, -1), (3, 4, 0)]:
        answers.add(i, j, same)
    write_answers(path, answers, names)
    again = read_answers(path, ids, 5)
    assert again.groups() == [[0, 1], [2]]
    assert again.relation(0, 2) == -1
    assert again.was_skipped(3, 4)
    assert [answer.same for answer in again.given] == [0, 1, -1]
    answers.undo()
    write_answers(path, answers, names)
    assert not read_answers(path, ids, 5).was_skipped(3, 4)
    assert Pairs.from_csv(path, ids=ids).n_pairs == 2
    path.write_text("i,j,same\n0,7,1\n")
    with pytest.raises(InputError):
        read_answers(path, ids, 5)


def skip(answers: Answers) -> None:
    answers.add(4, 5, 0)


def answer(answers: Answers) -> None:
    answers.add(4, 5, 1)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of fork beside threads
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("nth", [1, 2])
@pytest.mark.parametrize("change", [skip, answer, Answers.undo])
@pytest.mark.parametrize("last", [0, -1])
def test_a_kill_at_any_replacing_of_a_file_keeps_answers_and_skips(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    last: int,
    change: Callable[[Answers], None],
    nth: int,
    moment: str,
) -> None:
    """What is on the disk is what was there before the last request, or after it."""
    path, names, replace, calls = tmp_path / "pairs.csv", [str(row) for row in range(6)], os.replace, []

    def killing(source: Path, target: Path) -> None:
        calls.append(target)
        if moment == "after":
            replace(source, target)
        if len(calls) == nth:
            os.kill(os.getpid(), signal.SIGKILL)
        if moment == "before":
            replace(source, target)

    answers = Answers()
    for given in ((0, 1, 1), (1, 2, 0), (2, 3, last)):
        answers.add(*given)
    write_answers(path, answers, names)
    before = set(answers.given)
    change(answers)

    def write_killed() -> None:
        monkeypatch.setattr("coterie.data.files.os.replace", killing)
        write_answers(path, answers, names)

    assert in_child(write_killed) == -signal.SIGKILL
    assert set(read_answers(path, None, 6).given) in (before, set(answers.given))
    write_answers(path, answers, names)
    assert set(read_answers(path, None, 6).given) == set(answers.given)
    assert not list(tmp_path.glob(".coterie-*"))
