"""Batches of sets: what a set holds, and that a step is a function of its number."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coterie import InputError
from coterie.data.sets import GivenSets, SetBatches, fitting_set_size, same_prior

LABELS = np.repeat(np.arange(6), (30, 30, 30, 30, 3, 1))


def test_sets_hold_whole_groups_of_the_source() -> None:
    batches = SetBatches(LABELS, 12, 50, max_clusters=4)
    plan = batches.plan(seed=1, epoch=0, step=3)
    assert plan.labels is not None
    assert plan.rows.shape == plan.labels.shape == (50, 12)
    for rows, codes in zip(plan.rows, plan.labels, strict=True):
        assert len(set(rows)) == 12
        assert np.bincount(codes).min() >= 2
        # the same code in a set exactly where the source's label is the same
        assert np.array_equal(codes[:, None] == codes, LABELS[rows][:, None] == LABELS[rows])
    counts = np.bincount([codes.max() + 1 for codes in plan.labels], minlength=5)
    assert counts[1:].min() >= 3
    assert 119 not in plan.rows or LABELS[119] != 5


def test_a_step_is_a_function_of_seed_epoch_and_number() -> None:
    batches = SetBatches(LABELS, 12, 4, max_clusters=4)
    first, again = batches.plan(1, 2, 3), batches.plan(1, 2, 3)
    assert np.array_equal(first.rows, again.rows)
    for other in (batches.plan(0, 2, 3), batches.plan(1, 0, 3), batches.plan(1, 2, 0)):
        assert not np.array_equal(first.rows, other.rows)
    plans = [list(batches.evaluation_plans()) for _ in range(2)]
    assert all(np.array_equal(a.rows, b.rows) for a, b in zip(*plans, strict=True))


def test_unknown_labels_and_single_items_are_never_drawn() -> None:
    labels = LABELS.copy()
    labels[:10] = -1
    plan = SetBatches(labels, 12, 100, max_clusters=4).plan(0, 0, 0)
    assert plan.rows.min() >= 10
    assert plan.rows.max() < 123


def test_numbers_of_groups_that_do_not_hold_a_set_are_left_out() -> None:
    batches = SetBatches(np.repeat(np.arange(5), 5), 12, 30, max_clusters=5)
    assert batches.counts == (3, 4, 5)
    assert batches.same_prior == pytest.approx(same_prior((3, 4, 5), 12))
    with pytest.raises(InputError, match="set_size=26 must be <= the number of samples in 5 groups of y"):
        SetBatches(np.repeat(np.arange(5), 5), 26, 30, max_clusters=5)


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [((100,) * 5, 72), ((10, 10, 10), 10), ((2,) * 20, 10), ((7, 1, 1), 7), ((20, 20), 20), ((1, 1), 72)],
)
def test_a_size_that_the_groups_can_fill(sizes: tuple[int, ...], expected: int) -> None:
    assert fitting_set_size(np.repeat(np.arange(len(sizes)), sizes), 72, 5) == expected


@given(st.lists(st.integers(1, 30), max_size=8), st.integers(2, 72), st.integers(1, 6))
def test_sets_are_drawn_from_any_group_of_two(sizes: list[int], wanted: int, max_clusters: int) -> None:
    labels = np.repeat(np.arange(len(sizes)), sizes)
    size = fitting_set_size(labels, wanted, max_clusters)
    assert 2 <= size <= wanted
    if max(sizes, default=0) > 1:
        plan = SetBatches(labels, size, 2, max_clusters=max_clusters).plan(0, 0, 0)
        assert plan.rows.shape == (2, size)


def test_given_sets_come_once_an_epoch_with_what_is_known() -> None:
    known = [np.array([0, 0, 1]), np.array([[1, -1], [-1, 1]]), np.array([2, -1, 2]), np.array([0, 1, 2])]
    sets = GivenSets(known, batch_sets=2)
    assert sets.n_steps == 3
    rows = np.sort(np.concatenate([sets.plan(0, 0, step).rows.ravel() for step in range(3)]))
    assert np.array_equal(rows, np.arange(11))
    same = {plan.rows.shape: plan.same for plan in sets.evaluation_plans()}
    pair = same[1, 2]
    assert pair is not None
    assert pair.tolist() == [[[1, -1], [-1, 1]]]


def test_given_labels_become_same_different_and_unknown() -> None:
    (plan,) = GivenSets([np.array([2, -1, 2])], batch_sets=4).evaluation_plans()
    assert plan.same is not None
    assert plan.same.tolist() == [[[1, 0, 1], [0, 1, 0], [1, 0, 1]]]


def test_the_prior_of_given_sets_is_their_share_of_same_pairs() -> None:
    sets = GivenSets([np.array([0, 0, 1, 1])], batch_sets=1)
    assert sets.same_prior == pytest.approx(2 / 6)
