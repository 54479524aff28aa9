"""The 37 development sets of tables: reading them, and the score of a clusterer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.spatial import cKDTree
from sklearn.metrics import adjusted_rand_score
from torch import nn

from coterie import L2C
from coterie.methods.table_rows import choose_count, table_rows

DATA = Path("/work/shared/data/tables/tables.npz")
Table = npt.NDArray[np.float32]
Codes = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.float64]
# a table -> its clusters, and its clusters for each number of clusters that is given
Clusterer = Callable[[Table, list[int]], tuple[Codes, list[Codes]]]


def read(path: Path = DATA) -> dict[str, tuple[Table, list[Codes]]]:
    """Tables with their reference labellings, by name."""
    with np.load(path) as file:
        names = sorted({key.rsplit("/", 1)[0] for key in file.files})
        return {
            name: (
                file[f"{name}/X"],
                [
                    file[key].astype(np.int64)
                    for key in sorted(file.files)
                    if key.startswith(f"{name}/labels")
                ],
            )
            for name in names
        }


def score(cluster: Clusterer) -> list[dict[str, Any]]:
    """ARI of each set, k not told and told, and the number of clusters found."""
    found = []
    for name, (X, labellings) in read().items():
        counts = [int(labels.max()) for labels in labellings]
        own, told = cluster(X, counts)
        found.append(
            {
                "name": name,
                "ari": max(ari(labels, own) for labels in labellings),
                "told": max(ari(labels, one) for labels, one in zip(labellings, told, strict=True)),
                "found": len(np.unique(own)),
                "counts": counts,
            }
        )
    return found


def ari(labels: Codes, clusters: Codes) -> float:
    """ARI over the rows that are labelled."""
    known = labels > 0
    return float(adjusted_rand_score(labels[known], clusters[known]))


def network_clusterer(network: nn.Module, most: int = 500) -> Clusterer:
    """Cluster at most so many random rows in one pass; others follow their nearest row among these."""

    def cluster(X: Table, counts: list[int]) -> tuple[Codes, list[Codes]]:
        columns = table_rows(X)
        rows = np.random.default_rng(0).permutation(len(X))[:most]
        with torch.inference_mode():
            count_logits, assignments, *_ = network(torch.from_numpy(columns[rows]).unsqueeze(0))
        split = torch.split(assignments[0].double(), list(range(1, count_logits.shape[1] + 1)), dim=1)
        nearest = cKDTree(columns[rows]).query(columns)[1]
        own, *told = _answers(
            count_logits[0].double().softmax(0).numpy(), [one.numpy() for one in split], counts
        )
        return own[nearest], [one[nearest] for one in told]

    return cluster


def model_clusterer(model: L2C) -> Clusterer:
    """Cluster as the estimator does."""

    def cluster(X: Table, counts: list[int]) -> tuple[Codes, list[Codes]]:
        own, *told = _answers(*model.predict_all(X), counts)
        return own, told

    return cluster


def _answers(count_proba: Numbers, parts: list[Numbers], counts: list[int]) -> list[Codes]:
    """The clusters of the number that is chosen, and of each of the numbers that are told."""
    wanted = [choose_count(count_proba), *(min(k, len(parts)) for k in counts)]
    return [parts[k - 1].argmax(axis=1) for k in wanted]
