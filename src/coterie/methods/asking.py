"""Questions to whoever can tell whether two samples belong together: a person, a script, a model."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from coterie._errors import InputError, InputTypeError
from coterie.data.pairs import Pairs
from coterie.methods.labeling_session import LabelingSession
from coterie.methods.pools import Pool, near_samples
from coterie.methods.question_gains import Question
from coterie.methods.stopping import FEWEST, calibration_error, forecast, still_wrong, unassigned_curve

Oracle = Callable[[int, int], bool | None]

# of so many questions that were asked again whatever they help, so large a share with another answer is what
# chance gives: two answers of which one in ten is wrong differ half as often
FEW_REPEATS, BY_CHANCE = 6, 0.4
# of all questions, so many that have got two answers: if one in ten is wrong, they are half as many
MANY, DOUBTED = 100, 0.09


@dataclass
class Asked:
    """What an oracle said, and what follows from it.

    Attributes
    ----------
    answers : dict of (int, int) to bool or None
        Questions by their two rows, in the order in which they were asked, and whether the two belong
        together, by most of the answers; None: unsure.
    n_questions : int
        With those that were asked again.
    confirmed, doubted : list of (int, int)
        Questions that had the same and another answer when they were asked again. A doubted one is asked a
        third time; it counts as unsure where that was not possible.
    exhausted : bool
        Whether nothing was left to ask.
    labels : int64 array of shape (n,)
        The clustering that follows. Clusters of the model keep their numbers, new ones have the next ones; of
        two that are one, the number of the larger stays.
    confidence : float64 array of shape (n,)
        How likely each label is right, calibrated by the answers: in [0, 1].
    wrong_between : (float, float)
        Two shares between which that of wrong labels is in about nine of ten cases.
    history : list of float
        `share_wrong` before the first question and after each.
    calibration_error : float
        Expected calibration error: how far the beliefs about samples that were asked about, by all other
        answers, are from their own. NaN without such an answer.
    """

    answers: dict[Question, bool | None] = field(default_factory=dict)
    n_questions: int = 0
    confirmed: list[Question] = field(default_factory=list)
    doubted: list[Question] = field(default_factory=list)
    exhausted: bool = False
    labels: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    confidence: npt.NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    wrong_between: tuple[float, float] = (0.0, 1.0)
    history: list[float] = field(default_factory=list)
    calibration_error: float = float("nan")

    @property
    def pairs(self) -> Pairs | None:
        """The answers as pairs; None where nobody was sure of any."""
        sure = [(i, j, 1 if same else -1) for (i, j), same in self.answers.items() if same is not None]
        return Pairs(sure) if sure else None

    @property
    def share_wrong(self) -> float:
        """The share of labels that is expected to be wrong."""
        return self.history[-1]

    def share_wrong_after(self, n_more: int) -> float:
        """The share that is expected to be wrong after more answers, if they help as the later ones did.

        Parameters
        ----------
        n_more : int >= 0
        """
        return forecast(self.history, n_more)

    def unassigned_curve(self) -> npt.NDArray[np.void]:
        """What leaving samples of low confidence unassigned costs.

        Returns
        -------
        structured array
            "threshold", "unassigned" (share of samples below it) and "wrong" (expected share of wrong labels
            among the others).
        """
        return unassigned_curve(self.confidence)

    def __str__(self) -> str:
        """What a person wants to know before the next question."""
        later = 100 * self.share_wrong_after(20)
        more = f"; 20 more answers would take it to {later:.1f}%" if len(self.history) > FEWEST else ""
        said = f"{self.n_questions} answers: {still_wrong(self.share_wrong, self.wrong_between)}"
        return said + ("; nothing is left to ask" if self.exhausted else more)


def ask(model: Any, X: Any, oracle: Oracle, budget: int) -> Asked:
    """Ask about the pairs of samples whose answers put most of a clustering right.

    The model's clusters are taken for what is there; a question is about what most probably is wrong with
    them. "Is this sample of its cluster, and those around it with it?" compares it with the cluster's nearest
    known sample, and with those of further groups until its place is known; where it is of none, it begins a
    new one. "Are these two clusters one?" compares the samples that stand for them. So every question is a
    pair of samples, and what follows from the answers is never asked. An answer that all others speak against
    is asked for again, and so is every twentieth question whatever it helps; every tenth is about a sample
    drawn at random, and every tenth about two clusters.

    Parameters
    ----------
    model : clusterer
        Fitted; its `predict_proba` and `transform` say what it knows of X.
    X : array-like of shape (n, ...), n >= 2
        The samples to ask about. Of more than 20,000, as many are drawn; the others follow those near them.
    oracle : callable
        ``oracle(i, j)`` says whether rows i and j of X belong together: True, False, or None where it cannot
        tell.
    budget : int >= 0
        How many questions it may be asked.

    Returns
    -------
    Asked
        Also the clustering that follows, how likely each label is right, and what more answers would bring.

    Raises
    ------
    InputError, InputTypeError
        For arguments out of range, and where the oracle returns anything else. What the oracle itself raises
        is passed on.

    Warns
    -----
    UserWarning
        The oracle often contradicts itself.

    See Also
    --------
    coterie.Pairs.closure : what follows from the answers.
    coterie.Pairs.propagate : what they say of near samples.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> import coterie
    >>> X, y = make_blobs(200, 3, centers=4, random_state=0)
    >>> start = coterie.DDC(4, n_restarts=1, max_steps=100, over_clustering=True, random_state=0).fit(X)
    >>> asked = coterie.ask(start, X, lambda i, j: bool(y[i] == y[j]), budget=30)
    >>> asked.n_questions, asked.doubted
    (30, [])
    >>> accuracy = coterie.metrics.clustering_accuracy
    >>> bool(accuracy(y, asked.labels) > accuracy(y, start.labels_))
    True
    >>> known = asked.pairs.closure().propagate(X)
    >>> better = coterie.DDC(4, max_steps=300, random_state=0).start_from(start).fit(X, pairs=known)
    """
    check_is_fitted(model)
    _check(oracle, budget)
    probabilities = np.asarray(model.predict_proba(X))
    if len(probabilities) < 2:
        raise InputError(f"X must have at least 2 samples to compare, got {len(probabilities)}")
    pool = Pool(probabilities, np.asarray(model.transform(X)))
    session = LabelingSession(pool.probabilities, near_samples(pool.points))
    history, exhausted = [session.share_wrong], False
    while session.n_questions < budget:
        question = session.next()
        if question is None:
            exhausted = True
            break
        i, j = question
        session.take(_answer(oracle, (int(pool.rows[i]), int(pool.rows[j]))))
        history.append(session.share_wrong)
    asked = _asked(session, pool, history, exhausted)
    _warn_of_chance(asked, session.kept)
    return asked


def _asked(session: LabelingSession, pool: Pool, history: list[float], exhausted: bool) -> Asked:
    """The state of a session, in rows of the data."""

    def named(question: Question) -> Question:
        return int(pool.rows[question[0]]), int(pool.rows[question[1]])

    again = {question: one for question, one in session.asked.items() if len(one.votes) > 1}
    beliefs, came_true, _ = session.outcomes()
    error = calibration_error(session.calibration(beliefs), came_true) if len(beliefs) else float("nan")
    labels, confidence = session.labels, session.confidence
    if pool.n > len(labels):
        nearest = pool.nearest()
        labels, confidence = labels[nearest], confidence[nearest]
    return Asked(
        {named(question): answer for question, answer in session.answers().items()},
        session.n_questions,
        [named(question) for question, one in again.items() if not one.differs],
        [named(question) for question, one in again.items() if one.differs],
        exhausted,
        labels,
        confidence,
        session.wrong_interval,
        history,
        error,
    )


def _check(oracle: Any, budget: Any) -> None:
    if not callable(oracle):
        raise InputTypeError(f"oracle must be a callable of two row numbers, got {oracle!r}")
    if isinstance(budget, bool) or not isinstance(budget, int | np.integer):
        raise InputTypeError(f"budget must be an int, got {budget!r}")
    if budget < 0:
        raise InputError(f"budget={budget} must be >= 0")


def _answer(oracle: Oracle, question: Question) -> bool | None:
    answer = oracle(*question)
    if answer is None or isinstance(answer, bool | np.bool_):
        return None if answer is None else bool(answer)
    raise InputTypeError(
        f"oracle must return True, False or None, got {answer!r} for rows {question[0]} and {question[1]}"
    )


def _warn_of_chance(asked: Asked, kept: Sequence[bool]) -> None:
    n_changed, n_again = len(kept) - sum(kept), len(kept)
    at_random = n_again >= FEW_REPEATS and n_changed >= BY_CHANCE * n_again
    if not at_random and asked.n_questions >= MANY:
        n_changed, n_again = len(asked.doubted), len(asked.doubted) + len(asked.confirmed)
        at_random = n_changed >= DOUBTED * asked.n_questions
    if at_random:
        warnings.warn(
            f"oracle gave another answer to {n_changed} of {n_again} questions that were asked again: its "
            "answers may be random",
            stacklevel=3,
        )
