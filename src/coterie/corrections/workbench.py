"""A clustering under correction: actions in, a clustering that honours all of them out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from coterie._errors import DamagedFileError, InputError
from coterie.corrections.actions import Around, written
from coterie.corrections.journal import REDO, UNDO, Entry, Journal
from coterie.corrections.matching import match_clusters
from coterie.corrections.pairs import Ints, hard_pairs
from coterie.corrections.relations import IMPLIED, Contradiction, Link, Relations, cluster_node
from coterie.corrections.shown import ASIDE, Floats, Scores, Shown, parts_of, show
from coterie.corrections.statements import FIT, WITHDRAW, clusters_in, names_in, relate, silenced

# statements that one action may take the place of
_MOST_REPLACED = 10_000


class Workbench:
    """What a fit found, what was said of it, and what is shown.

    Parameters
    ----------
    names : sequence of str
        Of the samples, all different.
    journal : Journal
    scores_of : callable
        Probabilities (n, k) of a fit, by its entry; of None, those of the first fit.
    n_taken : int
        Ids below this are taken by clusters of other samples.

    Attributes
    ----------
    shown : Shown
    relations : Relations
    scores : Scores
        Of the last fit that holds.
    cluster_names : dict of int to str
    row_of : dict of str to int
        Rows of the names.

    Raises
    ------
    Contradiction
        The journal contradicts itself, which no workbench writes.
    DamagedFileError
        An entry of the journal lacks something, or has it in another form.
    """

    def __init__(
        self,
        names: Sequence[str],
        journal: Journal,
        scores_of: Callable[[Entry | None], Floats],
        n_taken: int = 0,
    ) -> None:
        self.names = names
        self._n_taken = n_taken
        self.journal = journal
        self.row_of = {name: row for row, name in enumerate(names)}
        self._scores_of = scores_of
        self._fit: Entry | None = None
        self.scores = self._load(None)
        try:
            self._update()
            self.fresh  # noqa: B018  # it looks into all entries, those that were undone too
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            if isinstance(error, InputError):
                raise
            raise DamagedFileError(
                f"{journal.path} is damaged: it has an entry that no action writes ({error!r:.80})"
            ) from error

    @property
    def fresh(self) -> int:
        """The first id that no cluster has ever had."""
        said = [cluster for entry in self.journal.entries for cluster in clusters_in(entry)]
        return 1 + max([self._n_first - 1, self._n_taken - 1, *self.scores.clusters, *said])

    def act(self, do: str, given: Mapping[str, Any], *, instead: bool = False) -> Entry:
        """Take an action, keep it and apply it.

        Parameters
        ----------
        do : str
        given : mapping
            As `written` takes them.
        instead : bool
            Whether it takes the place of what it contradicts.

        Raises
        ------
        Contradiction
            It contradicts what was said before. Nothing has changed then.
        InputError
            It means nothing. WriteError if it cannot be kept.
        """
        held = self.journal.active()
        alone = [entry.number for entry in held if entry.do not in (FIT, WITHDRAW)]
        what = written(do, given, Around(self.names, self.shown, self.fresh, alone))
        if instead:
            what["instead"] = self._replaced(held, do, what)
        relate([*held, self._next(do, what)], self.row_of)
        return self._keep(do, what)

    def held(self) -> list[Entry]:
        """Entries that hold and that no later one took the place of."""
        held = self.journal.active()
        quiet = silenced(held)
        return [entry for entry in held if quiet.get(entry.number, frozenset()) is not None]

    def undo(self) -> Entry | None:
        """Take the last action back; None where nothing is left."""
        held = self.journal.active()
        return self._keep(UNDO, {"entry": held[-1].number}) if held else None

    def redo(self) -> Entry | None:
        """Bring back what was undone last; None where nothing was, or another action came since."""
        undone = self.journal.undone()
        return self._keep(REDO, {"entry": undone[-1]}) if undone else None

    def adopt(self, values: Floats, metadata: Mapping[str, Any]) -> Entry:
        """Take over a new fit; its clusters keep the ids of those that they continue.

        Parameters
        ----------
        values : float array of shape (n, k)
        metadata : mapping
            What `scores_of` needs to find it again.
        """
        clusters = match_clusters(self.shown.labels, values.argmax(axis=1), values.shape[1], self.fresh)
        return self._keep(FIT, {**metadata, "clusters": list(clusters)})

    def canonical(self, cluster: int) -> int:
        """The id that is shown for a cluster, which may have been merged."""
        node = self.relations.cluster_of(cluster_node(cluster))
        return cluster if node is None else cluster_node(node)

    def probabilities(self, rows: Ints) -> Floats:
        """Of the clusters that are shown, for some rows: float32 (m, k), without what was said of samples.

        Those of merged clusters are together; parts of a split one, which no fit knows yet, are certain.
        """
        shown, ids = self.shown, self.shown.clusters
        found = np.zeros((len(rows), len(ids)), dtype=np.float32)
        values = np.asarray(self.scores.values[rows], dtype=np.float32)
        for column, cluster in enumerate(self.scores.clusters):
            found[:, ids.index(self.canonical(cluster))] += values[:, column]
        labels = shown.labels[rows]
        column_of = np.searchsorted(ids, labels)
        of_part = ~shown.said[rows] & (labels != ASIDE) & (found.argmax(axis=1) != column_of)
        found[of_part] = np.eye(len(ids), dtype=np.float32)[column_of[of_part]]
        return found

    def pairs(self) -> tuple[Ints, Ints, Ints]:
        """What was said, for the next fit, as `hard_pairs` gives it."""
        return hard_pairs(self.relations, self.scores, self.shown)

    def _keep(self, do: str, what: Mapping[str, Any]) -> Entry:
        entry = self.journal.append(do, what)
        self._update()
        return entry

    def _next(self, do: str, what: Mapping[str, Any]) -> Entry:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return Entry(len(self.journal.entries) + 1, now, self.journal.who, do, what)

    def _replaced(self, held: Sequence[Entry], do: str, what: Mapping[str, Any]) -> list[list[Any]]:
        """What an action takes the place of: entries, and the samples of which they do not speak any more."""
        own = len(self.journal.entries) + 1
        instead: list[list[Any]] = list(what.get("instead", ()))
        for _ in range(_MOST_REPLACED):
            try:
                relate([*held, self._next(do, {**what, "instead": instead})], self.row_of)
            except Contradiction as found:
                earlier = [link for link in found.chain if IMPLIED < link.entry < own]
                if not earlier:
                    raise
                instead.append(self._silence(earlier[-1], what.get("rows", ())))
            else:
                return instead
        raise InputError(f"instead must replace at most {_MOST_REPLACED} statements")

    def _silence(self, link: Link, acted: Sequence[str]) -> list[Any]:
        """The statement to take back: for one sample, which the action names if it names either."""
        names = [self.names[node] for node in (link.a, link.b) if node >= 0]
        return [link.entry, sorted(names, key=lambda name: name in acted)[-1:] or None]

    def _update(self) -> None:
        held = self.journal.active()
        fit = next((entry for entry in reversed(held) if entry.do == FIT), None)
        if fit is not self._fit:
            self.scores, self._fit = self._load(fit), fit
        self.relations: Relations = relate(held, self.row_of)
        self.shown: Shown = show(self.scores, self.relations, parts_of(held, self.row_of))
        self.cluster_names = names_in(self.held())

    def _load(self, fit: Entry | None) -> Scores:
        values = self._scores_of(fit)
        if fit is None:
            self._n_first: int = values.shape[1]
        clusters = range(values.shape[1]) if fit is None else fit.what["clusters"]
        return Scores(tuple(clusters), np.asarray(values))
