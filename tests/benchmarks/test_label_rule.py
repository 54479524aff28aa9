"""The record of the rule of `coterie label`: what is asked, and what the table says of both arms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from benchmarks.record import read_all
from benchmarks.suites.label_rule import answered
from benchmarks.tables import table
from sklearn.datasets import make_blobs

from benchmarks import run
from coterie.methods.labeling_session import LabelingSession
from coterie.methods.pools import near_samples


@pytest.mark.filterwarnings("ignore::coterie.CollapseWarning")  # so few steps leave clusters empty
@pytest.mark.usefixtures("few_digits")
def test_one_draw_in_few_steps(tmp_path: Path) -> None:
    words = ["label-rule", "--quick", "--draws", "0", "--sizes", "5,25", "--set", "max_steps=3"]
    assert run.main([*words, "--out", str(tmp_path)]) == 0
    records = {one["method"]: one for one in read_all(tmp_path)}
    assert records.keys() == {"ccn-kcl", "ddc", "adc"}
    for one in records.values():
        metrics = one["metrics"]
        assert {f"{arm}_error_{budget}" for arm in ("rule", "random") for budget in (5, 25)} <= metrics.keys()
        assert all(0 <= value <= 1 for name, value in metrics.items() if "error" in name)
        assert metrics["rule_pairs_25"] > metrics["rule_pairs_5"] > 5
    record = records["ccn-kcl"]
    other = record | {"draw": 1, "metrics": dict(metrics, rule_error_25=0.2, random_error_25=0.4)}
    first = record | {"metrics": dict(metrics, rule_error_25=0.1, random_error_25=0.6)}
    heads, _, row = table("label-rule", [first, other])
    cells = dict(zip(heads.split(" | "), row.split(" | "), strict=True))
    assert cells["25 ratio"] == "0.30"
    assert "100 ratio" not in cells


def test_answers_end_where_nothing_is_left_to_ask() -> None:
    X, y = make_blobs(12, centers=3, random_state=0)
    found = answered(LabelingSession(np.full((12, 3), 1 / 3), near_samples(X)), y, (4, 200))
    assert found[4].n_pairs == 3  # one was asked again
    assert found[200].n_pairs < 66
    assert found[200].closure().n_pairs == 66
    np.testing.assert_array_equal(found[200].same == 1, y[found[200].i] == y[found[200].j])
