"""The workbench of a run: what its fit found, and over it what was said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from coterie._errors import InputError
from coterie.cli.open.library import JOURNAL, Library
from coterie.cli.open.written import LABELS, other_lines
from coterie.corrections.journal import Entry, Journal
from coterie.corrections.workbench import Workbench


def workbench_of(run: Path, library: Library, who: str | None = None) -> Workbench:
    """The clustering of a run as it was corrected so far."""

    def scores_of(fit: Entry | None) -> npt.NDArray[np.float32]:
        if fit is None:
            return np.asarray(library.scores)
        try:
            return np.asarray(np.load(run / fit.what["folder"] / "scores.npy"))
        except OSError as error:
            raise InputError(f"{run}: the fit of {fit.at} is gone: {error}") from error

    later = [int(line[1]) for line in other_lines(run / LABELS, library.names)]
    return Workbench(library.names, Journal(run / JOURNAL, who), scores_of, 1 + max(later, default=-1))
