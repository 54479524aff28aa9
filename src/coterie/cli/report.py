"""`coterie report`: one HTML file about a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from coterie._errors import InputError
from coterie.cli.corrected import corrected
from coterie.cli.open.questions import Costs
from coterie.cli.options.report import FILE
from coterie.cli.run_folder import load_fitted
from coterie.cli.table import format_table
from coterie.data.files import atomic_write
from coterie.data.readers import labels_of
from coterie.report.findings import Corrections, Unassigned
from coterie.report.html import ReportInput, render_report


def run(options: Any, words: Sequence[str]) -> None:
    """Write the page; an older one of the same run is replaced."""
    fitted = load_fitted(options.run, options.data)
    metadata, data, samples = fitted.metadata, fitted.data, fitted.samples
    labels = options.labels or metadata.get("labels")
    truth = None if labels is None else labels_of(labels, samples)
    if truth is not None and len(truth) != len(samples.X):
        raise InputError(
            f"--labels must have one label per row of {data}, {len(samples.X)}, got {len(truth)}"
        )
    said = {
        name: str(metadata[name]) for name in ("command", "version", "pairs", "labels") if metadata.get(name)
    }
    found = corrected(options.run)
    costs = None if found is None else found.costs()
    page = render_report(
        ReportInput(
            fitted.estimator,
            samples.X,
            samples.names,
            {"data": data} | said,
            fitted.columns,
            truth,
            samples.items,
            None if found is None else Corrections(*found.table()),
            None if costs is None else Unassigned(costs.rows, costs.calibration),
        )
    )
    target = Path(options.run, FILE) if options.out is None else Path(options.out)
    with atomic_write(target) as temporary:
        temporary.write_text(page, encoding="utf-8")
    if costs is not None:
        print(f"{costs_table(costs)}\n")
    print(f"wrote {target}")


def costs_table(costs: Costs) -> str:
    """What leaving samples unassigned costs, for a terminal."""
    lines = [(f"{threshold:.2f}", f"{left:.1%}", f"{wrong:.1%}") for threshold, left, wrong in costs.rows]
    return f"{format_table(('--threshold', 'unassigned', 'wrong of the others'), lines)}\n{costs.calibration}"
