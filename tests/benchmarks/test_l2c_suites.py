"""The suites of L2C run end to end on a few sets."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks.datasets import DataMissingError
from benchmarks.suites import l2c_images
from benchmarks.suites.base import Options

from benchmarks import record, run, tables


def test_sets_of_points(tmp_path: Path) -> None:
    assert run.main(["l2c", "--quick", "--only", "n72", "--draws", "3", "--out", str(tmp_path)]) == 0
    records = record.read_all(tmp_path)
    assert {found["method"] for found in records} == {"l2c", "kmeans", "dbscan", "hdbscan", "spectral"}
    scores = {found["method"]: found["metrics"]["test_nmi_geometric"] for found in records}
    assert scores["l2c"] > 0.8
    (ours,) = (found for found in records if found["method"] == "l2c")
    assert ours["metrics"]["nmi_change_by_order"] < 0.02
    assert ours["departures"]
    assert "NMI .993, MR .004" in tables.page(records)


def test_images_need_their_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COTERIE_DATA", raising=False)
    case = l2c_images.L2C_IMAGES.make_cases(Options(quick=True))[0]
    with pytest.raises(DataMissingError, match="COTERIE_DATA is not set"):
        l2c_images.run(case)
