"""Batch plans: pure functions of (seed, epoch, step) that cover what they should."""

from __future__ import annotations

import copy
import pickle
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coterie._errors import InputError, InputTypeError
from coterie._types import BatchPlan
from coterie.data import ClassBatches, LabelBatches, PairBatches, Pairs, RowBatches, Sampler

LABELS = np.array([3, -1, 0, 1, 1, -1, 0, 2, 0, 5])


def pairs_of(n: int = 30, m: int = 50) -> Pairs:
    return Pairs.from_labels(np.arange(n) % 4, m, 0)


def samplers() -> list[Sampler]:
    return [
        LabelBatches(LABELS, 3),
        PairBatches(pairs_of(), 8),
        PairBatches(pairs_of(10, 40), 8, labels=LABELS),
        RowBatches(30, 7),
        RowBatches(30, 7, pairs=pairs_of(), batch_pairs=8),
        ClassBatches(np.repeat(np.arange(5), 7), 3, 2),
    ]


def epoch(sampler: Sampler, seed: int = 0, number: int = 0) -> list[BatchPlan]:
    return [sampler.plan(seed, number, step) for step in range(sampler.n_steps)]


def pairs_in(plan: BatchPlan) -> dict[tuple[int, int], int]:
    assert plan.same is not None
    assert (plan.same == plan.same.T).all()
    a, b = np.nonzero(np.triu(plan.same))
    ends = np.sort(np.stack([plan.rows[a], plan.rows[b]], axis=1), axis=1).tolist()
    return {(i, j): kind for (i, j), kind in zip(ends, plan.same[a, b].tolist(), strict=True)}


def assert_same(first: BatchPlan, second: BatchPlan) -> None:
    for name in ("rows", "same", "labels"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))


@pytest.mark.parametrize("number", range(6))
def test_a_plan_depends_on_its_arguments_alone(number: int) -> None:
    sampler, other = samplers()[number], samplers()[number]
    forward = {(e, s): sampler.plan(7, e, s) for e in range(3) for s in range(sampler.n_steps)}
    for (e, s), plan in reversed(forward.items()):
        assert_same(other.plan(7, e, s), plan)
    for copied in (copy.deepcopy(sampler), pickle.loads(pickle.dumps(sampler))):  # noqa: S301
        assert_same(copied.plan(7, 1, 0), forward[1, 0])


@pytest.mark.parametrize("number", range(6))
def test_seeds_and_epochs_shuffle(number: int) -> None:
    sampler = samplers()[number]
    orders = [
        np.concatenate([plan.rows for plan in epoch(sampler, s, e)]).tolist()
        for s, e in [(0, 0), (0, 1), (1, 0)]
    ]
    assert len({tuple(order) for order in orders}) == 3


@pytest.mark.parametrize("number", range(6))
def test_samplers_keep_the_protocol(number: int) -> None:
    sampler = samplers()[number]
    assert isinstance(sampler, Sampler)
    for plan in [*epoch(sampler), *sampler.evaluation_plans()]:
        assert plan.rows.dtype == np.int64
        assert len(set(plan.rows.tolist())) == len(plan.rows) >= 2
        assert plan.same is None or plan.same.dtype == np.int8
        assert plan.labels is None or plan.labels.dtype == np.int64
    for step in (-1, sampler.n_steps):
        with pytest.raises(InputError, match=rf"step must be in 0\.\.{sampler.n_steps - 1}, got {step}"):
            sampler.plan(0, 0, step)
    for first, second in zip(sampler.evaluation_plans(), sampler.evaluation_plans(), strict=True):
        assert_same(first, second)


# ------------------------------------------------------------------ labels


@given(st.integers(2, 40), st.integers(2, 12), st.booleans())
def test_label_batches_cover_the_known_rows(n: int, size: int, drop_last: bool) -> None:
    labels = np.arange(n) % 3
    batches = LabelBatches(labels, size, drop_last=drop_last)
    plans = epoch(batches, 1)
    rows = np.concatenate([plan.rows for plan in plans])
    sizes = [len(plan.rows) for plan in plans]
    assert len(set(rows.tolist())) == len(rows)
    if drop_last and n >= size:
        assert sizes == [size] * (n // size)
    else:
        assert len(rows) == n
        assert set(sizes[:-1]) <= {size}
        assert 2 <= sizes[-1] <= size + 1
    for plan in plans:
        np.testing.assert_array_equal(plan.labels, labels[plan.rows])


@given(st.integers(2, 40), st.integers(2, 12))
def test_label_evaluation_is_even_and_whole(n: int, size: int) -> None:
    plans = list(LabelBatches(np.zeros(n, dtype=int), size, drop_last=True).evaluation_plans())
    sizes = [len(plan.rows) for plan in plans]
    assert sorted(np.concatenate([plan.rows for plan in plans]).tolist()) == list(range(n))
    assert max(sizes) - min(sizes) <= 1
    assert min(sizes) >= 2
    assert max(sizes) <= size + 1


def test_evaluation_mixes_classes_of_a_sorted_file() -> None:
    for plan in LabelBatches(np.repeat(np.arange(4), 50), 50).evaluation_plans():
        assert plan.labels is not None
        assert len(np.unique(plan.labels)) == 4


def test_unknown_rows_are_never_drawn() -> None:
    batches = LabelBatches(LABELS, 3)
    assert batches.rows.tolist() == [0, 2, 3, 4, 6, 7, 8, 9]
    for plan in [*epoch(batches), *batches.evaluation_plans()]:
        assert (LABELS[plan.rows] >= 0).all()


@pytest.mark.parametrize(
    ("labels", "size", "error", "words"),
    [
        (LABELS, 1, InputError, "batch_size must be an int >= 2, got 1"),
        (LABELS, 2.0, InputTypeError, "batch_size must be an int >= 2, got 2.0"),
        ([0, -1, -1], 2, InputError, r"at least 2 known codes .*; 1 of 3 are known"),
        ([0.0, 1.0], 2, InputError, "labels must be a 1-D array of integer codes .* got 1-D of float64"),
        ([[0], [1]], 2, InputError, "got 2-D of int64"),
    ],
)
def test_label_batches_refuse(labels: Any, size: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        LabelBatches(labels, size)


# ------------------------------------------------------------------ pairs


@given(st.integers(1, 40), st.integers(1, 12), st.booleans())
def test_pair_batches_hold_each_pair_once_with_both_ends(m: int, size: int, drop_last: bool) -> None:
    pairs = pairs_of(30, m)
    known = dict(zip(zip(pairs.i.tolist(), pairs.j.tolist(), strict=True), pairs.same.tolist(), strict=True))
    batches = PairBatches(pairs, size, drop_last=drop_last)
    chunks = [pairs_in(plan) for plan in epoch(batches, 3)]
    together = {pair: kind for chunk in chunks for pair, kind in chunk.items()}
    assert sum(map(len, chunks)) == len(together)
    assert together.items() <= known.items()
    if drop_last and m >= size:
        assert [len(chunk) for chunk in chunks] == [size] * (m // size)
    else:
        assert together == known
        assert all(len(chunk) == size for chunk in chunks[:-1])
    shown = [pairs_in(plan) for plan in batches.evaluation_plans()]
    assert {pair: kind for chunk in shown for pair, kind in chunk.items()} == known
    assert sum(map(len, shown)) == m
    assert max(map(len, shown)) - min(map(len, shown)) <= 1


def test_pair_plans_hold_no_other_row_and_no_labels() -> None:
    for plan in epoch(PairBatches(pairs_of(), 4)):
        assert sorted(plan.rows.tolist()) == sorted({row for pair in pairs_in(plan) for row in pair})
        assert plan.labels is None


def test_rows_of_a_pair_batch_are_not_sorted() -> None:
    rows = PairBatches(pairs_of(100, 60), 60).plan(0, 0, 0).rows
    assert any(a > b for a, b in pairwise(rows.tolist()))


def test_labelled_rows_cycle_independently_of_the_pairs() -> None:
    labels = np.r_[np.full(20, -1), np.arange(11)]
    batches = PairBatches(Pairs([0, 2], [1, 3], [1, -1]), 4, labels=labels)
    assert batches.n_steps == 1
    drawn = [batches.plan(0, e, 0).rows[4:] for e in range(6)]
    assert [len(rows) for rows in drawn] == [4, 4, 3, 4, 4, 3]
    for turn in (drawn[:3], drawn[3:]):
        assert sorted(np.concatenate(turn).tolist()) == list(range(20, 31))
    assert np.concatenate(drawn[:3]).tolist() != np.concatenate(drawn[3:]).tolist()


def test_labels_are_given_for_every_row_of_the_batch() -> None:
    for plan in [*epoch(samplers()[2]), *samplers()[2].evaluation_plans()]:
        np.testing.assert_array_equal(plan.labels, LABELS[plan.rows])
        assert plan.labels is not None
        assert (plan.labels >= 0).any()


@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 9))
def test_evaluation_leaves_no_plan_without_pairs_or_labels(m: int, n_labelled: int, size: int) -> None:
    labels = np.r_[np.full(30, -1), np.zeros(n_labelled, dtype=int)]
    plans = list(PairBatches(pairs_of(30, m), size, labels=labels).evaluation_plans())
    assert len(plans) == -(-max(m, n_labelled) // size)
    seen = np.concatenate([plan.rows[plan.rows >= 30] for plan in plans])
    assert set(seen.tolist()) == set(range(30, 30 + n_labelled))
    assert len({pair for plan in plans for pair in pairs_in(plan)}) == m
    for plan in plans:
        assert pairs_in(plan)
        assert (plan.rows >= 30).any()


@pytest.mark.parametrize(
    ("size", "labels", "error", "words"),
    [
        (0, None, InputError, "batch_pairs must be an int >= 1, got 0"),
        (True, None, InputTypeError, "batch_pairs must be an int >= 1, got True"),
        (4, np.zeros(3, dtype=int), InputError, r"rows 0\.\.2 of 3 samples; pair"),
        (4, np.full(30, -1), InputError, r"at least one known code \(0 or above\); all are unknown"),
        (4, np.zeros((30, 1), dtype=int), InputError, "labels must be a 1-D array"),
    ],
)
def test_pair_batches_refuse(size: Any, labels: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        PairBatches(pairs_of(), size, labels=labels)


@given(n=st.integers(2, 40), size=st.integers(2, 15))
def test_row_batches_draw_whole_batches_of_distinct_rows(n: int, size: int) -> None:
    sampler = RowBatches(n, size)
    plans = epoch(sampler)
    drawn = np.concatenate([plan.rows for plan in plans])
    assert len(np.unique(drawn)) == len(drawn)
    assert {len(plan.rows) for plan in plans} == {min(n, size)}
    assert sampler.n_steps == max(1, n // size)
    evaluated = [plan.rows for plan in sampler.evaluation_plans()]
    assert sorted(np.concatenate(evaluated).tolist()) == list(range(n))
    assert max(map(len, evaluated)) - min(map(len, evaluated)) <= 1
    assert all(plan.same is None and plan.labels is None for plan in plans)


def test_pairs_cycle_independently_of_the_rows() -> None:
    pairs = pairs_of(30, 50)
    sampler = RowBatches(30, 10, pairs=pairs, batch_pairs=8)
    seen: dict[tuple[int, int], int] = {}
    steps = [sampler.plan(0, number // 3, number % 3) for number in range(7)]
    for plan in steps:
        assert len(plan.rows) == len(np.unique(plan.rows)) >= 10
        assert plan.n_drawn == 10
        seen |= pairs_in(plan)
    drawn = [plan.rows[:10] for plan in steps[:3]]
    assert set(np.concatenate(drawn)) == set(range(30))  # an epoch of rows, whatever the pairs
    assert len(seen) == pairs.n_pairs  # 7 chunks of 8 are one round
    assert [len(pairs_in(plan)) for plan in steps] == [8] * 6 + [2]


@pytest.mark.parametrize("m", [3, 50])
def test_evaluation_of_rows_holds_every_row_and_every_pair(m: int) -> None:
    pairs = pairs_of(30, m)
    plans = list(RowBatches(30, 7, pairs=pairs, batch_pairs=8).evaluation_plans())
    assert {int(row) for plan in plans for row in plan.rows} == set(range(30))
    found: dict[tuple[int, int], int] = {}
    for plan in plans:
        assert pairs_in(plan)
        found |= pairs_in(plan)
    assert len(found) == m


@pytest.mark.parametrize(
    ("n", "size", "chunk", "words"),
    [(1, 4, 1, "n_rows must be"), (9, 1, 1, "batch_size must be"), (9, 4, 0, "batch_pairs must be")],
)
def test_row_batches_refuse(n: int, size: int, chunk: int, words: str) -> None:
    with pytest.raises(InputError, match=words):
        RowBatches(n, size, batch_pairs=chunk)


def test_class_batches_hold_some_rows_of_some_classes() -> None:
    labels = np.repeat([4, -1, 0, 2, 7], [9, 5, 9, 9, 9])
    batches = ClassBatches(labels, classes_per_batch=3, samples_per_class=4)
    assert batches.n_steps == 3
    drawn = []
    for plan in epoch(batches) + epoch(batches, number=1):
        assert plan.labels is not None
        np.testing.assert_array_equal(plan.labels, labels[plan.rows])
        codes, counts = np.unique(plan.labels, return_counts=True)
        assert (counts == 4).all()
        assert len(np.unique(plan.rows)) == len(plan.rows)
        drawn += codes.tolist()
    # classes in turn: none is far behind
    assert min(np.unique(drawn, return_counts=True)[1]) >= 3
    assert set(drawn) == {0, 2, 4, 7}


def test_class_batches_evaluate_every_row_once() -> None:
    labels = np.repeat(np.arange(7), [9, 2, 1, 3, 8, 5, 5])
    batches = ClassBatches(labels, classes_per_batch=3, samples_per_class=4)
    rows = np.concatenate([plan.rows for plan in batches.evaluation_plans()])
    np.testing.assert_array_equal(np.sort(rows), np.arange(len(labels)))


def test_class_batches_take_what_small_classes_have() -> None:
    plan = ClassBatches(np.array([0, 0, 0, 1]), classes_per_batch=20, samples_per_class=2).plan(0, 0, 0)
    assert plan.labels is not None
    assert sorted(plan.labels.tolist()) == [0, 0, 1]


@pytest.mark.parametrize(
    ("labels", "message"), [([0, 0, -1], "got 1 classes of 2"), ([0, 1, 2], "got 3 classes of 3")]
)
def test_class_batches_refuse_labels_without_both_kinds_of_pairs(labels: list[int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ClassBatches(labels, 2, 2)
    with pytest.raises(InputError, match="samples_per_class"):
        ClassBatches([0, 0, 1], 2, 1)


def test_classes_of_a_batch_are_of_one_group() -> None:
    labels = np.repeat(np.arange(9), 4)
    of_class = np.array([5, 5, 5, 5, 5, 5, 2, 2, 0])
    batches = ClassBatches(labels, 3, 2, groups=of_class[labels])
    drawn = [of_class[plan.labels] for number in range(20) for plan in epoch(batches, number=number)]
    assert all(len(set(groups.tolist())) == 1 for groups in drawn)
    assert {len(groups) for groups in drawn} == {6, 4}
    # two groups, of six classes and two; that of one class is left out
    assert np.mean([groups[0] == 5 for groups in drawn]) == pytest.approx(0.75, abs=0.15)
    whole = list(batches.evaluation_plans())
    assert sorted(np.concatenate([plan.rows for plan in whole]).tolist()) == list(range(32))
    assert all(len(np.unique(of_class[plan.labels])) == 1 for plan in whole)
    with pytest.raises(InputError, match="got 0 classes"):
        ClassBatches(labels, 3, 2, groups=labels)
