"""Training of the model for tables: its batches are a function of the seed, it resumes, it can be shipped."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from benchmarks.suites.l2c_tables import calibration_error

from benchmarks import ship_tables, table_sets
from benchmarks import train_tables as training
from coterie import L2C
from coterie.data.priors import Table
from coterie.engine.storage import read_tensors
from coterie.methods.table_rows import WIDTH


def few(path: Path = Path()) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    labels = np.array([1, 2] * 20)
    X = (5 * labels[:, None] + rng.normal(size=(40, 3))).astype(np.float32)
    return {"two": (X, [labels, np.where(labels == 1, 0, 1)])}


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> argparse.Namespace:
    monkeypatch.setattr(table_sets, "read", few)
    monkeypatch.setattr(training, "ROWS", 60)
    monkeypatch.setattr(training, "EVALUATION_STEPS", 1)
    words = ["--out", str(tmp_path), "--steps", "2", "--every", "1", "--rows", "24", "30"]
    monkeypatch.setattr(sys, "argv", ["train_tables", *words, "--max-clusters", "3"])
    return training.make_parser().parse_args()


def test_batches_are_a_function_of_seed_and_step() -> None:
    batches = training.TableBatches([24, 30], 8, 4)
    first = batches.plan(0, 0, 0)
    items = batches.take(first.rows.reshape(-1))
    again = batches.plan(0, 0, 0)
    assert first.labels is not None
    assert again.labels is not None
    assert items.shape == (first.rows.size, WIDTH)
    assert torch.equal(batches.take(again.rows.reshape(-1)), items)
    assert np.array_equal(first.labels, again.labels)
    assert batches.plan(0, 0, 1).rows.shape[1] == 30
    assert len(list(batches.evaluation_plans())) == training.EVALUATION_STEPS


def test_outliers_go_to_the_nearest_cluster() -> None:
    table = Table(np.array([[0.0], [0.2], [5.0], [4.0]], dtype=np.float32), np.array([0, 0, 1, -1]))
    assert training.place_outliers(table).tolist() == [0, 0, 1, 1]


def test_a_run_is_trained_scored_and_shipped_once(options: argparse.Namespace, tmp_path: Path) -> None:
    training.main()
    scores = [json.loads(line) for line in (tmp_path / "scores.jsonl").read_text().splitlines()]
    assert [one["step"] for one in scores] == [1, 2]
    training.main()  # the checkpoint says that it is done
    assert len((tmp_path / "scores.jsonl").read_text().splitlines()) == 2
    (stage,) = json.loads((tmp_path / "stages.json").read_text())
    assert stage["step"] == 2
    assert "train_tables" in stage["command"]
    model = ship_tables.make_model(*ship_tables.mean_weights([tmp_path], [1.0]))
    metadata = {"development": {"ari": 0.5}, "stages": [stage]}
    assert ship_tables.ship(model, metadata, tmp_path)
    assert not ship_tables.ship(model, metadata, tmp_path)
    ship_tables.unpack(tmp_path / "again", tmp_path)
    assert json.loads((tmp_path / "again" / "stages.json").read_text()) == [stage]
    again = ship_tables.make_model(*ship_tables.mean_weights([tmp_path / "again", tmp_path], [0.5, 1.5]))
    assert np.array_equal(
        again.predict_count_proba(few()["two"][0]), model.predict_count_proba(few()["two"][0])
    )
    shipped = L2C(max_clusters=3, network="table", scale=False, max_set_size=ship_tables.MAX_SET_SIZE)
    assert model.get_params() == shipped.get_params()
    assert model.predict_count_proba(few()["two"][0]).shape == (3,)
    synthetic = ship_tables.describe_synthetic(model, 2)
    assert 0 <= synthetic["ece"] <= 1


def test_a_run_starts_from_another(options: argparse.Namespace, tmp_path: Path) -> None:
    training.main()
    options.init, options.out = tmp_path / "weights.safetensors", tmp_path / "next"
    network = training.make_task(options).make_network(1)
    given, _ = read_tensors(options.init, "weights")
    assert all(torch.equal(value, given[name]) for name, value in network.state_dict().items())
    assert len(training.Scores(options).before) == 1


def test_the_score_of_a_clusterer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_sets, "read", few)
    truth = few()["two"][1][0]
    (one,) = table_sets.score(lambda X, counts: (truth, [truth for _ in counts]))
    assert one == {"name": "two", "ari": 1.0, "told": 1.0, "found": 2, "counts": [2, 1]}
    (one,) = table_sets.score(lambda X, counts: (0 * truth, [0 * truth for _ in counts]))
    assert one["ari"] == 1.0  # the second labelling has one cluster


def test_calibration_error_of_sure_and_of_wrong_answers() -> None:
    sure = np.array([1.0, 1.0, 0.55, 0.55])
    assert calibration_error(sure, np.array([True, True, True, False])) == pytest.approx(0.025)
    assert calibration_error(sure, np.zeros(4, dtype=bool)) == pytest.approx(0.775)
