"""The suite of files that come after the fit, on clouds in place of embedded data."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from benchmarks.suites import new_kinds
from benchmarks.suites.base import Case


def test_what_comes_later_is_split_from_what_is_clustered_first() -> None:
    y = np.repeat(np.arange(20), 30)
    first, later, is_new = new_kinds.split(y, draw=0)
    assert sorted([*first, *later]) == list(range(600))
    assert len(np.unique(y[later][is_new])) == 2
    assert not set(y[later][is_new]) & set(y[first])
    assert 0.05 < (~is_new).sum() / 540 < 0.15


def test_new_kinds_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(10), 40)
    X: Any = np.abs(rng.normal(size=(10, 30)))[y] * 3 + 0.1 * rng.random((400, 30))
    monkeypatch.setattr(new_kinds, "vectors_of", lambda data, encoder: (X.astype(np.float32), y))
    case = Case("new-kinds", "self-distillation", "coil100", "", 1, {"parameters": {"max_steps": 20}})
    metrics = new_kinds.run(case).metrics
    assert metrics["new_kinds"] == 1
    assert metrics["new_clusters"] >= 1
    assert metrics["new_purity"] > 0.9
    assert metrics["old_joined"] > 0.9
