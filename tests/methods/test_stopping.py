"""Chances that labels are right, and when to stop."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coterie.methods.stopping import Calibration, calibration_error, forecast, unassigned_curve


def test_before_an_answer_little_is_known() -> None:
    nobody = Calibration.of(np.empty(0), *np.empty((2, 0), dtype=bool))
    draws = nobody.draws(np.full(1, 0.9), np.zeros((400, 1)), np.random.default_rng(0))
    assert np.quantile(draws, 0.95) - np.quantile(draws, 0.05) > 0.4
    assert 0.9 < nobody(np.array([0.9]))[0] < 0.97


def test_samples_that_were_chosen_say_less_of_all_others() -> None:
    rng = np.random.default_rng(0)
    beliefs, chosen = np.full(200, 0.9), np.arange(200) >= 50
    came_true = rng.random(200) < np.where(chosen, 0.4, 0.9)
    found = Calibration.of(beliefs, came_true, chosen)
    assert found(beliefs[:1])[0] == pytest.approx(came_true[:50].mean(), abs=0.08)
    assert Calibration.of(beliefs, came_true, ~np.ones(200, dtype=bool))(beliefs[:1])[0] < 0.7


def test_beliefs_that_are_too_firm_are_mended() -> None:
    rng = np.random.default_rng(0)
    odds = rng.normal(1, 1, 4000)
    came_true = rng.random(4000) < 1 / (1 + np.exp(-odds))
    too_firm = 1 / (1 + np.exp(-3 * odds))
    found = Calibration.of(too_firm[:100], came_true[:100], np.zeros(100, dtype=bool))
    before, after = (calibration_error(one, came_true) for one in (too_firm, found(too_firm)))
    assert after < 0.06 < 0.1 < before


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans(), st.booleans()), max_size=30))
def test_any_answers_give_chances_in_the_same_order(answers: list[tuple[float, bool, bool]]) -> None:
    beliefs = np.array([belief for belief, _, _ in answers])
    came_true, chosen = (np.array([one[at] for one in answers], dtype=bool) for at in (1, 2))
    found = Calibration.of(beliefs, came_true, chosen)
    chances = found(np.linspace(0, 1, 11))
    assert ((chances > 0) & (chances < 1)).all()
    assert (np.diff(chances) >= 0).all()


def test_calibration_error_by_hand() -> None:
    beliefs, came_true = np.array([0.95, 0.95, 0.45, 1.0]), np.array([True, False, False, True])
    # in the last bin 2.9 were expected and 2 came, in the fifth 0.45 and none
    assert calibration_error(beliefs, came_true) == pytest.approx((0.9 + 0.45) / 4)
    assert calibration_error(np.empty(0), np.empty(0, dtype=bool)) == 0


def test_the_curve_of_what_is_left_out() -> None:
    curve = unassigned_curve(np.array([0.2, 0.6, 0.8, 1.0]))
    at = {round(float(row["threshold"]), 2): row for row in curve}
    assert (at[0.0]["unassigned"], at[0.7]["unassigned"], at[0.99]["unassigned"]) == (0, 0.5, 0.75)
    assert at[0.0]["wrong"] == pytest.approx(0.35)
    assert at[0.7]["wrong"] == pytest.approx(0.1)
    assert (np.diff(curve["wrong"]) <= 1e-12).all()


def test_the_curve_by_another_certainty() -> None:
    curve = unassigned_curve(np.array([0.2, 0.6, 1.0]), np.array([0.9, 0.5, 0.7]))
    at = {round(float(row["threshold"]), 2): row for row in curve}
    assert at[0.6]["unassigned"] == pytest.approx(1 / 3)
    assert at[0.6]["wrong"] == pytest.approx(0.4)
    assert at[0.8]["wrong"] == pytest.approx(0.8)


def test_what_more_answers_bring() -> None:
    falling = [0.1 * 0.5**step for step in range(7)]
    assert forecast(falling, 2) == pytest.approx(0.1 * 0.5**8)
    assert forecast([0.1], 20) == 0.1
    assert forecast([0.1, 0.2, 0.3], 20) == pytest.approx(0.3)  # an estimate that rose promises nothing
    assert forecast(falling, 0) == falling[-1]
