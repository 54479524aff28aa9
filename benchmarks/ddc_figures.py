"""Figures of the DDC results: simplex over training, kernel, losses against accuracy, a run on labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from coterie.report.figures import kernel_matrix, losses_against_scores, simplex_map

Record = dict[str, Any]
Arrays = dict[str, npt.NDArray[Any]]

MOST_GROUPS = 6
TERMS = ("divergence", "orthogonality", "corners")


def _watched(records: list[Record], method: str, folder: Path) -> Arrays | None:
    """Arrays of the first draw of a watched run."""
    found = [each for each in records if each["suite"] == "ddc-watched" and each["method"] == method]
    for record in sorted(found, key=lambda each: int(each["draw"])):
        path = folder / "ddc-watched" / f"{method}-{record['data']}-draw{record['draw']}.npz"
        if path.exists():
            with np.load(path, allow_pickle=False) as arrays:
                return dict(arrays)
    return None


def simplex(records: list[Record], folder: Path) -> Figure | None:
    """Softmax rows of three digits after more and more steps (figure 4)."""
    arrays = _watched(records, "simplex", folder)
    if arrays is None:
        return None
    steps = sorted(int(name.removeprefix("probabilities_")) for name in arrays if name != "labels")
    figure, axes = plt.subplots(
        1, len(steps), figsize=(3.2 * len(steps), 3), squeeze=False, layout="constrained"
    )
    for ax, step in zip(axes[0], steps, strict=True):
        simplex_map(arrays[f"probabilities_{step}"], arrays["labels"], ax)
        ax.set_title(f"{step} step" + ("s" if step > 1 else ""))
    return figure


def kernel(records: list[Record], folder: Path) -> Figure | None:
    """The kernel of some rows, sorted by cluster."""
    arrays = _watched(records, "kernel", folder)
    if arrays is None:
        return None
    figure, ax = plt.subplots(figsize=(4.6, 4.4), layout="constrained")
    kernel_matrix(arrays["kernel"] / 255, arrays["labels"], ax)
    return figure


def guided(records: list[Record], folder: Path) -> Figure | None:
    """Images that each cluster is surest of, and below each what speaks for the cluster (figure 10)."""
    arrays = _watched(records, "kernel", folder)
    if arrays is None:
        return None
    images, signals = arrays["images"], arrays["guided"].astype(np.float32)
    figure, axes = plt.subplots(
        2, len(images), figsize=(0.6 * len(images), 1.5), squeeze=False, layout="constrained"
    )
    for column, (image, signal, label) in enumerate(
        zip(images, signals, arrays["image_labels"], strict=True)
    ):
        axes[0, column].imshow(image, cmap="Greys")
        axes[0, column].set_title(str(label), fontsize="small")
        bound = float(np.abs(signal).max()) or 1.0
        axes[1, column].imshow(signal, cmap="RdBu_r", vmin=-bound, vmax=bound)
    for ax in axes.flat:
        ax.set_axis_off()
    return figure


def losses(records: list[Record], suite: str) -> Figure | None:
    """Accuracy of each run against its loss, one picture a group of restarts (figure 9a)."""
    found = sorted(
        (each for each in records if each["suite"] == suite and "spearman_loss_accuracy" in each["metrics"]),
        key=lambda each: int(each["draw"]),
    )[:MOST_GROUPS]
    if not found:
        return None
    figure, axes = plt.subplots(
        1, len(found), figsize=(2.6 * len(found), 2.6), squeeze=False, sharey=True, layout="constrained"
    )
    for ax, record in zip(axes[0], found, strict=True):
        runs = [run for run in record["runs"] if run.get("train_accuracy") is not None]
        losses_against_scores([run["loss"] for run in runs], [run["train_accuracy"] for run in runs], ax)
        ax.set_xlabel(f"loss, draw {record['draw']}")
    axes[0, 0].set_ylabel("accuracy")
    return figure


def supervised(records: list[Record], folder: Path) -> Figure | None:
    """Terms of DDC in a run on labels, which do not see them (figure 9b)."""
    arrays = _watched(records, "supervised", folder)
    if arrays is None:
        return None
    figure, ax = plt.subplots(figsize=(5, 3.4), layout="constrained")
    for name in ("cross_entropy", *TERMS):
        values = arrays[name]
        ax.plot(np.arange(1, len(values) + 1), values / values[0], label=name.replace("_", " "))
    ax.set_xlabel("epoch")
    ax.set_ylabel("share of the first epoch's")
    ax.grid(alpha=0.3)
    ax.legend(fontsize="small", loc="upper right", bbox_to_anchor=(1, 0.75))
    return figure
