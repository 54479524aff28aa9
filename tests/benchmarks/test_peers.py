"""The libraries that one would take instead, on the same rows and pairs."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks.suites import Case, Options, peers
from tests.benchmarks.quick import quick

from benchmarks import clustpy_environment, clustpy_fit, datasets, processes, record, run, tables
from coterie import Pairs

FAST = "k-means,hdbscan,spectral,gaussian-mixture,cop-means,pck-means,mpck-means,ccn"


@pytest.fixture(autouse=True)
def _fresh_rows() -> None:
    peers.read_rows.cache_clear()


@pytest.mark.filterwarnings("ignore::coterie.CollapseWarning")  # after a few steps
def test_peers_are_measured_on_the_same_rows(tmp_path: Path) -> None:
    found = {
        one["method"]: one
        for one in quick("peers", tmp_path, "--data", "digits", "--methods", FAST, "--set", "max_steps=2")
    }
    assert set(found) == set(FAST.split(","))
    for one in found.values():
        measured = one["metrics"]
        assert measured["rows"] == peers.QUICK_ROWS
        assert {"accuracy", "nmi", "ari", "wall_seconds", "processor_seconds", "peak_mib"} <= set(measured)
        assert one["resolved"]["parameters"]
        assert ("pairs_kept" in measured) == (one["variant"] == "n200")
    assert found["k-means"]["metrics"]["accuracy"] > 0.6
    assert found["cop-means"]["metrics"]["pairs_kept"] == 1
    assert found["mpck-means"]["metrics"]["pairs_kept"] > 0.9
    assert 0 < found["hdbscan"]["metrics"]["noise"] < 1
    page = tables.page(list(found.values()))
    assert all(f"| {method} |" in page for method in found)


def test_every_method_that_uses_pairs_gets_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Pairs] = []

    def keep(case: Case, rows: peers.Rows, pairs: Pairs) -> peers.Found:
        seen.append(pairs)
        return peers.Found(rows.y, {}, {})

    monkeypatch.setattr(peers, "_paired", keep)
    monkeypatch.setattr(peers, "_ours", keep)
    options = Options(draws=(3,), data="digits", quick=True, methods=peers.WITH_PAIRS)
    cases = peers.PEERS.make_cases(options)
    for case in cases:
        peers.run(case)
    assert len(seen) == len(peers.WITH_PAIRS)
    for pairs in seen:
        assert (pairs.i == seen[0].i).all()
        assert (pairs.j == seen[0].j).all()
        assert len({frozenset(pair) for pair in zip(pairs.i.tolist(), pairs.j.tolist(), strict=True)}) == 200


def test_methods_without_labels_are_given_none(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Pairs | None] = []

    def keep(case: Case, rows: peers.Rows, pairs: Pairs | None) -> peers.Found:
        given.append(pairs)
        return peers.Found(rows.y, {}, {})

    monkeypatch.setattr(peers, "_ours", keep)
    options = Options(draws=(3,), data="digits", quick=True, methods=("ddc", "adc"))
    for case in peers.PEERS.make_cases(options):
        peers.run(case)
    assert given == [None, None]


def test_a_clustering_that_is_not_found_is_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    points = np.eye(4, 2, dtype=np.float32)
    rows = peers.Rows(points, points, np.array([0, 1, 2, 2]))
    monkeypatch.setitem(peers.DATA, "digits", lambda: rows)
    case = Case("peers", "cop-means", "digits", "n6", 3, {"rows": None, "n_pairs": 6})
    monkeypatch.setattr(peers.Rows, "n_classes", 2)
    outcome = peers.run(case)
    assert outcome.metrics["failed"] == 1
    assert "out of all 2 clusters" in outcome.departures[0]


def test_without_its_environment_clustpy_is_skipped_and_the_others_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(clustpy_environment, "FOLDER", tmp_path / "nowhere")
    arguments = ["peers", "--quick", "--data", "digits", "--draws", "3", "--methods", "dec,k-means"]
    assert run.main([*arguments, "--out", str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert "skipped, data are missing: ClustPy's environment" in told
    assert clustpy_environment.MAKE in told
    assert [one["method"] for one in record.read_all(tmp_path)] == ["k-means"]


def test_data_that_are_missing_are_named_and_the_others_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(datasets.VARIABLE, str(tmp_path / "empty"))
    (tmp_path / "empty").mkdir()
    monkeypatch.setattr(peers, "DATA", {name: peers.DATA[name] for name in ("mnist10000", "digits")})
    arguments = ["peers", "--quick", "--draws", "3", "--methods", "k-means", "--out", str(tmp_path)]
    assert run.main(arguments) == 2
    told = capsys.readouterr().err
    assert f"{datasets.VARIABLE}={tmp_path / 'empty'}: there is no folder mnist in it" in told
    assert [one["data"] for one in record.read_all(tmp_path)] == ["digits"]


def python_that(does: str, folder: Path) -> None:
    (folder / "bin").mkdir(parents=True)
    script = folder / "bin" / "python"
    script.write_text(f"#!/bin/sh\n{does}\n")
    script.chmod(0o755)


def test_clustpy_runs_in_a_process_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clustpy_environment, "FOLDER", tmp_path / "made")
    python_that('echo epochs; echo \'{"labels": [0, 1], "parameters": {}}\'', tmp_path / "made")
    points = np.zeros((2, 3), np.float32)
    assert clustpy_environment.fit("dec", points, 2, 0, None) == {"labels": [0, 1], "parameters": {}}
    monkeypatch.setattr(clustpy_environment, "FOLDER", tmp_path / "broken")
    python_that("echo 'RuntimeError: no memory' >&2; exit 1", tmp_path / "broken")
    with pytest.raises(ValueError, match="ClustPy's dec failed: RuntimeError: no memory"):
        clustpy_environment.fit("dec", points, 2, 0, None)


def test_a_fit_of_clustpy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Deep:
        def __init__(self, **parameters: Any) -> None:
            self.parameters = parameters

        def fit(self, points: np.ndarray[Any, Any]) -> None:
            self.labels_ = (points[:, 0] > 0).astype(np.int32)

        def get_params(self) -> dict[str, Any]:
            return self.parameters

    module = types.ModuleType("clustpy.deep")
    vars(module).update(dict.fromkeys(clustpy_fit.CLASSES.values(), Deep))
    monkeypatch.setitem(sys.modules, "clustpy", types.ModuleType("clustpy"))
    monkeypatch.setitem(sys.modules, "clustpy.deep", module)
    np.save(tmp_path / "points.npy", np.array([[-1.0], [2.0]]))
    asked = '{"method": "%s", "n_clusters": 2, "seed": 5, "epochs": %s}'
    for method in clustpy_fit.CLASSES:
        found = clustpy_fit.main(str(tmp_path / "points.npy"), asked % (method, "3"))
        assert found["labels"] == [0, 1]
        assert found["parameters"]["random_state"] == "5"
        assert found["parameters"]["pretrain_epochs"] == found["parameters"]["clustering_epochs"] == "3"
        assert found["wall_seconds"] > 0
    usual = clustpy_fit.main(str(tmp_path / "points.npy"), asked % ("dec", "null"))
    assert "pretrain_epochs" not in usual["parameters"]


def test_what_a_block_adds_to_memory_is_measured() -> None:
    with processes.spent() as found:
        kept = np.ones(40 * 2**20 // 8)
    assert 35 < found["peak_mib"] < 60
    del kept
    with processes.spent() as found:
        pass
    assert found["peak_mib"] < 5
    assert found["wall_seconds"] >= 0
