"""Put trained weights for tables into the package: ``python -m benchmarks.ship_tables FOLDER``.

FOLDER is that of `benchmarks.train_tables`. Of several folders, whose runs continue each other, the mean of
the weights with the given shares is taken: ``FOLDER FOLDER --shares 0.7 0.3``. The estimator is scored on the
37 development sets as its callers will use it; the weights are shipped only if the mean ARI is above that of
the model in the package.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.metrics import adjusted_rand_score
from torch import Tensor

import coterie
from benchmarks import record, table_sets
from benchmarks.suites.l2c_tables import calibration_error
from benchmarks.train_points2d import PACKAGE
from coterie import L2C
from coterie.data.arrays import Scaling
from coterie.data.priors import synthetic_tables
from coterie.engine.storage import read_tensors, write_tensors
from coterie.methods.table_rows import WIDTH, choose_count
from coterie.nn.set_network import build_set_network

NAME = "tables"
SYNTHETIC_SEED = 999
MAX_SET_SIZE = 1000


def mean_weights(runs: list[Path], shares: list[float]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The mean of the weights of runs that continue each other, and what is known of the first run."""
    states, metas = zip(*(read_tensors(run / "weights.safetensors", "weights") for run in runs), strict=True)
    total = sum(shares)
    parts = list(zip(states, shares, strict=True))
    return {
        name: sum((state[name] * (share / total) for state, share in parts), torch.zeros_like(first))
        for name, first in states[0].items()
    }, metas[0]


def make_model(state: dict[str, Tensor], meta: dict[str, Any]) -> L2C:
    """A fitted estimator around trained weights."""
    max_clusters = int(state["clusterer.count.2.bias"].shape[0])
    model = L2C(max_clusters=max_clusters, network="table", scale=False, max_set_size=MAX_SET_SIZE)
    model.sample_shape_, model.n_features_in_ = (WIDTH,), WIDTH
    model.modality_, model.table_steps_, model.encoder_ = "table", None, None
    model.max_pixels_ = None
    model.scaling_ = Scaling(np.zeros(()), np.asarray(1.0))
    model.loss_, model.history_, model.runs_ = float(meta["loss"]), [], []
    network = build_set_network("auto", (WIDTH,), max_clusters, seed=0, kind="table")
    network.load_state_dict(state)
    model.network_ = network.eval()
    return model


def describe(model: L2C) -> dict[str, Any]:
    """Scores on the development sets, and the seconds that 1,000 rows take."""
    found = table_sets.score(table_sets.model_clusterer(model))
    rows = np.random.default_rng(0).normal(size=(1000, 16))
    start = time.perf_counter()
    model.predict_all(rows)
    return {
        "ari": round(float(np.mean([one["ari"] for one in found])), 4),
        "told_k": round(float(np.mean([one["told"] for one in found])), 4),
        "seconds_1000_rows": round(time.perf_counter() - start, 2),
        "sets": {one["name"]: round(one["ari"], 3) for one in found},
    }


def describe_synthetic(model: L2C, n_tables: int = 300) -> dict[str, float]:
    """Mean ARI, share of right counts and calibration error on fresh tables of the prior."""
    rng = np.random.default_rng(SYNTHETIC_SEED)
    scores, right, sure = [], [], []
    for _ in range(n_tables):
        (table,) = synthetic_tables(1, 250, n_columns=(1, 40), n_clusters=(1, 20), random_state=rng)
        count_proba, parts = model.predict_all(table.X)
        known, found = table.labels >= 0, parts[choose_count(count_proba) - 1].argmax(axis=1)
        scores.append(adjusted_rand_score(table.labels[known], found[known]))
        right.append(count_proba.argmax() == table.labels.max())
        sure.append(count_proba.max())
    means = {"ari": np.mean(scores), "right_counts": np.mean(right)}
    means["ece"] = calibration_error(np.array(sure), np.array(right))
    return {"tables": n_tables} | {name: round(float(value), 4) for name, value in means.items()}


def shipped_score(folder: Path) -> float:
    """Mean ARI of the model in the package; 0 if there is none."""
    file = folder / f"{NAME}.json"
    return float(json.loads(file.read_text(encoding="utf-8"))["development"]["ari"]) if file.exists() else 0.0


def ship(model: L2C, scores: dict[str, Any], folder: Path = PACKAGE) -> bool:
    """Write the model and its record into the package if it scores higher than the one there."""
    if scores["development"]["ari"] <= shipped_score(folder):
        return False
    coterie.save(model, folder / f"{NAME}.safetensors")
    (folder / f"{NAME}.json").write_text(json.dumps(scores, indent=2) + "\n", encoding="utf-8")
    return True


def unpack(run: Path, folder: Path = PACKAGE) -> None:
    """Write the weights and the stages of the model in the package as a run that training can start from."""
    scores = json.loads((folder / f"{NAME}.json").read_text(encoding="utf-8"))
    state = coterie.load(folder / f"{NAME}.safetensors").network_.state_dict()
    run.mkdir(parents=True, exist_ok=True)
    write_tensors(run / "weights.safetensors", "weights", state, scores["stages"][-1])
    (run / "stages.json").write_text(json.dumps(scores["stages"], indent=2), encoding="utf-8")


def main() -> None:
    """Score the weights of a run and ship them if they are better."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ship_tables", description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path, metavar="FOLDER", help="of benchmarks.train_tables")
    parser.add_argument("--shares", nargs="+", type=float, help="of the folders in the mean (default: equal)")
    parser.add_argument("--unpack", action="store_true", help="write the model in the package to the folder")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.unpack:
        unpack(options.runs[0])
        return
    shares = options.shares or [1.0] * len(options.runs)
    model = make_model(*mean_weights(options.runs, shares))
    scores = {
        "stages": json.loads((options.runs[0] / "stages.json").read_text(encoding="utf-8")),
        "mean_of": {run.name: share for run, share in zip(options.runs, shares, strict=True)},
        "data": "coterie.data.priors; no table is seen twice",
        "tuned_on": "the synthetic prior and the 37 development sets",
        "development": describe(model),
        "synthetic": describe_synthetic(model),
        **record.surroundings(),
    }
    print(json.dumps(scores | {"shipped": ship(model, scores)}), flush=True)


if __name__ == "__main__":
    main()
