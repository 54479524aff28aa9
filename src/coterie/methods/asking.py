"""Questions to whoever can tell whether two samples belong together: a person, a script, a model."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from coterie._errors import InputError, InputTypeError
from coterie.corrections.questions import Known, next_question
from coterie.corrections.relations import Link, Relations
from coterie.data.pairs import Pairs
from coterie.methods.candidates import representatives

Oracle = Callable[[int, int], bool | None]
Question = tuple[int, int]

# every so many questions an earlier one is asked again: in turn the one whose answer surprises the model
# most, which may be wrong, and the first one, which is as good as any
REPEAT_EVERY = 10
# of so many first ones, so large a share with another answer is what chance gives
FEW_REPEATS, BY_CHANCE = 6, 0.5


@dataclass
class Asked:
    """What an oracle said.

    Attributes
    ----------
    answers : dict of (int, int) to bool or None
        Questions by their two rows, in the order in which they were asked, and whether the two belong
        together; None: unsure.
    n_questions : int
        With those that were asked again.
    confirmed, doubted : list of (int, int)
        Questions that had the same and another answer when they were asked again; the latter count as unsure.
    exhausted : bool
        Whether nothing was left to ask.
    """

    answers: dict[Question, bool | None] = field(default_factory=dict)
    n_questions: int = 0
    confirmed: list[Question] = field(default_factory=list)
    doubted: list[Question] = field(default_factory=list)
    exhausted: bool = False

    @property
    def pairs(self) -> Pairs | None:
        """The answers as pairs; None where nobody was sure of any."""
        sure = [(i, j, 1 if same else -1) for (i, j), same in self.answers.items() if same is not None]
        return Pairs(sure) if sure else None


def ask(model: Any, X: Any, oracle: Oracle, budget: int) -> Asked:
    """Ask about the pairs of samples whose answers say most about a clustering.

    A sample that stands for many others, and of which the model is unsure, is compared with one known group
    after the other, the likeliest first, until its place is known; what follows from the answers is never
    asked. Every tenth question is an earlier one: where the second answer is another, neither counts.

    Parameters
    ----------
    model : clusterer
        Fitted; its `predict_proba` and `transform` say what it knows of X.
    X : array-like of shape (n, ...), n >= 2
        The samples to ask about.
    oracle : callable
        ``oracle(i, j)`` says whether rows i and j of X belong together: True, False, or None where it cannot
        tell.
    budget : int >= 0
        How many questions it may be asked.

    Returns
    -------
    Asked

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
    >>> asked.n_questions, asked.doubted, asked.pairs.n_pairs
    (30, [], 27)
    >>> known = asked.pairs.closure().propagate(X)
    >>> better = coterie.DDC(4, max_steps=300, random_state=0).start_from(start).fit(X, pairs=known)
    """
    check_is_fitted(model)
    _check(oracle, budget)
    probabilities = np.asarray(model.predict_proba(X))
    if len(probabilities) < 2:
        raise InputError(f"X must have at least 2 samples to compare, got {len(probabilities)}")
    candidates = representatives(probabilities, np.asarray(model.transform(X)))
    asked, kept = Asked(), list[bool]()
    while asked.n_questions < budget:
        again = _to_repeat(asked, probabilities)
        question = again or next_question(candidates, _known(asked))
        if question is None:
            asked.exhausted = True
            break
        answer = _answer(oracle, question)
        if again is not None and _any_is_due(asked):
            kept.append(answer == asked.answers[question])
        _take(asked, question, answer, repeated=again is not None)
    _warn_of_chance(kept)
    return asked


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


def _known(asked: Asked) -> Known:
    """What follows from the answers, and the questions that nobody was sure of."""
    relations = Relations()
    for number, ((i, j), same) in enumerate(asked.answers.items(), start=1):
        if same is not None:
            relations.add(Link(i, j, same, number))
    return Known(relations, (question for question, same in asked.answers.items() if same is None))


def _to_repeat(asked: Asked, probabilities: Any) -> Question | None:
    """Each time that it is due: an answered question that was not asked again before."""
    repeated = {*asked.confirmed, *asked.doubted}
    sure = [(q, same) for q, same in asked.answers.items() if same is not None and q not in repeated]
    if (asked.n_questions + 1) % REPEAT_EVERY or not sure:
        return None
    if _any_is_due(asked):
        return sure[0][0]
    together = np.array([probabilities[i] @ probabilities[j] for (i, j), _ in sure])
    surprise = np.where([same for _, same in sure], 1 - together, together)
    return sure[int(surprise.argmax())][0]


def _any_is_due(asked: Asked) -> bool:
    """Whether the question to repeat is any, not the one whose answer surprises the model most."""
    return (asked.n_questions + 1) % (2 * REPEAT_EVERY) == 0


def _take(asked: Asked, question: Question, answer: bool | None, *, repeated: bool) -> None:
    asked.n_questions += 1
    if not repeated:
        asked.answers[question] = answer
    elif answer == asked.answers[question]:
        asked.confirmed.append(question)
    else:
        asked.doubted.append(question)
        asked.answers[question] = None


def _warn_of_chance(kept: Sequence[bool]) -> None:
    n_changed = len(kept) - sum(kept)
    if len(kept) >= FEW_REPEATS and n_changed >= BY_CHANCE * len(kept):
        warnings.warn(
            f"oracle gave another answer to {n_changed} of {len(kept)} questions that were asked again: its "
            "answers may be random",
            stacklevel=3,
        )
