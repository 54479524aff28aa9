"""One fit of ClustPy, run by `clustpy_environment.fit` in ClustPy's environment; the last line is JSON."""

from __future__ import annotations

import importlib
import json
import sys
from typing import Any

import numpy as np
import torch

from benchmarks.processes import spent

CLASSES = {"dec": "DEC", "idec": "IDEC", "dcn": "DCN", "acedec": "ACeDeC"}


def main(path: str, text: str) -> dict[str, Any]:
    """Fit what the JSON text asks for to the points of a file."""
    asked = json.loads(text)
    torch.set_num_threads(1)
    points = np.load(path)
    chosen = (
        {}
        if asked["epochs"] is None
        else dict.fromkeys(("pretrain_epochs", "clustering_epochs"), asked["epochs"])
    )
    deep = importlib.import_module("clustpy.deep")
    model = getattr(deep, CLASSES[asked["method"]])(
        n_clusters=asked["n_clusters"], random_state=asked["seed"], device=torch.device("cpu"), **chosen
    )
    with spent() as measured:
        model.fit(points)
    parameters = {name: str(value) for name, value in model.get_params().items()}
    return {"labels": np.asarray(model.labels_).tolist(), "parameters": parameters, **measured}


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
