"""Table 4 of the CCL paper (arXiv:1806.11078), alphabet by alphabet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

Record = dict[str, Any]
SHOWN = {
    "k-means": "o",
    "mpck-means": "s",
    "spectral": "^",
    "ccn-ccl": "*",
    "ccn-ccl-from-spectral": "D",
    "ccn-ccl-100-from-k-means": "x",
}


def accuracy_by_alphabet(records: Sequence[Record]) -> Figure | None:
    """A row an alphabet, ordered by the best method's accuracy, and a mark a method."""
    found: dict[str, dict[str, float]] = {}
    for record in records:
        if record["suite"] == "omniglot" and record["method"] in SHOWN:
            accuracy = record["metrics"]["target_accuracy"]
            found.setdefault(record["variant"], {})[record["method"]] = 100 * accuracy
    if not found:
        return None
    names = sorted(found, key=lambda name: max(found[name].values()))
    figure, ax = plt.subplots(figsize=(7, 1.2 + 0.3 * len(names)), layout="constrained")
    for method, mark in SHOWN.items():
        values = [found[name].get(method, np.nan) for name in names]
        if np.isnan(values).all():
            continue
        ax.plot(values, range(len(names)), mark, label=method, fillstyle="none")
    ax.set_yticks(range(len(names)), [name.replace("_", " ") for name in names])
    ax.set_xlabel("ACC %")
    ax.grid(axis="y", alpha=0.3)
    figure.legend(loc="outside lower center", ncols=3)
    return figure
