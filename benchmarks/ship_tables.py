"""Put trained weights for tables into the package: ``python -m benchmarks.ship_tables FOLDER``.

FOLDER is that of `benchmarks.train_tables`. The estimator is scored on the 37 development sets as its callers
will use it; the weights are shipped only if the mean ARI is above that of the model in the package.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

import coterie
from benchmarks import record, table_sets
from benchmarks.train_points2d import PACKAGE
from coterie import L2C
from coterie.data.arrays import Scaling
from coterie.engine.storage import read_tensors
from coterie.methods.table_rows import WIDTH
from coterie.nn.set_network import build_set_network

NAME = "tables"
ONE_PASS = 2000


def make_model(weights: Path) -> L2C:
    """A fitted estimator around trained weights."""
    state, meta = read_tensors(weights, "weights")
    max_clusters = int(state["clusterer.count.2.bias"].shape[0])
    model = L2C(max_clusters=max_clusters, network="table", scale=False, one_pass=ONE_PASS)
    model.item_shape_, model.n_features_in_ = (WIDTH,), WIDTH
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


def shipped_score(folder: Path) -> float:
    """Mean ARI of the model in the package; 0 if there is none."""
    file = folder / f"{NAME}.json"
    return float(json.loads(file.read_text(encoding="utf-8"))["development"]["ari"]) if file.exists() else 0.0


def ship(model: L2C, facts: dict[str, Any], folder: Path = PACKAGE) -> bool:
    """Write the model and its record into the package if it scores higher than the one there."""
    if facts["development"]["ari"] <= shipped_score(folder):
        return False
    coterie.save(model, folder / f"{NAME}.safetensors")
    (folder / f"{NAME}.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    return True


def main() -> None:
    """Score the weights of a run and ship them if they are better."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ship_tables", description=__doc__)
    parser.add_argument("run", type=Path, help="folder of benchmarks.train_tables")
    folder = parser.parse_args().run
    torch.set_num_threads(1)
    model = make_model(folder / "weights.safetensors")
    facts = {
        "stages": json.loads((folder / "stages.json").read_text(encoding="utf-8")),
        "data": "coterie.data.priors; no table is seen twice",
        "tuned_on": "the synthetic prior and the 37 development sets",
        "development": describe(model),
        **record.surroundings(),
    }
    print(json.dumps(facts | {"shipped": ship(model, facts)}), flush=True)


if __name__ == "__main__":
    main()
