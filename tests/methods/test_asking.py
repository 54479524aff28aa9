"""An oracle is asked what helps most, and what it says is taken with care."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.datasets import make_blobs

from coterie import DDC, InputError, InputTypeError, ask
from coterie.methods import pools
from coterie.metrics import clustering_accuracy

X, Y = make_blobs(80, 3, centers=4, random_state=0)


@pytest.fixture(scope="module")
def start() -> DDC:
    settings: dict[str, Any] = {"n_restarts": 1, "max_steps": 5, "over_clustering": True}
    return DDC(4, **settings, random_state=0).fit(X)


def truth(i: int, j: int) -> bool:
    return bool(Y[i] == Y[j])


def test_few_answers_say_much(start: DDC) -> None:
    asked = ask(start, X, truth, 60)
    assert asked.n_questions == 60
    assert asked.pairs is not None
    closed = asked.pairs.closure()
    assert closed.n_pairs > 5 * asked.pairs.n_pairs
    np.testing.assert_array_equal(closed.same == 1, Y[closed.i] == Y[closed.j])
    better = clone(start).set_params(max_steps=300, scale=True).fit(X, pairs=closed.propagate(X))
    assert clustering_accuracy(Y, better.labels_) > clustering_accuracy(Y, start.labels_)


@settings(max_examples=6, deadline=None)
@example(seed=0, wrong=0.0, unsure=0.75)  # two groups whose members nobody was sure of
@given(seed=st.integers(0, 10**6), wrong=st.sampled_from([0.0, 0.1, 1.0]), unsure=st.floats(0, 1))
def test_no_question_is_asked_twice_but_to_check(start: DDC, seed: int, wrong: float, unsure: float) -> None:
    rng, seen = np.random.default_rng(seed), []

    def oracle(i: int, j: int) -> bool | None:
        seen.append(frozenset((i, j)))
        return None if rng.random() < unsure else truth(i, j) != (rng.random() < wrong)

    asked = ask(start, X, oracle, 40)
    assert len(seen) == asked.n_questions <= 40
    assert len(set(seen)) == len(asked.answers)
    assert max(Counter(seen).values(), default=0) <= 3
    again = {question for question in asked.answers if Counter(seen)[frozenset(question)] > 1}
    assert again == {*asked.confirmed, *asked.doubted}
    assert not set(asked.confirmed) & set(asked.doubted)
    if asked.pairs is not None:
        asked.pairs.check_consistent()


def test_it_ends_where_nothing_is_left(start: DDC) -> None:
    few = np.arange(6)
    asked = ask(start, X[few], truth, 10**6)
    assert asked.exhausted
    assert asked.pairs is not None
    assert asked.pairs.closure().n_pairs == 15


def test_nothing_asked_and_nothing_known(start: DDC) -> None:
    nothing = ask(start, X, truth, 0)
    assert (nothing.answers, nothing.n_questions, nothing.pairs) == ({}, 0, None)
    assert clustering_accuracy(start.predict(X), nothing.labels) > 0.9
    assert np.isnan(nothing.calibration_error)
    unsure = ask(start, X, lambda i, j: None, 30)
    assert unsure.n_questions == 30
    assert unsure.pairs is None
    assert not unsure.doubted
    np.testing.assert_array_equal(unsure.labels, nothing.labels)


@pytest.mark.parametrize("seed", range(3))
def test_answers_at_random_are_said(start: DDC, seed: int) -> None:
    rng = np.random.default_rng(seed)
    with pytest.warns(UserWarning, match=r"oracle gave another answer to \d+ of \d+ questions"):
        asked = ask(start, X, lambda i, j: bool(rng.integers(2)), 200)
    assert len(asked.doubted) >= 3


@pytest.mark.parametrize("seed", range(3))
def test_some_wrong_answers_are_found_again_and_not_called_random(start: DDC, seed: int) -> None:
    rng = np.random.default_rng(seed)
    asked = ask(start, X, lambda i, j: truth(i, j) != (rng.random() < 0.1), 200)
    wrong = [same != truth(*question) for question, same in asked.answers.items() if same is not None]
    assert asked.doubted
    assert np.mean(wrong) < 0.1


def test_an_oracle_that_contradicts_itself_is_asked_a_third_time(start: DDC) -> None:
    more, classes = make_blobs(240, 3, centers=4, random_state=0)
    seen: Counter[frozenset[int]] = Counter()

    def oracle(i: int, j: int) -> bool:
        seen[frozenset((i, j))] += 1
        return bool(classes[i] == classes[j]) == (seen[frozenset((i, j))] % 2 == 1)

    with pytest.warns(UserWarning, match="its answers may be random"):
        asked = ask(start, more, oracle, 150)
    assert len(asked.doubted) >= 6
    assert asked.confirmed == []
    # the majority is right but where the third answer was not given any more
    sure = {question: same for question, same in asked.answers.items() if same is not None}
    assert all(same == (classes[i] == classes[j]) for (i, j), same in sure.items())
    assert len(sure) >= len(asked.answers) - 1


def test_what_the_oracle_raises_is_passed_on(start: DDC) -> None:
    def broken(i: int, j: int) -> bool:
        raise ConnectionError("no answer")

    with pytest.raises(ConnectionError, match="no answer"):
        ask(start, X, broken, 3)


@pytest.mark.parametrize(
    ("oracle", "budget", "kind", "message"),
    [
        (truth, -1, InputError, "budget=-1 must be >= 0"),
        (truth, 2.5, InputTypeError, "budget must be an int, got 2.5"),
        (truth, True, InputTypeError, "budget must be an int, got True"),
        ("yes", 1, InputTypeError, "oracle must be a callable of two row numbers, got 'yes'"),
        (
            lambda i, j: "same",
            1,
            InputTypeError,
            "oracle must return True, False or None, got 'same' for rows",
        ),
        (lambda i, j: 1, 1, InputTypeError, "oracle must return True, False or None, got 1 for rows"),
    ],
)
def test_bad_calls(start: DDC, oracle: Any, budget: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        ask(start, X, oracle, budget)


def test_one_sample(start: DDC) -> None:
    with pytest.raises(InputError, match="X must have at least 2 samples to compare, got 1"):
        ask(start, X[:1], truth, 1)


def test_data_of_another_width(start: DDC) -> None:
    with pytest.raises(InputError, match="features"):
        ask(start, X[:, :2], truth, 5)


def test_data_of_another_modality(start: DDC) -> None:
    with pytest.raises(InputError, match="X must"):
        ask(start, np.zeros((5, 8, 8), dtype=np.uint8), truth, 5)


def test_what_follows_is_said_of_every_sample(start: DDC, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "MOST_ROWS", 50)
    asked = ask(start, X, truth, 30)
    assert asked.labels.shape == asked.confidence.shape == (80,)
    assert ((asked.confidence >= 0) & (asked.confidence <= 1)).all()
    assert len(asked.history) == 31
    assert asked.share_wrong == asked.history[-1] >= asked.share_wrong_after(20) >= 0
    assert asked.history[-1] < asked.history[0]
    assert len({row for question in asked.answers for row in question}) <= 50
    assert asked.unassigned_curve()["unassigned"][0] == 0
    assert str(asked).startswith(f"30 answers: about {100 * asked.share_wrong:.1f}% is still wrong (between ")
    low, high = asked.wrong_between
    assert 0 <= low <= asked.share_wrong <= high <= 1
    assert 0 <= asked.calibration_error <= 1
