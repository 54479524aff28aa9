"""One session of questions: the next question, the answers so far, and what the page shows."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from coterie._errors import InputError
from coterie.cli.label.answers import Answers, write_answers
from coterie.cli.label.selection import Candidates, next_question
from coterie.data import Samples
from coterie.report.renderers import pictures_of, shown_items

_VALUES = 12


class LabelingSession:
    """Questions about a run's rows; each answer is on the disk before the next question is shown.

    Parameters
    ----------
    samples : Samples
    candidates : Candidates
    answers : Answers
        Of earlier sittings.
    path : Path
        Where the answers are kept.
    columns : sequence of str, optional
        Names of the features of a table.
    """

    def __init__(
        self,
        samples: Samples,
        candidates: Candidates,
        answers: Answers,
        path: Path,
        columns: Sequence[str] | None = None,
    ) -> None:
        self.answers = answers
        self.path = path
        self._samples = samples
        self._candidates = candidates
        self._columns = columns
        self._lock = threading.Lock()
        self._question = next_question(candidates, self.answers)

    def state(self) -> dict[str, Any]:
        """The question and how far things are, as JSON."""
        with self._lock:
            return self._state()

    def answer(self, i: object, j: object, same: object) -> dict[str, Any]:
        """Take an answer to the question that is open, keep it and ask the next one.

        Raises
        ------
        InputError
            Another question is open: the page is out of date. Or the rows are not integers.
        """
        # 1.0 and True equal 1, but would be written as they are
        if type(i) is not int or type(j) is not int or type(same) is not int:
            raise InputError(f"i, j and same must be integers, got {i!r:.40}, {j!r:.40}, {same!r:.40}")
        with self._lock:
            if (i, j) != self._question or same not in (1, -1, 0):
                raise InputError("another question is open; load the page again")
            self.answers.add(i, j, same)
            try:
                write_answers(self.path, self.answers, self._samples.names)
            except BaseException:
                self.answers.undo()
                raise
            self._question = next_question(self._candidates, self.answers)
            return self._state()

    def undo(self) -> dict[str, Any]:
        """Take the last answer back and ask it again."""
        with self._lock:
            last = self.answers.undo()
            if last is not None:
                try:
                    write_answers(self.path, self.answers, self._samples.names)
                except BaseException:
                    self.answers.add(last.i, last.j, last.same)
                    raise
                self._question = (last.i, last.j)
            return self._state()

    def finish(self) -> None:
        """Wait for the answer that is being written, and take no more."""
        self._lock.acquire()

    def _state(self) -> dict[str, Any]:
        n_same, n_different = self.answers.count(1), self.answers.count(-1)
        said = f"{n_same + n_different} answers ({n_same} same), {len(self.answers.groups())} groups so far"
        question = None
        if self._question is None:
            said += ". Nothing is left to ask about this run: fit again with these answers"
        else:
            i, j = self._question
            first, second = self._items(i, j)
            question = {"i": i, "j": j, "first": first, "second": second}
        return {"question": question, "answers": len(self.answers.given), "message": said}

    def _items(self, i: int, j: int) -> list[dict[str, Any]]:
        names = [str(self._samples.names[row]) for row in (i, j)]
        if self._samples.items is not None:
            shown = shown_items(self._samples.items, (i, j), side=240)
            return [{"name": name, **one._asdict()} for name, one in zip(names, shown, strict=True)]
        values = np.asarray(self._samples.X[np.array([i, j])])
        pictures = pictures_of(self._samples.modality, values, side=240)
        if pictures is not None:
            return [{"name": name, "picture": picture} for name, picture in zip(names, pictures, strict=True)]
        flat = values.reshape(2, -1)[:, :_VALUES]
        columns = self._columns or [str(number) for number in range(flat.shape[1])]
        return [
            {
                "name": name,
                "values": [[key, f"{value:.4g}"] for key, value in zip(columns, row, strict=False)],
            }
            for name, row in zip(names, flat, strict=True)
        ]
