"""Questions of a session: which pair is asked about next, and answers that a file holds."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np

from coterie._errors import DamagedFileError
from coterie.cli.open.library import FOLDER, QUESTIONS, Library
from coterie.corrections.questions import Candidates, Known, next_question
from coterie.corrections.statements import ANSWERS, answers_in, skipped_in
from coterie.corrections.workbench import Workbench
from coterie.data.files import atomic_write


def save_candidates(run: Path, found: Candidates) -> None:
    """Keep the rows of a run that may be asked about."""
    with atomic_write(run / FOLDER / QUESTIONS) as temporary, open(temporary, "wb") as file:
        np.savez(file, rows=found.rows, weight=found.weight, points=found.points)


class Questions:
    """What to ask about a run.

    Parameters
    ----------
    library : Library
    """

    def __init__(self, library: Library) -> None:
        path = library.folder / QUESTIONS
        try:
            with np.load(path) as kept:
                self._rows, self._weight, self._points = kept["rows"], kept["weight"], kept["points"]
        except (OSError, ValueError, EOFError, LookupError, zipfile.BadZipFile, zlib.error) as error:
            raise DamagedFileError(f"{path} is damaged: {error}; remove it to let it be made anew") from error

    def candidates(self, bench: Workbench) -> Candidates:
        """Rows that may be asked about, with what the present fit says of them."""
        probabilities = np.asarray(bench.scores.values[self._rows])
        return Candidates(self._rows, self._weight, probabilities, self._points)

    def next(self, bench: Workbench) -> tuple[int, int] | None:
        """Two rows whose relation helps most; None where nothing is left to ask."""
        skipped = ((bench.row_of.get(i, -1), bench.row_of.get(j, -1)) for i, j in skipped_in(bench.held()))
        return next_question(self.candidates(bench), Known(bench.relations, skipped))


def count_answers(bench: Workbench) -> tuple[int, int]:
    """How many pairs were answered, and how many of them with "same"."""
    said = [same for _, _, same in answers_in(bench.held())]
    return len(said), sum(said)


def take_over(bench: Workbench, file: Path) -> int:
    """Take the answers of a file of pairs into the journal, as one action; how many there are.

    Raises
    ------
    InputError
        The file cannot be read or names other samples. Contradiction if it contradicts itself or the journal.
    """
    from coterie.data import Pairs  # torch comes with it

    found = Pairs.from_csv(file, ids=bench.names)
    columns = zip(found.i.tolist(), found.j.tolist(), found.same.tolist(), strict=True)
    bench.act(ANSWERS, {"pairs": [{"rows": [i, j], "same": same == 1} for i, j, same in columns]})
    return int(found.n_pairs)
