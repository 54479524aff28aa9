"""Answers to "same or different?", what follows from them, and the file they are kept in."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from coterie.data import Pairs
from coterie.data.files import atomic_write


@dataclass(frozen=True)
class Answer:
    """One question's answer: 1 same, -1 different, 0 skipped."""

    i: int
    j: int
    same: int


@dataclass
class Answers:
    """Answers in the order in which they were given, and the groups that follow from them.

    Attributes
    ----------
    given : list of Answer

    Examples
    --------
    >>> answers = Answers()
    >>> for i, j, same in [(0, 1, 1), (1, 2, -1)]:
    ...     answers.add(i, j, same)
    >>> answers.groups(), answers.relation(0, 2), answers.relation(0, 3)
    ([[0, 1], [2]], -1, 0)
    """

    given: list[Answer] = field(default_factory=list)
    _parent: dict[int, int] = field(default_factory=dict, repr=False)

    def add(self, i: int, j: int, same: int) -> None:
        """Take an answer."""
        self.given.append(Answer(i, j, same))
        self._join()

    def undo(self) -> Answer | None:
        """Take the last answer back."""
        last = self.given.pop() if self.given else None
        self._join()
        return last

    def groups(self) -> list[list[int]]:
        """Rows that belong together, one list for each group, in the order of their first mention."""
        found: dict[int, list[int]] = {}
        for row in self._parent:
            found.setdefault(self._root(row), []).append(row)
        return list(found.values())

    def relation(self, i: int, j: int) -> int:
        """1 or -1 if the answers determine whether two rows belong together, else 0."""
        if i not in self._parent or j not in self._parent:
            return 0
        a, b = self._root(i), self._root(j)
        if a == b:
            return 1
        apart = ({self._root(answer.i), self._root(answer.j)} for answer in self.given if answer.same == -1)
        return -1 if {a, b} in apart else 0

    def was_skipped(self, i: int, j: int) -> bool:
        """Whether somebody did not want to answer this question."""
        return any({answer.i, answer.j} == {i, j} for answer in self.given if answer.same == 0)

    def count(self, same: int) -> int:
        """How many answers were of one kind."""
        return sum(answer.same == same for answer in self.given)

    def _root(self, row: int) -> int:
        while self._parent[row] != row:
            row = self._parent[row]
        return row

    def _join(self) -> None:
        self._parent = {}
        for answer in self.given:
            if answer.same == 0:
                continue
            for row in (answer.i, answer.j):
                self._parent.setdefault(row, row)
            if answer.same == 1:
                self._parent[self._root(answer.j)] = self._root(answer.i)


def skipped_file(path: Path) -> Path:
    """The file of skipped questions, in the folder of a file of answers."""
    return path.with_name(f"{path.stem}.skipped.csv")


def write_answers(path: Path, answers: Answers, names: Sequence[str]) -> None:
    """Write answers as the columns i, j, same, and skipped questions to their own file, rows by their names.

    Each file is written whole or not at all.
    """
    skipped = skipped_file(path)
    if answers.count(0) or skipped.exists():
        _write(skipped, [answer for answer in answers.given if answer.same == 0], names)
    _write(path, [answer for answer in answers.given if answer.same], names)


def _write(path: Path, given: Sequence[Answer], names: Sequence[str]) -> None:
    with atomic_write(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("i", "j", "same"))
        writer.writerows((names[answer.i], names[answer.j], answer.same) for answer in given)


def read_answers(path: Path, ids: Sequence[str] | None, n_rows: int) -> Answers:
    """Answers and skipped questions of an earlier session; none if there is no file."""
    answers = Answers()
    for i, j in _read_skipped(skipped_file(path), ids, n_rows):
        answers.add(i, j, 0)
    if not path.exists() or len(path.read_text(encoding="utf-8").split()) < 2:
        return answers
    pairs = Pairs.from_csv(path, ids=ids)
    pairs.check_rows(n_rows)
    pairs.check_consistent()
    for i, j, same in zip(pairs.i.tolist(), pairs.j.tolist(), pairs.same.tolist(), strict=True):
        answers.add(i, j, same)
    return answers


def _read_skipped(path: Path, ids: Sequence[str] | None, n_rows: int) -> list[tuple[int, int]]:
    """Rows of skipped questions; a line whose rows are not in the data is left out."""
    if not path.exists():
        return []
    row_of = {str(name): row for row, name in enumerate(range(n_rows) if ids is None else ids)}
    with open(path, newline="", encoding="utf-8") as file:
        lines = [line[:2] for line in csv.reader(file) if len(line) == 3]
    return [(row_of[i], row_of[j]) for i, j in lines if i in row_of and j in row_of]
