"""The rules that the suite `ask` compares, and its records."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from benchmarks.asking_rules import RULES, SpentError, Start, Teller
from benchmarks.record import read_all
from benchmarks.suites.ask import begin
from sklearn.datasets import make_blobs

from benchmarks import run

X, Y = make_blobs(60, 3, centers=3, random_state=0)


@pytest.mark.parametrize("name", RULES)
def test_rules_spend_what_they_have_on_pairs_of_samples(name: str) -> None:
    teller = Teller(Y, 30, 0.0, np.random.default_rng(0))
    start = begin(X, 3, 0)
    try:
        RULES[name](start, teller)
    except SpentError:
        assert len(teller.given) == 30
    asked = [pairs[0] for pairs in teller.given]
    assert 0 < len(asked) <= 30
    assert all(i != j and same == (Y[i] == Y[j]) for i, j, same in asked)


def test_cobras_finds_what_is_apart() -> None:
    teller = Teller(Y, 60, 0.0, np.random.default_rng(0))
    with pytest.raises(SpentError):
        RULES["cobras"](Start(X, np.full((60, 3), 1 / 3)), teller)
    _, labels = teller.clusterings[-1]
    assert all(len(np.unique(Y[labels == one])) == 1 for one in np.unique(labels))


def test_one_draw_of_few_answers(tmp_path: Path) -> None:
    words = ["ask", "--quick", "--draws", "0", "--data", "digits", "--methods", "coterie,cobras,random"]
    assert run.main([*words, "--only", "wrong10", "--out", str(tmp_path)]) == 0
    records = {one["method"]: one["metrics"] for one in read_all(tmp_path)}
    assert records.keys() == {"coterie", "cobras", "random"}
    assert all(0 <= one["error_5"] <= 1 and 0 <= one["error_10"] <= 1 for one in records.values())
    assert 0 <= records["coterie"]["estimate_off"] <= 1
