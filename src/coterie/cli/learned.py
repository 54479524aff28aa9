"""What a fit says of an estimator that has learned without clustering its samples."""

from __future__ import annotations

import shlex
from pathlib import Path

from coterie.cli.table import format_table
from coterie.methods.base import NeuralEstimator
from coterie.methods.similarity import SimilarityNetwork


def learned(estimator: NeuralEstimator, folder: Path, loss: str) -> str:
    """The result, and the command that uses it."""
    run = shlex.quote(str(folder))
    if not isinstance(estimator, SimilarityNetwork):
        return f"learned to cluster; {loss}\ncoterie predict {run} DATA clusters a new set"
    way_on = f"coterie fit DATA --similarity {run} --out RUN discovers the classes of new data"
    return f"{_held_out(estimator)}\n\n{loss}\n{way_on}"


def _held_out(network: SimilarityNetwork) -> str:
    """How well it separates pairs of classes that it was not trained on."""
    report = network.report_
    if not report["pairs"]:
        return "too little was held out to calibrate"
    rows = [
        (kind, *(f"{report[prefix + name]:.3f}" for name in ("precision", "recall", "log_loss")))
        for kind, prefix in (("stored", ""), ("of the batch", "batch_"))
    ]
    table = format_table(("statistics", "precision", "recall", "log loss"), rows)
    return f"held out: {int(report['pairs'])} pairs\n{table}"
