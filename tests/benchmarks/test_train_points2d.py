"""Training of the models for points: its sets are a function of the seed, and a model can be shipped."""

from __future__ import annotations

import argparse
import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import coterie
from benchmarks import train_points2d as training
from coterie import L2C


def options(out: Path, *words: str) -> argparse.Namespace:
    return training.make_parser().parse_args(["--out", str(out), "--sets", "7", *words])


def test_sets_are_a_function_of_the_seed(tmp_path: Path) -> None:
    chosen = options(tmp_path, "--samples", "20", "40")
    first, again = training.draw_sets(chosen), training.draw_sets(chosen)
    assert [len(points) for points, _ in first] == [20] * 4 + [40] * 3
    assert all(np.array_equal(one[0], other[0]) for one, other in zip(first, again, strict=True))
    (other, _), *_ = training.draw_sets(options(tmp_path, "--samples", "20", "--seed", "1"))
    assert not np.array_equal(first[0][0], other)


def test_a_model_is_trained_further_validated_and_shipped(tmp_path: Path) -> None:
    chosen = options(tmp_path, "--samples", "20", "--batch-size", "4", "--init", "points2d", "--sets", "8")
    model = training.train(chosen)
    assert model.history_[-1]["step"] == 2
    scores = training.validate(model, 72, 360)
    assert scores["sets"] == 5
    assert scores["nmi"] > 0.5
    training.ship(model, {"validation": scores}, "points2d", tmp_path)
    shipped = coterie.load(tmp_path / "points2d.safetensors")
    assert isinstance(shipped, L2C)
    assert shipped.checkpoint_dir is None
    assert json.loads((tmp_path / "points2d.json").read_text())["validation"] == scores


def test_a_worse_model_is_not_shipped() -> None:
    metadata = {"init": {"validation": [{"nmi": 0.9}, {"nmi": 0.8}]}}
    assert training.is_better(metadata | {"validation": [{"nmi": 0.9}, {"nmi": 0.81}]})
    assert not training.is_better(metadata | {"validation": [{"nmi": 0.95}, {"nmi": 0.79}]})
    assert training.is_better({"init": None, "validation": [{"nmi": 0.1}]})


def test_the_start_is_described(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "validate", partial(training.validate, n_samples=200))
    told = training.describe_start("points2d", [10])
    assert told["processor_seconds"] > 0
    assert told["validation"][0]["samples"] == 10
    assert "train_points2d" in told["command"]
