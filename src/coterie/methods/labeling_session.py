"""The state of asking: what was answered, what follows, and which question comes next."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from coterie.corrections.relations import Contradiction, Link, Relations
from coterie.methods.beliefs import Beliefs, Reader
from coterie.methods.estimate import wrong_interval
from coterie.methods.question_gains import Chooser, Known, Outlook, Proposal, Question
from coterie.methods.stopping import Calibration
from coterie.methods.ties import find_ties
from coterie.methods.walks import Graph, Walk

Floats = npt.NDArray[Any]

# every so many questions, one about a sample drawn at random and one about two groups, whatever they help
TURNS, SAMPLE_AT, GROUPS_AT = 10, 5, 2
# every so many questions, an earlier one
REPEAT_EVERY = 20
# wrong answers, of so many: what is known before any question was asked twice
WRONG, OF_ANSWERS = 0.3, 30.0
_LEAST, _MOST = 0.01, 0.99
# how likely an answer is wrong before it is worth another one
DOUBT = 0.2
# answers of which one may contradict the other
_PAIR = 2
# samples that are drawn until one is new
_DRAWN = 20


@dataclass
class Asking:
    """One question and its answers.

    Attributes
    ----------
    proposal : Proposal
    votes : list of bool or None
        Answers in turn; None: unsure.
    drawn : bool
        Whether its sample was drawn at random.
    """

    proposal: Proposal
    votes: list[bool | None] = field(default_factory=list)
    drawn: bool = False

    @property
    def answer(self) -> bool | None:
        """What most of the sure answers say; None if there are as many for both."""
        yes, no = self.votes.count(True), self.votes.count(False)
        return None if yes == no else yes > no

    @property
    def differs(self) -> bool:
        """Whether it was answered in several ways."""
        return len(set(self.votes)) > 1

    @property
    def is_tied(self) -> bool:
        """Whether a third answer is needed."""
        return len(self.votes) == _PAIR and None not in self.votes and self.differs


class LabelingSession:
    """Questions about samples, one after the other.

    Parameters
    ----------
    probabilities : array of shape (n, k)
    graph : sparse array of shape (n, n)
        Weights between near samples, as `pools.near_samples` finds them.

    Examples
    --------
    >>> from scipy.sparse import block_diag
    >>> near, y = block_diag([np.ones((3, 3)) - np.eye(3)] * 2), [0, 0, 0, 1, 1, 1]
    >>> session = LabelingSession(np.full((6, 1), 1.0), near)
    >>> while (question := session.next()) is not None:
    ...     i, j = question
    ...     session.take(y[i] == y[j])
    >>> session.beliefs.labels.tolist() in ([0, 0, 0, 1, 1, 1], [1, 1, 1, 0, 0, 0])
    True
    """

    def __init__(self, probabilities: Floats, graph: Graph) -> None:
        self._n, self._n_clusters = probabilities.shape
        self._model_labels: npt.NDArray[np.int64] = probabilities.argmax(axis=1).astype(np.int64)
        self._sizes = np.bincount(self._model_labels, minlength=self._n_clusters)
        walk = Walk(graph, probabilities)
        self.reader = Reader(walk, np.asarray(probabilities, dtype=np.float32))
        self._chooser = Chooser(walk, self.reader)
        self.asked: dict[Question, Asking] = {}
        self.dropped: list[Question] = []
        self.kept: list[bool] = []
        self.n_questions = 0
        self._now: tuple[Asking, str] | None = None
        self.known = Known(Relations(), set())
        self.beliefs: Beliefs
        self._read(Relations())

    @property
    def share_of_wrong_answers(self) -> float:
        """Estimated from the questions that were asked again."""
        again = [asking for asking in self.asked.values() if len(asking.votes) > 1]
        wrong = sum(min(asking.votes.count(True), asking.votes.count(False)) for asking in again)
        return (WRONG + wrong) / (OF_ANSWERS + sum(len(asking.votes) for asking in again))

    def next(self) -> Question | None:
        """The question to ask now; None where nothing is left."""
        self._now = self._next()
        return None if self._now is None else self._now[0].proposal.question

    @property
    def proposal(self) -> Proposal:
        """What is known of the present question."""
        if self._now is None:
            raise RuntimeError("next() must be called first")
        return self._now[0].proposal

    @property
    def drawn(self) -> bool:
        """Whether the present question is about a sample drawn at random."""
        return self._now is not None and self._now[0].drawn

    def take(self, answer: bool | None) -> None:
        """Take the answer to the present question."""
        if self._now is None:
            raise RuntimeError("next() must be called before an answer is given")
        (asking, why), self._now = self._now, None
        self.n_questions += 1
        before = asking.answer
        if why == "any":
            self.kept.append(answer == before)
        asking.votes.append(answer)
        first = len(asking.votes) == 1
        self.asked.setdefault(asking.proposal.question, asking)
        if first and asking.proposal.groups and answer:
            counted = self._are_clusters(asking.proposal.question)
            self.known.far_one += counted and asking.proposal.far
            self.known.near_one += counted and not asking.proposal.far
        if first or asking.answer != before:
            self._read(self._relate())

    def _are_clusters(self, question: Question) -> bool:
        """Whether two rows are of groups that hold clusters of the model."""
        return all(self.beliefs.clusters[self.beliefs.place[row]] for row in question)

    def hold(self, asked: Iterable[Asking], said: Relations, groups: tuple[int, int, int]) -> None:
        """Take what was said so far, in place of all that was taken before.

        Parameters
        ----------
        asked : iterable of Asking
            Questions about samples and their answers, in the order in which they were asked first.
        said : Relations
            All that is known of rows, also by other ways than questions.
        groups : (int, int, int)
            How many pairs of groups are known to be one, alike and not, and how many to be one or not.
        """
        self._now = None
        self.asked = {asking.proposal.question: asking for asking in asked}
        self.known.near_one, self.known.far_one, n_groups_asked = groups
        self.n_questions = sum(len(asking.votes) for asking in self.asked.values()) + n_groups_asked
        self._read(said)

    def _relate(self) -> Relations:
        """What follows from all answers; one that contradicts earlier ones is dropped."""
        said = Relations()
        self.dropped = []
        for number, (question, asking) in enumerate(self.asked.items(), start=1):
            if asking.answer is not None:
                try:
                    said.add(Link(*question, asking.answer, number))
                except Contradiction:
                    self.dropped.append(question)
        return said

    def _read(self, said: Relations) -> None:
        """What relations say of all samples."""
        self.known.said = said
        self.known.asked = {frozenset(question) for question in self.asked}
        self._aside = {
            one.proposal.question[0]
            for one in self.asked.values()
            if one.votes[0] is None and not one.proposal.groups
        }
        self.beliefs = self.reader.read(said)
        ties = find_ties(self.reader, self.beliefs, said, (self.known.near_one, self.known.far_one))
        self._outlook = Outlook(self.beliefs, self._chances(), self._chooser.follow(self.beliefs), ties)

    def _chances(self) -> Floats:
        """How likely each sample (n,) is of its group, as answers have shown."""
        self.calibration = Calibration.of(*self.outcomes())
        asked = self._asked_about()
        return np.where(np.isnan(asked), self.calibration(self.beliefs.shares.max(axis=1)), asked)

    def _asked_about(self) -> Floats:
        """How likely the place of each sample (n,) that was asked about is right; NaN for all others."""
        found = np.full(self._n, np.nan)
        found[[row for row, _ in self._placed()]] = 1 - self.share_of_wrong_answers
        return found

    def _placed(self) -> list[tuple[int, int]]:
        """Samples that were asked about and whose group is known, with their group."""
        asked_about = {one.proposal.question[0] for one in self.asked.values() if not one.proposal.groups}
        return [(row, at) for row, at in self.beliefs.place.items() if at >= 0 and row in asked_about]

    def outcomes(self) -> tuple[Floats, npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
        """How firmly all others place each sample that was asked about, whether it is there, and was chosen.

        As if each had not been asked about yet: so every answer counts for the calibration of those that
        nobody was asked about. Chosen are those that were not drawn at random.
        """
        placed, drawn = self._placed(), {one.proposal.question[0] for one in self.asked.values() if one.drawn}
        shares = [self._by_others(row) for row, _ in placed]
        beliefs = np.array([one.max() for one in shares])
        came_true = [one.argmax() == group for one, (_, group) in zip(shares, placed, strict=True)]
        chosen = [row not in drawn for row, _ in placed]
        return beliefs, np.array(came_true, dtype=bool), np.array(chosen, dtype=bool)

    def _by_others(self, row: int) -> Floats:
        return self.beliefs.by_others(row, float(self.reader.column(row)[row]))

    def answers(self) -> dict[Question, bool | None]:
        """What is known of each question: nothing where answers differ, or contradict earlier ones."""
        return {
            question: None if question in self.dropped else one.answer for question, one in self.asked.items()
        }

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """The clustering (n,), the model's before any answer.

        A group has the number of its largest cluster; one without a cluster has the next number.
        """
        if all(answer is None for answer in self.answers().values()):
            return self._model_labels
        names, fresh = [], self._n_clusters
        for clusters in self.beliefs.clusters:
            names.append(max(clusters, key=lambda one: self._sizes[one]) if clusters else fresh)
            fresh += not clusters
        return np.array(names, dtype=np.int64)[self.beliefs.labels]

    @property
    def share_wrong(self) -> float:
        """The share of labels that is expected to be wrong."""
        return float(1 - self.confidence.mean())

    @property
    def wrong_interval(self) -> tuple[float, float]:
        """Two shares between which that of wrong labels most likely is."""
        shares = self.beliefs.shares.max(axis=1)
        low, high = wrong_interval(
            self.calibration, shares, self._asked_about(), self.beliefs.labels, self._outlook.ties
        )
        return min(low, self.share_wrong), max(high, self.share_wrong)

    @property
    def confidence(self) -> Floats:
        """How likely each label (n,) is right: the sample is of its group, and that of no larger one."""
        ties = self._outlook.ties
        of_larger = ties.part_of(*ties.rates).sum(axis=1)
        return np.asarray(self._outlook.right * (1 - of_larger[self.beliefs.labels]))

    def _next(self) -> tuple[Asking, str] | None:
        tied = next((one for one in self.asked.values() if one.is_tied), None)
        if tied is not None:
            return tied, "tied"
        number = self.n_questions + 1
        if number % REPEAT_EVERY == 0 and (earlier := self._any_earlier()) is not None:
            return earlier, "any"
        asking = self._first_time(number)
        doubtful = self._doubtful()
        if doubtful is not None and asking is not None and doubtful[0] > asking.proposal.gain:
            return doubtful[1], "doubtful"
        return None if asking is None else (asking, "new")

    def _first_time(self, number: int) -> Asking | None:
        """A new question; some are asked whatever they help, to show what nobody suspects."""
        proposal = self._under_way()
        if proposal is None and number % TURNS == SAMPLE_AT and (drawn := self._drawn()) is not None:
            return Asking(drawn, drawn=True)
        if proposal is None and number % TURNS == GROUPS_AT:
            proposal = self._chooser.best_groups(self._outlook, self.known)
        proposal = proposal or self._best()
        return None if proposal is None else Asking(proposal)

    def _any_earlier(self) -> Asking | None:
        return next(
            (one for one in self.asked.values() if len(one.votes) == 1 and one.answer is not None), None
        )

    def _under_way(self) -> Proposal | None:
        """The next comparison of a sample of which only is known what it is not."""
        for row, group in self.beliefs.place.items():
            if group < 0 and row not in self._aside:
                found = self._chooser.of_row(self._outlook, row, self.known)
                if found is not None:
                    return found
        return None

    def _drawn(self) -> Proposal | None:
        rows = np.random.default_rng(self.n_questions).integers(self._n, size=_DRAWN).tolist()
        known = self.beliefs.place.keys() | self._aside
        fresh = next((row for row in rows if row not in known), None)
        return None if fresh is None else self._chooser.of_row(self._outlook, fresh, self.known)

    def _best(self) -> Proposal | None:
        row = self._chooser.best_row(self._outlook, self.known, self._aside)
        groups = self._chooser.best_groups(self._outlook, self.known)
        found = [one for one in (row, groups) if one is not None]
        return max(found, key=lambda one: one.gain, default=None)

    def _doubtful(self) -> tuple[float, Asking] | None:
        """The answer that is most worth another one, and how many samples that is expected to put right."""
        wrong = self.share_of_wrong_answers
        found: tuple[float, Asking] | None = None
        for one in self.asked.values():
            if len(one.votes) == 1 and one.answer is not None:
                true = float(np.clip(self._still_expected(one), _LEAST, _MOST))
                doubt = wrong * (1 - true) / (wrong * (1 - true) + (1 - wrong) * true)
                gain = doubt * one.proposal.mass
                if doubt >= DOUBT and (found is None or gain > found[0]):
                    found = gain, one
        return found

    def _still_expected(self, asking: Asking) -> float:
        """How likely an answer is true by all others: what is around its sample, without its own place."""
        row, other = asking.proposal.question
        group = self.beliefs.place.get(other, -1)
        if asking.proposal.groups or group < 0:
            expected = asking.proposal.expected
        else:
            expected = float(self._by_others(row)[group])
        return expected if asking.answer else 1 - expected
