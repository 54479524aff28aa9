"""What a run found, as numbers for a page: sizes, certainty, examples, warnings in plain words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from coterie.data.arrays import SampleArray, row_parts
from coterie.methods.base import NeuralEstimator
from coterie.methods.clusterer import NeuralClusterer

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# below this probability of its cluster a sample counts as unsure
UNSURE = 0.5
MOST_ROWS = 100_000
_CHUNK = 20_000


def loss_in_words(estimator: NeuralEstimator) -> str:
    """The loss, and of how many restarts it is the lowest."""
    several = f", the lowest of {len(estimator.runs_)} restarts" if len(estimator.runs_) > 1 else ""
    return f"{estimator._loss_name} {estimator.loss_:.4f}{several}"


@dataclass(frozen=True)
class Corrections:
    """The clustering of all rows as a person has corrected it.

    Attributes
    ----------
    labels : int64 array of shape (n,)
        Columns of `probabilities`; -1 for rows that were set aside.
    probabilities : array of shape (n, k)
        1 where something was said.
    names : sequence of str
        Of the k clusters.
    """

    labels: Ints
    probabilities: Floats
    names: Sequence[str]


@dataclass(frozen=True)
class Unassigned:
    """What leaving samples unassigned costs, as answers show.

    Attributes
    ----------
    rows : sequence of (float, float, float)
        Threshold of the probability, share of samples below it, share of the others that is expected to be
        wrong.
    calibration : str
        How well calibrated the numbers are.
    """

    rows: Sequence[tuple[float, float, float]]
    calibration: str


@dataclass(frozen=True)
class Findings:
    """A run's clustering of its rows, or of evenly spaced ones where there are very many.

    Attributes
    ----------
    rows : int64 array of shape (n,)
        Row numbers in the data.
    probabilities : array of shape (n, k)
    n_rows : int
        Rows of the data.
    said : Corrections or None
        What a person has said of all rows of the data.
    """

    rows: Ints
    probabilities: Floats
    n_rows: int
    said: Corrections | None = None

    @property
    def labels(self) -> Ints:
        """Most probable cluster of each row, or what was said of it; -1 for rows that were set aside."""
        return (
            np.asarray(self.probabilities.argmax(axis=1))
            if self.said is None
            else self.said.labels[self.rows]
        )

    @property
    def certainty(self) -> Floats:
        """Probability of that cluster."""
        return np.asarray(self.probabilities.max(axis=1))

    @property
    def sizes(self) -> Ints:
        """Rows of each cluster."""
        return np.bincount(self.labels[self.labels >= 0], minlength=self.probabilities.shape[1])

    @property
    def unsure(self) -> Ints:
        """Rows of each cluster whose certainty is below `UNSURE`."""
        chosen = (self.certainty < UNSURE) & (self.labels >= 0)
        return np.bincount(self.labels[chosen], minlength=self.probabilities.shape[1])

    def name(self, cluster: int) -> str:
        """What a cluster is called."""
        return f"cluster {cluster}" if self.said is None else self.said.names[cluster]

    def examples(self, cluster: int, n: int) -> tuple[Ints, Ints]:
        """Places of the n most certain rows of a cluster, and of the n least certain others."""
        own = np.flatnonzero(self.labels == cluster)
        ordered = own[np.argsort(-self.certainty[own], kind="stable")]
        return ordered[:n], ordered[n:][::-1][:n]

    def confused(self, n: int) -> list[tuple[int, int, int]]:
        """Pairs of clusters between which most unsure rows lie: (first, second, rows), most rows first."""
        if self.probabilities.shape[1] < 2:
            return []
        best = np.sort(np.argsort(-self.probabilities, axis=1, kind="stable")[:, :2], axis=1)
        pairs, counts = np.unique(best[self.certainty < UNSURE], axis=0, return_counts=True)
        order = np.argsort(-counts, kind="stable")[:n]
        return [(int(pairs[at, 0]), int(pairs[at, 1]), int(counts[at])) for at in order]


def find(estimator: NeuralClusterer, samples: SampleArray, said: Corrections | None = None) -> Findings:
    """Cluster the rows, or evenly spaced ones of very many, unless they were corrected."""
    n_rows = len(samples)
    rows = np.unique(np.linspace(0, n_rows - 1, min(n_rows, MOST_ROWS)).astype(np.int64))
    if said is not None:
        return Findings(rows, said.probabilities[rows], n_rows, said)
    parts = row_parts(rows, samples.shape[1:], _CHUNK)
    return Findings(rows, np.concatenate([estimator.predict_proba(samples[part]) for part in parts]), n_rows)


def find_warnings(
    findings: Findings, history: Sequence[dict[str, Any]], runs: Sequence[dict[str, Any]]
) -> list[str]:
    """What somebody who looks at the clustering should know, in plain sentences.

    Parameters
    ----------
    findings : Findings
    history, runs : sequence of dict
        `history_` and `runs_` of the estimator.
    """
    said = [
        *_about_sizes(findings.sizes, len(findings.rows)),
        *_about_certainty(findings),
        *_about_training(history, runs),
    ]
    if findings.n_rows > len(findings.rows):
        said.append(f"Of {findings.n_rows:,} rows, {len(findings.rows):,} evenly spaced ones are shown.")
    return said


def _about_sizes(sizes: Ints, n: int) -> list[str]:
    said = []
    empty = np.flatnonzero(sizes == 0)
    if len(empty):
        named = ", ".join(map(str, empty[:10])) + (" and others" if len(empty) > 10 else "")
        said.append(
            f"{len(empty)} of {len(sizes)} clusters are empty ({named}): the data may have fewer groups than "
            "were asked for, or training collapsed. Try more restarts, or fewer clusters."
        )
    if len(sizes) > 1 and sizes.max() > n / 2:
        said.append(
            f"Cluster {sizes.argmax()} holds {sizes.max() / n:.0%} of all rows: it may be several groups."
        )
    small = np.flatnonzero((sizes > 0) & (sizes < 5))
    if len(small):
        said.append(f"{len(small)} clusters have fewer than 5 rows: they may be outliers rather than groups.")
    return said


def _about_certainty(findings: Findings) -> list[str]:
    share = float((findings.certainty < UNSURE).mean())
    if share < 0.1:
        return []
    return [
        f"{share:.0%} of the rows are less than {UNSURE:.0%} certain of their cluster. Answers to a few more "
        "pairs (coterie label) help most with these; --threshold leaves them unassigned."
    ]


def _about_training(history: Sequence[dict[str, Any]], runs: Sequence[dict[str, Any]]) -> list[str]:
    said = []
    diverged = [run for run in runs if run.get("stopped") == "diverged"]
    if diverged:
        said.append(f"{len(diverged)} of {len(runs)} restarts diverged and were ignored.")
    chosen = next((run["restart"] for run in runs if run.get("chosen")), 0)
    losses = [epoch["loss"] for epoch in history if epoch.get("restart", 0) == chosen]
    if len(losses) >= 5 and losses[-2] - losses[-1] > 0.02 * abs(losses[0] - losses[-1]):
        said.append("The loss was still falling when training ended: more epochs may give better clusters.")
    return said
