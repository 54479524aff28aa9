"""Record fits to the last bit, to show that a change of the code changed no result.

``python -m benchmarks.same_fits record FILE`` before the change, ``... compare FILE`` after it, on the same
machine: other processors round in other ways.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits, make_blobs

from coterie import ADC, CCN, DDC, L2C, Pairs, SimilarityNetwork
from coterie.data.shapes2d import shapes2d

DIGITS = load_digits()
BLOBS = make_blobs(400, 12, centers=6, random_state=0)
PAIRS = Pairs.from_labels(DIGITS.target, 500, random_state=0)


def _digest(values: Any) -> str:
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()[:16]


def _found(model: Any, *outputs: Any) -> dict[str, Any]:
    weights = torch.cat([value.double().flatten() for value in model.network_.state_dict().values()])
    numbers = [value for entry in model.history_ for value in entry.values()]
    return {
        "outputs": [_digest(output) for output in outputs],
        "weights": _digest(weights.numpy()),
        "loss": float(model.loss_).hex(),
        "history": _digest(np.array(numbers, dtype=np.float64)),
        "restarts": [(entry["seed"], entry["loss"], entry["steps"]) for entry in model.runs_],
    }


def _clusterer(model: Any, X: Any, y: Any = None, **known: Any) -> dict[str, Any]:
    model.fit(X, y, **known)
    return _found(model, model.labels_, model.predict_proba(X), model.transform(X))


def _transfer() -> dict[str, Any]:
    known = DIGITS.target < 5
    network = SimilarityNetwork(max_steps=80, random_state=0).fit(DIGITS.images[known], DIGITS.target[known])
    model = CCN(n_clusters=12, over_clustering=True, n_restarts=2, max_steps=40, random_state=0)
    return _clusterer(model, DIGITS.images[~known], similarity=network)


def _similarity() -> dict[str, Any]:
    model = SimilarityNetwork(max_steps=80, random_state=0).fit(DIGITS.data, DIGITS.target)
    proba = model.predict_proba_pairs(DIGITS.data, [0, 0, 1], [10, 1, 2])
    return _found(model, proba, model.temperature_, model.threshold_)


def _sets(network: Any) -> dict[str, Any]:
    points, labels = shapes2d(24, 20, random_state=0)
    model = L2C(network=network, size="small", max_steps=12, set_size=20, random_state=0)
    model.fit_sets(list(zip(points, labels, strict=True)))
    return _found(model, *(model.predict_proba(one) for one in points[:3]))


def _groups() -> dict[str, Any]:
    model = L2C(max_clusters=4, size="small", max_steps=10, set_size=16, random_state=0)
    model.fit(DIGITS.data, DIGITS.target)
    return _found(model, model.predict_count_proba(DIGITS.data[:16]))


FITS: dict[str, Callable[[], dict[str, Any]]] = {
    "ccn-kcl-pairs": lambda: _clusterer(
        CCN(10, loss="kcl", n_restarts=2, max_steps=150, random_state=0), DIGITS.images, pairs=PAIRS
    ),
    "ccn-ccl-labels": lambda: _clusterer(
        CCN(10, n_restarts=2, max_steps=150, random_state=0), DIGITS.data, DIGITS.target
    ),
    "ccn-cross-entropy": lambda: _clusterer(
        CCN(10, cross_entropy_weight=1.0, n_restarts=1, max_steps=80, random_state=0),
        DIGITS.data,
        DIGITS.target,
        pairs=PAIRS,
    ),
    "ccn-transfer": _transfer,
    "ccn-auto": lambda: _clusterer(
        CCN("auto", n_restarts=1, max_steps=60, random_state=0), BLOBS[0], BLOBS[1]
    ),
    "ddc": lambda: _clusterer(DDC(10, n_restarts=8, max_steps=120, random_state=0), DIGITS.data),
    "ddc-vote": lambda: _clusterer(
        DDC(10, n_restarts=5, vote=3, max_steps=80, random_state=0), DIGITS.images
    ),
    "ddc-balance-pairs": lambda: _clusterer(
        DDC(10, n_restarts=2, balance=True, max_steps=80, random_state=0), DIGITS.data, pairs=PAIRS
    ),
    "adc-images": lambda: _clusterer(ADC(10, n_restarts=1, max_steps=60, random_state=0), DIGITS.images),
    "adc-pairs-code": lambda: _clusterer(
        ADC(10, n_restarts=2, preset="code", max_steps=60, random_state=0), DIGITS.data, pairs=PAIRS
    ),
    "similarity": _similarity,
    "l2c-groups": _groups,
    "l2c-sets": lambda: _sets("attention"),
    "l2c-sets-lstm": lambda: _sets("lstm"),
}


def _taken() -> dict[str, Any]:
    torch.set_num_threads(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        found = {name: fit() for name, fit in FITS.items()}
    plain: dict[str, Any] = json.loads(json.dumps(found))
    return plain


def main(words: list[str] | None = None) -> int:
    """Record the fits, or compare them with a record: 1 where one of them differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=("record", "compare"))
    parser.add_argument("file", type=Path)
    options = parser.parse_args(words)
    found = _taken()
    if options.action == "record":
        options.file.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        return 0
    before = json.loads(options.file.read_text(encoding="utf-8"))
    for name, one in found.items():
        parts = [part for part in one if one[part] != before[name][part]]
        print(f"{name:<20}{'the same' if not parts else 'differs: ' + ', '.join(parts)}")
    return int(found != before)


if __name__ == "__main__":
    sys.exit(main())
