"""Train L2C's models for 2-D points: ``python -m benchmarks.train_points2d --out FOLDER``.

The sets are a function of the seed, and each is seen once. A run that was stopped goes on where it was when
the same command is given again; with ``--init points2d`` a model that was trained before is trained further,
and ``--ship`` puts it into the package only where no validation NMI is below that model's.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

import coterie
from benchmarks import record
from benchmarks.hardware import fast_precision
from coterie import L2C
from coterie.data.shapes2d import shapes2d
from coterie.methods.l2c import PRETRAINED
from coterie.metrics import misclassification_rate, nmi

PACKAGE = record.ROOT / "src" / "coterie" / "pretrained"
VALIDATION_SEED = 777
VALIDATION_ITEMS = 20_000  # in all sets of one size

Set = tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]


def make_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.train_points2d", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of checkpoint and model")
    parser.add_argument("--sets", type=int, default=54_400, help="training sets, of all sizes")
    parser.add_argument("--samples", type=int, nargs="+", default=[72], help="sizes of sets, in turn")
    parser.add_argument("--batch-size", type=int, default=16, help="sets of the smallest size in a step")
    parser.add_argument("--max-clusters", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--init", choices=PRETRAINED, help="a shipped model to start from")
    parser.add_argument("--validate", type=int, nargs="+", default=[72], help="sizes of validation sets")
    parser.add_argument("--ship", choices=PRETRAINED, help="put the model into the package under this name")
    return parser


def draw_sets(options: argparse.Namespace) -> list[Set]:
    """Training sets: a function of the seed, sizes and number."""
    sizes = options.samples
    found: list[Set] = []
    for number, n in enumerate(sizes):
        rng = np.random.default_rng([options.seed, number])
        n_sets = len(range(number, options.sets, len(sizes)))
        points, labels = shapes2d(n_sets, n, n_clusters=(1, options.max_clusters), random_state=rng)
        found += zip(points, labels, strict=True)
    return found


def train(options: argparse.Namespace) -> L2C:
    """One pass over the sets by the default preset."""
    model = L2C(
        max_clusters=options.max_clusters,
        batch_size=options.batch_size,
        max_epochs=1,
        scale=False,  # every set is centred and scaled by itself
        precision=fast_precision(),
        random_state=options.seed,
        checkpoint_dir=str(options.out / "checkpoint"),
        verbose=1,
    )
    if options.init:
        model.start_from(L2C.from_pretrained(options.init))
    return model.fit_sets(draw_sets(options))


def validate(model: L2C, n: int, n_samples: int = VALIDATION_ITEMS) -> dict[str, float]:
    """Mean NMI, misclassification rate and share of right counts; labels from the outputs alone."""
    n_sets = max(2, min(300, n_samples // n))
    points, labels = shapes2d(
        n_sets,
        n,
        n_clusters=(1, model.max_clusters),
        random_state=np.random.default_rng([VALIDATION_SEED, n]),
    )
    found = []
    for one, y in zip(points, labels, strict=True):
        count_proba, assignments = model.predict_all(one)
        k = int(count_proba.argmax()) + 1
        clusters = assignments[k - 1].argmax(axis=1)
        scores = nmi(y, clusters, average="geometric"), misclassification_rate(y, clusters)
        found.append((*scores, float(k == y.max() + 1)))
    means = np.mean(found, axis=0).round(4).tolist()
    return {"samples": n, "sets": n_sets} | dict(zip(("nmi", "mr", "right_counts"), means, strict=True))


def describe_start(name: str, sizes: list[int]) -> dict[str, Any]:
    """How a shipped model was made, from its first start on, and what it reaches on today's sets."""
    made = json.loads((PACKAGE / f"{name}.json").read_text(encoding="utf-8"))
    return {
        "command": made["command"],
        "revision": made["commit"]["revision"],
        "processor_seconds": made["processor_seconds"],
        "init": made["init"],
        "validation": [validate(L2C.from_pretrained(name), n) for n in sizes],
    }


def is_better(metadata: dict[str, Any]) -> bool:
    """Whether no validation NMI is below that of the model that training began with."""
    before = metadata["init"]["validation"] if metadata["init"] else metadata["validation"]
    return all(new["nmi"] >= old["nmi"] for new, old in zip(metadata["validation"], before, strict=True))


def ship(model: L2C, metadata: dict[str, Any], name: str, folder: Path = PACKAGE) -> None:
    """Write the model into the package, and beside it how it was made."""
    model.set_params(checkpoint_dir=None, verbose=0)
    coterie.save(model, folder / f"{name}.safetensors")
    (folder / f"{name}.json").write_text(json.dumps(metadata, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    """Train, validate, and ship where it is asked for."""
    options = make_parser().parse_args()
    torch.set_num_threads(1)
    start = time.process_time()
    model = train(options)
    seconds = time.process_time() - start
    metadata = {
        "command": shlex.join(["python", "-m", "benchmarks.train_points2d", *sys.argv[1:]]),
        "data": "coterie.data.shapes2d; no set is seen twice",
        "init": describe_start(options.init, options.validate) if options.init else None,
        "validation_seed": VALIDATION_SEED,
        "loss": model.loss_,
        "processor_seconds": round(seconds),
        "validation": [validate(model, n) for n in options.validate],
        **record.surroundings(),
    }
    print(json.dumps(metadata), flush=True)
    coterie.save(model, options.out / "model")
    if options.ship and is_better(metadata):
        ship(model, metadata, options.ship)


if __name__ == "__main__":
    main()
