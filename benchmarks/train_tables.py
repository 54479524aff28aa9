"""Train L2C's model for tables: ``python -m benchmarks.train_tables --out FOLDER``.

Every step draws fresh tables from the prior, as a function of the seed and the step, so no table is seen
twice. A stopped run continues from its last checkpoint when the same command is given again. ``--init FILE``
starts from the weights of an earlier run. Every ``--every`` steps the weights go to
``FOLDER/weights.safetensors`` and the scores on the development sets to ``FOLDER/scores.jsonl``.
``python -m benchmarks.ship_tables FOLDER`` puts the weights into the package.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from benchmarks import record, table_sets
from benchmarks.hardware import fast_precision
from coterie._types import BatchPlan, Rows
from coterie.data.priors import Table, synthetic_tables
from coterie.data.priors.tables import ROWS_OF_A_CLUSTER
from coterie.data.sets import SetBatches, same_prior
from coterie.engine.checkpoint import Checkpointer
from coterie.engine.loop import Run
from coterie.engine.recipe import Recipe
from coterie.engine.restarts import run_session
from coterie.engine.runtime import make_runtime
from coterie.engine.storage import read_tensors, write_tensors
from coterie.engine.task import Task
from coterie.engine.training import Session
from coterie.methods.l2c import L2CObjective
from coterie.methods.table_rows import WIDTH, table_rows
from coterie.nn.set_network import ItemVectors, SetNetwork
from coterie.nn.set_table import TableAttention

ROWS = 1400  # rows in a step, of tables of one size
EVALUATION_STEPS = 8


def make_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.train_tables", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of checkpoint, weights and scores")
    parser.add_argument("--steps", type=int, default=8000)
    parser.add_argument("--rows", type=int, nargs="+", default=[64, 120, 200, 320], help="sizes of tables")
    parser.add_argument("--columns", type=int, default=16, help="largest number of columns")
    parser.add_argument("--max-clusters", type=int, default=20)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--init", type=Path, help="weights to start from")
    parser.add_argument("--every", type=int, default=500, help="steps between two evaluations")
    return parser


class TableBatches:
    """Batches of fresh tables: the sampler and the source of a run at once.

    Parameters
    ----------
    sizes : list of int
        Rows of tables, in turn.
    n_columns, max_clusters : int
        The most of each.
    n_steps : int
        Steps that count as an epoch.
    """

    def __init__(self, sizes: list[int], n_columns: int, max_clusters: int, n_steps: int = 100) -> None:
        self.sizes, self.n_columns, self.max_clusters, self._steps = sizes, n_columns, max_clusters, n_steps
        self._items = torch.empty(0)

    def __len__(self) -> int:
        return ROWS

    @property
    def n_steps(self) -> int:
        """Steps in one epoch."""
        return self._steps

    @property
    def same_prior(self) -> float:
        """Expected share of same pairs."""
        return same_prior(tuple(range(1, self.max_clusters + 1)), max(self.sizes))

    def plan(self, seed: int, epoch: int, step: int) -> BatchPlan:
        """Labels of the tables of one step, which `take` then gives."""
        return self._plan(np.random.default_rng([seed, epoch, step]), self.sizes[step % len(self.sizes)])

    def evaluation_plans(self) -> Iterator[BatchPlan]:
        """Yield the same tables at every call."""
        rng = np.random.default_rng(0)
        for number in range(EVALUATION_STEPS):
            yield self._plan(rng, self.sizes[number % len(self.sizes)])

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the tables planned last, without their number."""
        return tuple(self._items.shape[1:])

    reads_ahead = False

    def expect(self, rows: Rows) -> None:
        """The tables are there."""

    def take(self, rows: Rows) -> Tensor:
        """The tables planned last."""
        return self._items[torch.from_numpy(rows)]

    def _plan(self, rng: np.random.Generator, n: int) -> BatchPlan:
        n_tables = max(2, ROWS // n)
        most = min(self.max_clusters, n // ROWS_OF_A_CLUSTER)
        tables = synthetic_tables(
            n_tables, n, n_columns=(1, self.n_columns), n_clusters=(1, most), random_state=rng
        )
        self._items = torch.from_numpy(np.concatenate([fill(table.X) for table in tables]))
        labels = np.stack([place_outliers(table) for table in tables])
        return BatchPlan(np.arange(n_tables * n).reshape(n_tables, n), labels=labels)


def fill(X: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """A table with constant columns up to `WIDTH`, or as callers' wider tables arrive."""
    return table_rows(X) if X.shape[1] > WIDTH else np.pad(X, ((0, 0), (0, WIDTH - X.shape[1])))


def place_outliers(table: Table) -> npt.NDArray[np.int64]:
    """Labels in which an outlier belongs to the cluster of the nearest row that is none."""
    outliers = table.labels < 0
    labels = table.labels.copy()
    if outliers.any():
        nearest = cKDTree(table.X[~outliers]).query(table.X[outliers])[1]
        labels[outliers] = table.labels[~outliers][nearest]
    return labels


def make_task(options: argparse.Namespace) -> Task:
    """The network, the objective and the recipe of a run."""
    batches = TableBatches(options.rows, options.columns, options.max_clusters)
    recipe = Recipe(
        "adam",
        learning_rate=options.learning_rate,
        batch_size=1,
        max_epochs=1,
        max_steps=options.steps,
        drops=(0.5, 0.75, 0.9),
        drop_factor=0.3,
        warmup_steps=min(100, options.steps // 20),
        clip_norm=1.0,
    )

    def make_network(seed: int) -> SetNetwork:
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            network = SetNetwork(ItemVectors((WIDTH,)), TableAttention(options.max_clusters))
        if options.init:
            given = read_tensors(options.init, "weights")[0]
            network.load_state_dict(network.state_dict() | given)
        return network

    objective = L2CObjective(cast(SetBatches, batches), options.max_clusters, weight=5.0, pair_weight=5.0)
    return Task(batches, objective, recipe, make_runtime("auto", fast_precision()), make_network)


class Scores:
    """Writes weights, scores on the development sets and how they were reached every so many steps.

    Parameters
    ----------
    options : argparse.Namespace
        The command line.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        self.out, self.every = options.out, options.every
        self.facts: dict[str, Any] = {
            "command": shlex.join(["python", "-m", "benchmarks.train_tables", *sys.argv[1:]]),
            "revision": record.commit()["revision"],
        }
        before = options.init.parent / "stages.json" if options.init else None
        self.before = json.loads(before.read_text(encoding="utf-8")) if before and before.exists() else []
        self.start = time.process_time()

    def on_step(self, run: Run) -> None:
        """Score the network as it is."""
        if run.step % self.every and run.stopped is None:
            return
        run.network.eval()
        found = table_sets.score(table_sets.network_clusterer(run.network))
        run.network.train()
        last = run.history[-1] if run.history else {}
        scores: dict[str, Any] = {
            "step": run.step,
            "cpu_seconds": round(time.process_time() - self.start),
            "ari": round(float(np.mean([one["ari"] for one in found])), 4),
            "told_k": round(float(np.mean([one["told"] for one in found])), 4),
            **{
                name: round(last[name], 4) for name in ("loss", "count", "assignment", "pair") if name in last
            },
        }
        with (self.out / "scores.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(scores) + "\n")
        (self.out / "sets.json").write_text(json.dumps(found, indent=1), encoding="utf-8")
        stages = [*self.before, self.facts | scores]
        (self.out / "stages.json").write_text(json.dumps(stages, indent=2), encoding="utf-8")
        write_tensors(self.out / "weights.safetensors", "weights", run.network.state_dict(), scores)


def main() -> None:
    """Train until the steps are done."""
    options = make_parser().parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    task = make_task(options)
    traced = {name: str(value) for name, value in vars(options).items() if name not in ("out", "every")}
    checkpointer = Checkpointer(options.out / "checkpoint", json.dumps(traced, sort_keys=True), task)
    with checkpointer.active():
        session = checkpointer.restore(Session([options.seed]))
        run_session(task, session, [Scores(options), checkpointer])
        checkpointer.write()


if __name__ == "__main__":
    main()
