"""Figure 5 of the L2C paper (arXiv:1807.04001): sets of points, and sets of photos of unseen objects."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from numpy.typing import NDArray

from coterie import L2C
from coterie.data.shapes2d import shapes2d
from coterie.report.figures import clustered_points

SHOWN_SEED = 5
BORDER = 4
Record = dict[str, Any]


def points(records: Sequence[Record]) -> Figure | None:
    """What the shipped model makes of one set of each number of clusters: a column for every k, with P(k)."""
    if not any(record["suite"] == "l2c" for record in records):
        return None
    model = L2C.from_pretrained("points2d")
    widths = range(1, model.max_clusters + 1)
    figure, axes = plt.subplots(len(widths), len(widths), figsize=(10, 10), layout="constrained")
    for true_k, row in zip(widths, axes, strict=True):
        drawn, _ = shapes2d(1, n_clusters=(true_k, true_k), random_state=SHOWN_SEED)
        count_proba, assignments = model.predict_all(drawn[0])
        for k, share, proba, ax in zip(widths, count_proba, assignments, row, strict=True):
            clustered_points(drawn[0], proba, ax)
            chosen = k == count_proba.argmax() + 1
            ax.set_title(f"P({k}) = {share:.3f}", fontweight="bold" if chosen else "normal", fontsize="small")
        row[0].set_ylabel(f"{true_k} drawn", fontsize="small")
    return figure


def photos(records: Sequence[Record], folder: Path) -> Figure | None:
    """Sets of photos, a row a cluster that L2C found; the border of a photo is the color of its object."""
    kept = sorted(
        path
        for record in records
        if record["suite"] == "l2c-images" and record["method"] == "l2c"
        for path in (folder / "l2c-images").glob(f"l2c-*draw{record['draw']}.npz")
    )
    if not kept:
        return None
    with np.load(kept[0], allow_pickle=False) as arrays:
        images, objects, clusters = (arrays[name] for name in ("images", "objects", "clusters"))
    figure, axes = plt.subplots(1, len(images), figsize=(6 * len(images), 4.5), layout="constrained")
    for ax, *one in zip(np.atleast_1d(axes), images, objects, clusters, strict=True):
        ax.imshow(_rows_of_clusters(*one))
        ax.set_title(f"{len(np.unique(one[1]))} objects, {len(np.unique(one[2]))} clusters found")
        ax.axis("off")
    return figure


def _rows_of_clusters(
    images: NDArray[Any], objects: NDArray[np.int64], clusters: NDArray[np.int64]
) -> NDArray[np.uint8]:
    """One picture: a row a cluster, each image (h, w, 3) with a border in the color of its object."""
    names, sizes = np.unique(clusters, return_counts=True)
    side = images.shape[1] + 2 * BORDER
    sheet = np.full((len(names) * side, sizes.max() * side, 3), 255, dtype=np.uint8)
    colors = (255 * plt.get_cmap("tab10")(objects % 10)[:, :3]).astype(np.uint8)
    for row, name in enumerate(names):
        for column, which in enumerate(np.flatnonzero(clusters == name)):
            top, left = row * side, column * side
            sheet[top : top + side, left : left + side] = colors[which]
            inner = slice(top + BORDER, top + side - BORDER), slice(left + BORDER, left + side - BORDER)
            sheet[inner] = images[which]
    return sheet
