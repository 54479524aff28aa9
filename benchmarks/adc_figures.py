"""Figures of the ADC paper (GCPR 2018): loss weights against accuracy, and examples of each cluster."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from benchmarks.datasets import load
from benchmarks.suites.adc_search import SEARCHED
from coterie.report.figures import top_examples

Record = dict[str, Any]


def weights_against_accuracy(records: Sequence[Record]) -> Figure | None:
    """Figure 5: one panel a weight, one point a run."""
    found = [record for record in records if record["suite"] == "adc-search"]
    if not found:
        return None
    figure, axes = plt.subplots(1, len(SEARCHED), figsize=(15, 3), sharey=True, layout="constrained")
    accuracy = [record["metrics"]["all_accuracy"] for record in found]
    for ax, name in zip(axes, SEARCHED, strict=True):
        ax.scatter([record["settings"]["parameters"]["weights"][name] for record in found], accuracy, s=12)
        ax.set_xscale("log")
        ax.set_xlabel(f"weight: {name}")
    axes[0].set_ylabel("ACC on digits")
    return figure


def examples_of_clusters(records: Sequence[Record], folder: Path) -> Figure | None:
    """The ten most certain digits of each cluster, in the first draw whose probabilities are there."""
    names = [f"adc-digits-draw{record['draw']}.npz" for record in records if record["suite"] == "adc"]
    paths = [path for name in sorted(names) if (path := folder / "adc" / name).exists()]
    if not paths:
        return None
    split = load("digits")
    figure, ax = plt.subplots(figsize=(5, 5), layout="constrained")
    with np.load(paths[0], allow_pickle=False) as arrays:
        top_examples(np.concatenate([split.x_train, split.x_test]), arrays["probabilities"], ax)
    return figure
