"""Figures of all committed results: ``python -m benchmarks.figures`` writes PNGs to docs/figures.

Figures 3 to 6 of the KCL paper (arXiv:1511.06321), and those of `adc_figures`, `ddc_figures`, `l2c_figures`
and `omniglot_figures`; where their results are there.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from benchmarks import adc_figures, ddc_figures, l2c_figures, omniglot_figures
from benchmarks.record import RESULTS, ROOT, read_all
from coterie.report.figures import contingency_table, embedding_map, score_curves

FOLDER = ROOT / "docs" / "figures"
DPI = 90
Record = dict[str, Any]
Curves = dict[str, dict[float, list[float]]]


def _select(records: Iterable[Record], data: str, *suites: str) -> list[Record]:
    return [record for record in records if record["suite"] in suites and record["data"] == data]


def _curves(
    records: Iterable[Record], position: Callable[[Record], float], metric: str, label: str = ""
) -> Curves:
    """Scores of all records that hold the metric, by method and by position; x axis in ascending order."""
    curves: Curves = {}
    for record in records:
        if metric in record["metrics"]:
            runs = curves.setdefault(record["method"] + label, {})
            runs.setdefault(position(record), []).append(record["metrics"][metric])
    return curves


def _n_pairs(record: Record) -> float:
    return float(record["settings"]["n_pairs"])


def figure_3(records: list[Record], data: str) -> Figure | None:
    """Purity and NMI against the number of pairs, on training and test rows."""
    found = _select(records, data, "pairs")
    if not found:
        return None
    figure, axes = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    for ax, metric, name in zip(axes, ("purity", "nmi_geometric"), ("purity", "NMI"), strict=True):
        kcl = [record for record in found if record["method"] == "ccn-kcl"]
        curves = _curves(found, _n_pairs, f"test_{metric}", ", test")
        curves |= _curves(kcl, _n_pairs, f"train_{metric}", ", train")
        curves |= _curves(kcl, _n_pairs, f"features_kmeans_test_{metric}", " features + k-means, test")
        score_curves(curves, ax, x_label="pairs", y_label=name, log=True)
    return figure


def figure_4(records: list[Record], data: str, folder: Path) -> Figure | None:
    """t-SNE of the test rows' softmax outputs, one map for each number of pairs."""
    found = [record for record in _select(records, data, "pairs") if record["method"] == "ccn-kcl"]
    first = {_n_pairs(record): record for record in sorted(found, key=lambda each: -each["draw"])}
    maps = {n: _arrays_path(first[n], folder) for n in sorted(first)}
    maps = {n: path for n, path in maps.items() if path.exists()}
    if not maps:
        return None
    figure, axes = plt.subplots(1, len(maps), figsize=(4 * len(maps), 4), squeeze=False, layout="constrained")
    for ax, (n, path) in zip(axes[0], maps.items(), strict=True):
        with np.load(path, allow_pickle=False) as arrays:
            embedding_map(arrays["probabilities"], arrays["labels"], ax, random_state=0)
        ax.set_title(f"{n:,.0f} pairs")
    return figure


def _arrays_path(record: Record, folder: Path) -> Path:
    name = f"{record['method']}-{record['data']}-{record['variant']}-draw{record['draw']}.npz"
    path: Path = folder / record["suite"] / name
    return path


def figure_5(records: list[Record], data: str) -> Figure | None:
    """NMI against the share of flipped pairs, and against the number of outputs."""
    noise = [
        record
        for record in _select(records, data, "pairs", "noise")
        if record["method"] in _methods(records, "noise")
    ]
    outputs = [
        record
        for record in _select(records, data, "pairs", "outputs")
        if _n_pairs(record) in {_n_pairs(each) for each in _select(records, data, "outputs")}
        and record["method"] in _methods(records, "outputs")
    ]
    if not noise and not outputs:
        return None
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    curves: Curves = {}
    for n in sorted({_n_pairs(record) for record in noise if record["suite"] == "noise"}):
        of_size = [record for record in noise if _n_pairs(record) == n]
        curves |= _curves(of_size, _flipped, "test_nmi_geometric", f", {n:,.0f} pairs")
    if curves:
        score_curves(curves, left, x_label="share of pairs flipped", y_label="test NMI")
    if outputs:
        curves = _curves(outputs, _n_outputs, "test_nmi_geometric")
        score_curves(curves, right, x_label="outputs", y_label="test NMI", log=True)
    return figure


def _methods(records: list[Record], suite: str) -> set[str]:
    return {record["method"] for record in records if record["suite"] == suite}


def _flipped(record: Record) -> float:
    return float(record["settings"]["flipped"])


def _n_outputs(record: Record) -> float:
    return float(record["settings"]["parameters"]["n_clusters"])


def figure_6(records: list[Record], data: str) -> Figure | None:
    """Contingency tables of the test rows at 30 outputs, the first draw of each method."""
    found: dict[str, Record] = {}
    for record in sorted(_select(records, data, "outputs"), key=lambda each: each["draw"]):
        if _n_outputs(record) == 30 and "test_contingency" in record["metrics"]:
            found.setdefault(record["method"], record)
    if not found:
        return None
    figure, axes = plt.subplots(
        1, len(found), figsize=(5 * len(found), 8), squeeze=False, layout="constrained"
    )
    for ax, (method, record) in zip(axes[0], sorted(found.items()), strict=True):
        contingency_table(record["metrics"]["test_contingency"], ax)
        ax.set_title(method)
    return figure


def draw(folder: Path = RESULTS, target: Path = FOLDER, data: str = "mnist") -> list[Path]:
    """Draw every figure whose results are there.

    Returns
    -------
    list of Path
        The files written.
    """
    mpl.use("Agg")
    records = read_all(folder)
    figures = {
        "adc-figure-5-weights": adc_figures.weights_against_accuracy(records),
        "adc-examples": adc_figures.examples_of_clusters(records, folder),
        "kcl-figure-3-pairs": figure_3(records, data),
        "kcl-figure-4-maps": figure_4(records, data, folder),
        "kcl-figure-5-noise-outputs": figure_5(records, data),
        "kcl-figure-6-contingency": figure_6(records, data),
        "l2c-clusterings": l2c_figures.points(records),
        "l2c-photos": l2c_figures.photos(records, folder),
        "ddc-simplex": ddc_figures.simplex(records, folder),
        "ddc-kernel": ddc_figures.kernel(records, folder),
        "ddc-guided": ddc_figures.guided(records, folder),
        "ddc-losses": ddc_figures.losses(records, "ddc-digits"),
        "ddc-supervised": ddc_figures.supervised(records, folder),
        "ccl-table-4-alphabets": omniglot_figures.accuracy_by_alphabet(records),
    }
    target.mkdir(parents=True, exist_ok=True)
    written = []
    for name, figure in figures.items():
        if figure is not None:
            path = target / f"{name}.png"
            # without the version of matplotlib in it, the same figure is the same file
            figure.savefig(path, dpi=DPI, metadata={"Software": None})
            plt.close(figure)
            written.append(path)
    return written


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--out", type=Path, default=FOLDER)
    parser.add_argument("--data", default="mnist")
    parsed = parser.parse_args()
    for path in draw(parsed.results, parsed.out, parsed.data):
        print(path)


if __name__ == "__main__":
    main()
