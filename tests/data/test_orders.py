"""Shuffled orders: what is kept of them."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coterie.data import orders
from coterie.data.orders import Order, unique_in_order


def count_draws(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The seeds of all generators that are made from now on."""
    drawn: list[Any] = []
    make = np.random.default_rng

    def counted(seed: Any) -> np.random.Generator:
        drawn.append(seed)
        return make(seed)

    monkeypatch.setattr(np.random, "default_rng", counted)
    return drawn


def test_restarts_side_by_side_draw_each_epoch_once(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn, order = count_draws(monkeypatch), Order(60_000)
    for step in range(12):
        for seed in range(20):
            order(seed, step // 4)
    assert len(drawn) == 20 * 3


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orders, "KEPT_BYTES", 3 * 8 * 100)
    drawn, order = count_draws(monkeypatch), Order(100)
    for seed in (0, 1, 2, 0, 3, 1, 2, 0):
        order(seed, 0)
    # the oldest goes: 0 makes room for 3, and is drawn again in place of 1
    assert [seed for seed, _, _ in drawn] == [0, 1, 2, 3, 0]
    assert len(order._kept) == 3
    assert Order(10**9)._room == 1


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2)), max_size=30), st.integers(1, 40))
def test_an_order_depends_on_its_arguments_alone(asked: list[tuple[int, int]], n: int) -> None:
    order, room = Order(n, stream=1), 2
    order._room = room
    for seed, epoch in asked:
        np.testing.assert_array_equal(order(seed, epoch), Order(n, stream=1)(seed, epoch))
        assert len(order._kept) <= room
    assert copy.deepcopy(order)._kept == {}


@given(st.lists(st.integers(0, 12), max_size=30))
def test_unique_values_in_order_of_their_first_occurrence(values: list[int]) -> None:
    unique, places = unique_in_order(np.array(values, dtype=np.int64))
    assert unique.tolist() == list(dict.fromkeys(values))
    assert unique[places].tolist() == values
