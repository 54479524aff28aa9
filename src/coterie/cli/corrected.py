"""What was said of a run's clusters, for the commands that write them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from coterie.cli.label_table import Row
from coterie.cli.open import library_of
from coterie.cli.open.bench import workbench_of
from coterie.cli.open.library import FOLDER, JOURNAL, META, QUESTIONS, Library
from coterie.cli.open.questions import Costs, Questions
from coterie.cli.open.refit import MODEL
from coterie.cli.open.words import Words
from coterie.cli.open.written import label_rows
from coterie.corrections.statements import FIT
from coterie.corrections.workbench import Workbench
from coterie.methods.clusterer import NeuralClusterer
from coterie.methods.distillation import SelfDistillation
from coterie.methods.persistence import load

Floats = npt.NDArray[np.float64]
# by which probabilities of the same sample may differ, computed in another batch
_SAME = 1e-3


@dataclass(frozen=True)
class Corrected:
    """The clustering of a run after corrections, for its samples and for others.

    Attributes
    ----------
    library : Library
    bench : Workbench
    learned : SelfDistillation or None
        The last fit that has learned from corrections.
    """

    library: Library
    bench: Workbench
    learned: SelfDistillation | None

    def rows(
        self, names: Sequence[str], estimator: NeuralClusterer, X: npt.NDArray[Any], threshold: float
    ) -> Iterator[Row]:
        """Rows of labels: as the page shows those samples that are the run's, by name and by what they are.

        Parameters
        ----------
        names : sequence of str
        estimator : NeuralClusterer
            The run's.
        X : array of shape (n, ...)
        threshold : float
        """
        found = np.asarray(estimator.predict_proba(X))
        place = np.array([self.bench.row_of.get(name, -1) for name in names])
        own = place >= 0
        own[own] = np.abs(self.library.scores[place[own]] - found[own]).max(axis=1) < _SAME
        shown = iter(label_rows(self.bench, threshold, place[own]))
        noise = estimator.predict(X) < 0 if getattr(estimator, "noise", False) else np.zeros(len(X), bool)
        values = self._joined(self._learned_values(estimator, X, found))
        for name, is_own, row, is_noise in zip(names, own, values, noise, strict=True):
            yield next(shown) if is_own else self._row(name, row, threshold, bool(is_noise))

    def _row(self, name: str, values: Floats, threshold: float, is_noise: bool) -> Row:
        ids = self.bench.shown.clusters
        best, *others = np.argsort(-values, kind="stable").tolist()
        label = -1 if is_noise or values[best] < threshold else ids[best]
        second = (ids[others[0]], float(values[others[0]])) if others else (None, None)
        return name, label, float(values[best]), *second

    def _learned_values(self, estimator: NeuralClusterer, X: npt.NDArray[Any], found: Floats) -> Floats:
        if self.learned is None:
            return found
        features = X if estimator.encoder_ is not None else estimator.transform(X)
        return self.learned.predict_proba(np.asarray(features, dtype=np.float32).reshape(len(X), -1))

    def _joined(self, values: Floats) -> Floats:
        """Probabilities of the clusters that are shown: those of merged ones together."""
        ids = self.bench.shown.clusters
        joined = np.zeros((len(values), len(ids)))
        for column, cluster in enumerate(self.bench.scores.clusters):
            joined[:, ids.index(self.bench.canonical(cluster))] += values[:, column]
        return joined

    def costs(self) -> Costs | None:
        """What leaving samples unassigned costs; None without an answer to a question about a sample."""
        if not (self.library.folder / QUESTIONS).exists():  # nobody was asked by this rule
            return None
        return Questions(self.library).costs(self.bench)

    def table(self) -> tuple[npt.NDArray[np.int64], Floats, list[str]]:
        """Of the run's samples: columns of their clusters, -1 for none; probabilities (n, k); names (k,)."""
        shown, words = self.bench.shown, Words(self.bench)
        ids = np.array(shown.clusters)
        values = self._joined(np.asarray(self.bench.scores.values, dtype=np.float64))
        columns = np.where(shown.labels < 0, -1, np.searchsorted(ids, shown.labels))
        # what was said is certain, and so is a part that a person has made
        certain = shown.said | ((columns >= 0) & (values.argmax(axis=1) != columns))
        values[certain] = np.eye(len(ids))[columns[certain]] * (columns[certain] >= 0)[:, None]
        return columns, values, [words.name_of(int(one)) for one in ids]


def corrected(run: str | Path) -> Corrected | None:
    """What was said of a run; None where nothing holds.

    Raises
    ------
    InputError
        What the page has kept of the run is gone, and so are its data.
    """
    folder = Path(run)
    if not (folder / JOURNAL).exists():
        return None
    kept = folder / FOLDER
    library = Library(kept) if (kept / META).exists() else library_of(folder, None)
    bench = workbench_of(folder, library)
    held = bench.journal.active()
    if not held:
        return None
    fit = next((entry for entry in reversed(held) if entry.do == FIT), None)
    learned = None if fit is None else load(folder / fit.what["folder"] / MODEL)
    assert learned is None or isinstance(learned, SelfDistillation), "a new fit of a page is one"
    return Corrected(library, bench, learned)
