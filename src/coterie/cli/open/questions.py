"""What the page asks about, by the rule of `coterie.ask`, as a function of the journal; answers of a file."""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sparse

from coterie._errors import DamagedFileError
from coterie.cli.open.library import FOLDER, QUESTIONS, Library
from coterie.corrections.relations import Link, Node, Relations, cluster_node
from coterie.corrections.shown import ASIDE
from coterie.corrections.statements import (
    ANSWERS,
    APART,
    DOUBT,
    FIT,
    MERGE,
    PAIR,
    SKIP,
    answers_in,
    asked_in,
    group_answers_in,
)
from coterie.corrections.workbench import Workbench
from coterie.data.files import atomic_write
from coterie.methods.labeling_session import Asking, LabelingSession
from coterie.methods.question_gains import Proposal
from coterie.methods.stopping import FEWEST, calibration_error, forecast, still_wrong, unassigned_curve
from coterie.methods.walks import Graph

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

# the page says what so many more answers would bring
MORE = 20
# percent
THRESHOLDS = (0, 50, 60, 70, 80, 90, 95, 99)
_DAMAGED = (OSError, ValueError, EOFError, LookupError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True)
class Question:
    """What is asked about.

    Attributes
    ----------
    rows : (int, int)
        Two samples.
    clusters : (int, int) or None
        The two clusters that they stand for, where the question is about these.
    metadata : mapping of str to float
        What the journal keeps of it: "wrong", the share of samples that is expected to be wrong;
        "follow", how many samples would take after the first one; "drawn", 1 where that one was drawn at
        random, else 0; "far", 1 where two clusters are not alike, else 0.
    earlier : (int, ...)
        Entries of an earlier answer, where it is asked again.
    before : bool or None
        This answer.
    """

    rows: tuple[int, int]
    clusters: tuple[int, int] | None
    metadata: Mapping[str, float]
    earlier: tuple[int, ...] = ()
    before: bool | None = None


@dataclass(frozen=True)
class Progress:
    """How much is still wrong.

    Attributes
    ----------
    wrong, later : float
        The expected share of samples that are wrong once the answers are learned: now, and after 20 more.
    between : (float, float)
        Two shares between which the present one most likely is.
    n_answers : int
    n_again, n_differ : int
        Questions that were asked again, and those of them that got another answer.
    """

    wrong: float
    later: float
    between: tuple[float, float]
    n_answers: int
    n_again: int
    n_differ: int

    def __str__(self) -> str:
        later = 100 * self.later
        more = f"; {MORE} more answers would take it to {later:.1f}%" if self.n_answers >= FEWEST else ""
        return still_wrong(self.wrong, self.between) + more


@dataclass(frozen=True)
class Costs:
    """What leaving samples unassigned costs, as the answers show.

    Attributes
    ----------
    curve : structured array
        As `unassigned_curve` makes it; thresholds are of the probability in labels.csv.
    error : float
        Expected calibration error: how far beliefs were from the answers.
    n_answers : int
        Answers about samples, by which the beliefs were calibrated.
    """

    curve: npt.NDArray[np.void]
    error: float
    n_answers: int

    @property
    def rows(self) -> list[tuple[float, float, float]]:
        """Some thresholds, what share each leaves unassigned, and what share of the others is wrong."""
        return [tuple(row) for row in self.curve.tolist() if round(100 * row[0]) in THRESHOLDS]

    def at(self, threshold: float) -> str:
        """What one threshold costs, in words."""
        rows = self.curve[self.curve["threshold"] <= threshold + 1e-9]
        wrong, without = 100 * rows[-1]["wrong"], 100 * self.curve[0]["wrong"]
        return f"about {wrong:.1f}% of the assigned samples are wrong, {without:.1f}% if all were assigned"

    @property
    def calibration(self) -> str:
        """How well calibrated the numbers are, in words."""
        return f"expected calibration error {self.error:.3f} on {self.n_answers} answers"


def save_questions(run: Path, rows: Ints, graph: Graph) -> None:
    """Keep the rows of a run that may be asked about, and how near they are to each other."""
    with atomic_write(run / FOLDER / QUESTIONS) as temporary, open(temporary, "wb") as file:
        parts = {"data": graph.data, "indices": graph.indices, "indptr": graph.indptr}
        np.savez(file, rows=rows, **parts)


class Questions:
    """What to ask about a run; the same journal always gives the same question.

    Parameters
    ----------
    library : Library

    Raises
    ------
    DamagedFileError
        What was kept cannot be read.
    """

    def __init__(self, library: Library) -> None:
        path = library.folder / QUESTIONS
        try:
            with np.load(path) as kept:
                self.rows: Ints = kept["rows"]
                n = len(self.rows)
                self._graph = sparse.csr_matrix((kept["data"], kept["indices"], kept["indptr"]), (n, n))
                self._graph.check_format()
        except _DAMAGED as error:
            raise DamagedFileError(f"{path} is damaged: {error}; remove it to let it be made anew") from error
        self._place = {row: place for place, row in enumerate(self.rows.tolist())}
        # what the session was made of, and the entries of the journal that it holds
        self._known_by, self._version = b"", -1
        self._session: LabelingSession | None = None

    def next(self, bench: Workbench) -> Question | None:
        """What helps most; None where nothing is left to ask."""
        session = self.session(bench)
        found = None if session is None else session.next()
        if session is None or found is None:
            return None
        rows = int(self.rows[found[0]]), int(self.rows[found[1]])
        asked, beliefs = session.proposal, session.beliefs
        drawn = float(session.drawn)
        metadata = {
            "wrong": session.share_wrong,
            "follow": asked.mass,
            "drawn": drawn,
            "far": float(asked.far),
        }
        names = {bench.names[row] for row in rows}
        again = [one for one in asked_in(bench.journal.active()) if set(one.names) == names]
        if again:
            before = next((vote for vote in again[0].votes if vote is not None), None)
            return Question(rows, None, metadata, tuple(again[0].held), before)
        clusters: tuple[int, int] | None = None
        if asked.groups:
            groups = [beliefs.clusters[beliefs.place[place]] for place in found]
            if all(groups):
                a, b = (bench.shown.clusters[columns[0]] for columns in groups)
                clusters = a, b
        return Question(rows, clusters, metadata)

    def progress(self, bench: Workbench) -> Progress | None:
        """How much is still wrong; None where no sample is in a cluster."""
        session = self.session(bench)
        if session is None:
            return None
        held = bench.journal.active()
        last = max((place for place, entry in enumerate(held) if entry.do == FIT), default=-1)
        history = [entry.what["asked"]["wrong"] for entry in held[last + 1 :] if "asked" in entry.what]
        again = [one for one in session.asked.values() if len(one.votes) > 1]
        differ = sum(one.differs for one in again)
        later = forecast([*history, session.share_wrong], MORE)
        return Progress(session.share_wrong, later, session.wrong_interval, len(history), len(again), differ)

    def costs(self, bench: Workbench) -> Costs | None:
        """What leaving samples unassigned costs; None without an answer about a sample."""
        session = self.session(bench)
        if session is None:
            return None
        beliefs, came_true, _ = session.outcomes()
        if not len(beliefs):
            return None
        labels = self._columns(bench)
        group_of = np.full(1 + len(bench.shown.clusters), -1)
        for group, columns in enumerate(session.beliefs.clusters):
            group_of[columns] = group
        placed = labels >= 0
        groups = group_of[labels]
        share = session.beliefs.shares[np.arange(len(labels)), np.maximum(groups, 0)]
        confidence = session.confidence
        as_shown = groups == session.beliefs.labels
        right = np.where(as_shown, confidence, np.minimum(share, 1 - confidence))[placed]
        curve = unassigned_curve(right, bench.shown.certainty[self.rows][placed])
        return Costs(curve, calibration_error(session.calibration(beliefs), came_true), len(beliefs))

    def _columns(self, bench: Workbench) -> Ints:
        """Columns of the clusters in which the rows are shown; -1 for none."""
        shown = bench.shown
        found = np.where(shown.labels == ASIDE, -1, np.searchsorted(shown.clusters, shown.labels))
        return np.asarray(found[self.rows])

    def session(self, bench: Workbench) -> LabelingSession | None:
        """What follows from all that was said; None where no sample is in a cluster."""
        version = len(bench.journal.entries)
        if version != self._version:
            self._session, self._version = self._look(bench), version
        return self._session

    def _look(self, bench: Workbench) -> LabelingSession | None:
        labels = self._columns(bench)
        if (labels < 0).all():
            return None
        values = bench.probabilities(self.rows)
        known_by = hashlib.sha256(values.tobytes()).digest()
        session = self._session
        if session is None or known_by != self._known_by:
            session, self._known_by = LabelingSession(values, self._graph), known_by
        session.reader.anchor(labels)
        held = bench.journal.active()
        session.hold(self._asked(bench), self._said(bench, session.reader.anchors), group_answers_in(held))
        return session

    def _asked(self, bench: Workbench) -> list[Asking]:
        """Questions of the page, as the rule knows them."""
        found = []
        for one in asked_in(bench.journal.active()):
            i, j = (self._place.get(bench.row_of.get(name, -1), -1) for name in one.names)
            if min(i, j) >= 0:
                known_then = one.metadata
                proposal = Proposal((i, j), 0.0, known_then.get("follow", 0.0), 0.5)
                asking = Asking(proposal, one.votes, drawn=known_then.get("drawn") == 1)
                known = bench.relations.relation(int(self.rows[i]), int(self.rows[j]))
                if asking.is_tied and known:  # what follows from all others is the third answer
                    asking.votes.append(known == 1)
                found.append(asking)
        return found

    def _said(self, bench: Workbench, anchors: Mapping[int, int]) -> Relations:
        """What is known of rows: where a cluster is spoken of, the row that stands for it."""
        standing: dict[Node, int] = {}
        said = Relations()
        columns = {cluster: column for column, cluster in enumerate(bench.shown.clusters)}
        for root, nodes in bench.relations.components():
            rows = [self._place[node] for node in nodes if node in self._place]
            cluster = bench.relations.cluster_of(root)
            if cluster is not None and (anchor := anchors.get(columns[cluster_node(cluster)])) is not None:
                rows = [anchor, *(row for row in rows if row != anchor)]
            if rows:
                standing[root] = rows[0]
                for row in rows[1:]:
                    said.add(Link(rows[0], row, True, 0))
        for root, row in standing.items():
            for other in bench.relations.apart_from(root):
                if other > root and other in standing:
                    said.add(Link(row, standing[other], False, 0))
        return said


def as_action(
    question: Question | None, do: object, given: Mapping[str, Any]
) -> tuple[object, Mapping[str, Any]]:
    """What an answer does: to a question about two clusters, something with these; to an earlier one, doubt.

    Parameters
    ----------
    question : Question or None
        The one that is open.
    do, given : str, mapping
        The action of the page.
    """
    if question is None or do not in (PAIR, SKIP) or given.get("rows") != list(question.rows):
        return do, given
    given = {**given, "asked": question.metadata}
    if do == SKIP:
        return do, given
    if question.clusters is not None:
        return (MERGE if given.get("same") else APART), {**given, "clusters": list(question.clusters)}
    if question.earlier and given.get("same") != question.before:
        return DOUBT, {**given, "entries": list(question.earlier)}
    return do, given


def count_answers(bench: Workbench) -> tuple[int, int]:
    """How many questions were answered, also by a file, and how many of them with "same"."""
    held = bench.held()
    said = [same for _, _, same in answers_in(held)]
    said += [entry.do == MERGE for entry in held if entry.do in (MERGE, APART) and "asked" in entry.what]
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
