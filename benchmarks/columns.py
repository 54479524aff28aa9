"""Columns of the tables: what is read from a record, and how it is printed."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

Record = dict[str, Any]
Value = Callable[[Record], float | None]


@dataclass(frozen=True)
class Column:
    """A measured column: its head, what is read from one record, and how it is printed."""

    head: str
    value: Value
    scale: float = 1.0
    digits: int = 3

    def cell(self, records: Sequence[Record]) -> str:
        """Mean over the records, and their standard deviation where there are several."""
        values = [self.scale * value for record in records if (value := self.value(record)) is not None]
        if not values:
            return ""
        mean = f"{statistics.fmean(values):.{self.digits}f}"
        if len(values) == 1:
            return mean
        return f"{mean} ± {statistics.stdev(values):.{self.digits}f}"


def metric(head: str, name: str, scale: float = 1.0, digits: int = 3) -> Column:
    """A column of one metric."""
    return Column(head, lambda record: record["metrics"].get(name), scale, digits)


@dataclass(frozen=True)
class RatioColumn(Column):
    """A metric's mean over that of another one."""

    beside: Value = lambda record: None

    def cell(self, records: Sequence[Record]) -> str:
        """The ratio of the means over the records that have both."""
        pairs = [(self.value(record), self.beside(record)) for record in records]
        above = [one for one, other in pairs if one is not None and other is not None]
        below = [other for one, other in pairs if one is not None and other is not None]
        return f"{statistics.fmean(above) / statistics.fmean(below):.{self.digits}f}" if above else ""


def of_restarts(pick: Callable[[Iterable[float]], float], name: str = "test_purity") -> Value:
    def value(record: Record) -> float | None:
        found = [run[name] for run in record["runs"] if run.get(name) is not None]
        return pick(found) if len(found) > 1 else None

    return value


SECONDS = Column("seconds", lambda record: record["seconds"], digits=0)
CLUSTERING = (
    metric("test purity", "test_purity"),
    metric("test NMI (geometric)", "test_nmi_geometric"),
    metric("test NMI (arithmetic)", "test_nmi_arithmetic"),
    metric("test ACC", "test_accuracy"),
    metric("dominant (test)", "test_dominant", digits=1),
    metric("train purity", "train_purity"),
    Column("worst restart, test purity", of_restarts(min)),
    Column("best restart, test purity", of_restarts(max)),
    SECONDS,
)
FROM_LABELS = (
    metric("test accuracy %, clusters mapped on training rows", "test_mapped_accuracy", 100, 2),
    metric("test ACC %", "test_accuracy", 100, 2),
    metric("test NMI (arithmetic)", "test_nmi_arithmetic"),
    metric("train ACC %", "train_accuracy", 100, 2),
    SECONDS,
)
UNSUPERVISED = (
    metric("ACC %", "train_accuracy", 100, 2),
    metric("NMI (arithmetic)", "train_nmi_arithmetic"),
    metric("balanced ACC %", "train_balanced_accuracy", 100, 2),
    Column("worst restart, ACC %", of_restarts(min, "train_accuracy"), 100, 2),
    Column("best restart, ACC %", of_restarts(max, "train_accuracy"), 100, 2),
    metric("Spearman of loss and ACC", "spearman_loss_accuracy", digits=2),
    SECONDS,
)
UNSEEN = (
    metric("NMI (geometric)", "test_nmi_geometric"),
    metric("MR", "misclassification_rate"),
    metric("right k", "right_counts"),
    metric("NMI, k given", "nmi_with_k_told"),
    metric("processor s of the training", "processor_seconds", digits=0),
)
