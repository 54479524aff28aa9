"""The command line with a method that clusters whole new sets."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import coterie
from coterie.cli import demo_sets

Digits = Any
Call = Callable[..., tuple[int, str, str]]
Table = Callable[[str | Path], list[list[str]]]
QUICK = [
    "--method",
    "l2c",
    "--set-size",
    "20",
    "--batch-size",
    "4",
    "--max-steps",
    "3",
    "--random-state",
    "0",
]
FIT = ["fit", "x.npy", "--labels", "y.npy", "--out", "run", *QUICK]

pytestmark = pytest.mark.filterwarnings("ignore:max_clusters")


def test_fit_then_predict_a_new_set(folder: Path, call: Call, table: Table, digits: Digits) -> None:
    code, out, err = call(*FIT)
    assert code == 0, err
    assert "learned to cluster; loss " in out
    assert "coterie predict run DATA clusters a new set\nwrote run/" in out
    assert sorted(path.name for path in Path("run").iterdir()) == [
        "checkpoint",
        "history.csv",
        "model",
        "run.json",
    ]
    assert table("run/history.csv")[0][-4:] == ["count", "assignment", "pair", "loss"]

    np.save("new.npy", digits[0][:30])
    code, out, _ = call("predict", "run", "new.npy", "--out", "new.csv", "--json")
    assert code == 0
    model = coterie.load("run/model")
    assert isinstance(model, coterie.L2C)
    found = model.predict(digits[0][:30])
    assert [int(row[1]) for row in table("new.csv")[1:]] == found.tolist()
    assert json.loads(out)["sizes"] == np.bincount(found, minlength=5).tolist()
    assert call("predict", "run", "new.npy")[1] == Path("new.csv").read_text()


def test_a_set_is_not_clustered_in_chunks(
    folder: Path, call: Call, table: Table, digits: Digits, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert call(*FIT)[0] == 0
    monkeypatch.setattr("coterie.cli.labels_out._CHUNK", 7)
    assert call("predict", "run", "x.npy", "--out", "all.csv")[0] == 0
    model: Any = coterie.load("run/model")
    assert [int(row[1]) for row in table("all.csv")[1:]] == model.predict(digits[0]).tolist()


def test_options_and_results_of_a_fit(folder: Path, call: Call) -> None:
    code, out, _ = call(*FIT, "--n-clusters", "3", "--json")
    assert code == 0
    assert json.loads(out)["rows"] == 150
    assert coterie.load("run/model").get_params()["max_clusters"] == 3
    assert call(*FIT, "--max-clusters", "3", "--resume")[0] == 0
    assert call(*FIT[:4], "--out", "next", *QUICK, "--max-clusters", "3", "--init", "run")[0] == 0
    help_text = " ".join(call("fit", "--method", "l2c", "--help")[1].split())
    assert "--network {attention,lstm,table}" in help_text
    assert "--pair-weight X" in help_text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["fit", "x.npy", "--out", "new", *QUICK], "--method l2c requires one of --labels"),
        (
            ["fit", "x.npy", "--pairs", "pairs.csv", "--out", "new", *QUICK],
            "--method l2c does not accept --pairs",
        ),
        (["report", "run"], "RUN: run must hold a model with clusters, got a L2C"),
        (["predict", "run", "one.npy"], "n_samples=1 must be >= 2: a set needs two samples"),
        (["demo", "--method", "ddc"], "--method: invalid choice: 'ddc'"),
    ],
)
def test_bad_words(folder: Path, call: Call, digits: Digits, words: list[str], message: str) -> None:
    np.save("one.npy", digits[0][:1])
    assert call(*FIT)[0] == 0
    code, out, err = call(*words)
    assert (code, out) == (2, "")
    assert message in err


def test_methods_lists_it(call: Call) -> None:
    listed = {entry["name"]: entry for entry in json.loads(call("methods", "--json")[1])}
    assert listed["l2c"]["papers"] == ["arXiv:1807.04001"]


def test_the_demo(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_sets, "N_SETS", 10)
    code, out, err = call("demo", "--method", "l2c", "--random-state", "1")
    assert (code, err) == (0, "")
    rows = [line.split() for line in out.splitlines()[5:8]]
    assert [row[0] for row in rows] == ["L2C,", "k-means", "HDBSCAN"]
    assert float(rows[0][-4]) > 0.9
    assert "P(k) of a set of 5 clusters: 1: 0." in out
