"""Tables of all committed results: ``python -m benchmarks.tables`` writes docs/results.md
and brings the numbers of docs/papers.md up to date.

Every record is shown: a mean is over all draws that are there, and nothing is left out for being bad.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.papers import refresh
from benchmarks.published import published
from benchmarks.record import RESULTS, ROOT, read_all
from benchmarks.suites import SUITES
from coterie.data.files import atomic_write

PAGE = ROOT / "docs" / "results.md"
# prefix of metrics -> what a row of their own calls the method
BESIDE = {
    "features_kmeans_": "{}, features + k-means",
    "vote_": "{}, vote of three",
    "kmeans_": "k-means (beside {})",
    "agglomerative_": "Ward's trees of {}'s features, cut best for the validation groups",
}
# Suites whose variants are alike and many: their mean has a row too.
AVERAGED = {"omniglot": "alphabets"}
KCL_SUITES = ("pairs", "noise", "outputs", "labels")
KCL_STARTS = 5
# Suites whose rows say on how many samples, and how, they were made.
SCOPED = (
    *("adc", "cifar10", "mnist-ccl", "ddc-circles", "ddc-digits", "ddc-mnist", "ddc-reuters"),
    *("ddc-ablation", "ddc-imbalance", "ddc-watched"),
)
OWN_FORM = (
    "no momentum, where the released code has 0.9; losses without self pairs and eps, and KCL's mean twice "
    "that of the code"
)
RACED = ("racing", "successive-halving")

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


def _arms(budget: int) -> tuple[Column, ...]:
    """Errors of both arms after so many answers."""
    rule, random = (metric(f"{budget} {arm}", f"{arm}_error_{budget}", 100, 1) for arm in ("rule", "random"))
    return rule, random, RatioColumn(f"{budget} ratio", rule.value, digits=2, beside=random.value)


def _of_restarts(pick: Callable[[Iterable[float]], float], name: str = "test_purity") -> Value:
    def value(record: Record) -> float | None:
        found = [run[name] for run in record["runs"] if run.get(name) is not None]
        return pick(found) if len(found) > 1 else None

    return value


def _count_is_near(record: Record) -> float | None:
    """Whether the dominant clusters of 100 are at most a fifth more or fewer than the characters."""
    ratio = record["metrics"].get("estimate_ratio")
    return float(abs(ratio - 1) <= 0.2) if ratio is not None and "-100" in record["method"] else None


SECONDS = Column("seconds", lambda record: record["seconds"], digits=0)
_CLUSTERING = (
    metric("test purity", "test_purity"),
    metric("test NMI (geometric)", "test_nmi_geometric"),
    metric("test NMI (arithmetic)", "test_nmi_arithmetic"),
    metric("test ACC", "test_accuracy"),
    metric("dominant (test)", "test_dominant", digits=1),
    metric("train purity", "train_purity"),
    Column("worst restart, test purity", _of_restarts(min)),
    Column("best restart, test purity", _of_restarts(max)),
    SECONDS,
)
_FROM_LABELS = (
    metric("test accuracy %, clusters mapped on training rows", "test_mapped_accuracy", 100, 2),
    metric("test ACC %", "test_accuracy", 100, 2),
    metric("test NMI (arithmetic)", "test_nmi_arithmetic"),
    metric("train ACC %", "train_accuracy", 100, 2),
    SECONDS,
)
_UNSUPERVISED = (
    metric("ACC %", "train_accuracy", 100, 2),
    metric("NMI (arithmetic)", "train_nmi_arithmetic"),
    metric("balanced ACC %", "train_balanced_accuracy", 100, 2),
    Column("worst restart, ACC %", _of_restarts(min, "train_accuracy"), 100, 2),
    Column("best restart, ACC %", _of_restarts(max, "train_accuracy"), 100, 2),
    metric("Spearman of loss and ACC", "spearman_loss_accuracy", digits=2),
    SECONDS,
)
_UNSEEN = (
    metric("NMI (geometric)", "test_nmi_geometric"),
    metric("MR", "misclassification_rate"),
    metric("right k", "right_counts"),
    metric("NMI, k given", "nmi_with_k_told"),
    metric("processor s of the training", "processor_seconds", digits=0),
)
COLUMNS: dict[str, tuple[Column, ...]] = {
    "pairs": _CLUSTERING,
    "noise": _CLUSTERING,
    "outputs": _CLUSTERING,
    "labels": _FROM_LABELS,
    "cifar10": _FROM_LABELS,
    "mnist-ccl": _FROM_LABELS,
    "ddc-circles": _UNSUPERVISED,
    "ddc-digits": _UNSUPERVISED,
    "ddc-mnist": _UNSUPERVISED,
    "ddc-reuters": _UNSUPERVISED,
    "ddc-ablation": _UNSUPERVISED,
    "ddc-imbalance": _UNSUPERVISED,
    "l2c": (
        metric("NMI (geometric)", "test_nmi_geometric"),
        metric("standard error", "nmi_standard_error"),
        metric("MR", "misclassification_rate"),
        metric("right k", "right_counts"),
        metric("NMI, k given", "nmi_with_k_told"),
        metric("change of NMI by order", "nmi_change_by_order"),
        metric("processor s a set", "seconds_a_set"),
    ),
    "l2c-images": _UNSEEN,
    "l2c-speakers": _UNSEEN,
    "l2c-characters": _UNSEEN,
    "l2c-metrics": _UNSEEN,
    "l2c-tables": (
        metric("ARI", "ari"),
        metric("NMI (arithmetic)", "nmi_arithmetic"),
        metric("right k", "right_counts"),
        metric("ARI, k given", "ari_with_k_told"),
        metric("calibration error of P(k)", "calibration_error"),
        metric("processor s a table", "seconds_a_table", digits=2),
    ),
    "step": (
        metric("ours / bare, medians of wall time", "ratio"),
        metric("median of the chunks' ratios", "ratio_of_pairs"),
        metric("ours / bare, processor time", "processor_ratio"),
        metric("bare / bare (noise of the machine)", "control_ratio"),
        metric("ours, s a chunk", "ours_seconds"),
        metric("bare, s a chunk", "bare_seconds"),
        metric("chunks", "chunks", digits=0),
    ),
    "adc": (
        metric("ACC %", "accuracy", 100, 1),
        metric("NMI (arithmetic)", "nmi_arithmetic"),
        metric("clusters used", "clusters_used", digits=1),
        Column("worst restart, ACC %", _of_restarts(min, "train_accuracy"), 100, 1),
        Column("best restart, ACC %", _of_restarts(max, "train_accuracy"), 100, 1),
        metric("test ACC %", "test_accuracy", 100, 1),
        metric("processor seconds", "processor_seconds", digits=0),
        SECONDS,
    ),
    "adc-search": (
        metric("ACC %", "all_accuracy", 100, 1),
        metric("NMI (arithmetic)", "all_nmi_arithmetic"),
        SECONDS,
    ),
    "augment": (
        metric("ours / kornia, medians of wall time", "ratio"),
        metric("ours, s a batch", "ours_seconds", digits=4),
        metric("kornia, s a batch", "kornia_seconds", digits=4),
    ),
    "label-rule": (
        metric("start: error %", "start_error", 100, 1),
        *(column for budget in (25, 50, 100) for column in _arms(budget)),
    ),
    "features": (
        metric("ACC %", "all_accuracy", 100, 1),
        metric("NMI (arithmetic)", "all_nmi_arithmetic"),
        metric("balanced ACC %", "balanced_accuracy", 100, 1),
        metric("clusters", "clusters", digits=1),
        metric("processor seconds", "processor_seconds", digits=0),
    ),
    "memmap": (
        metric("file, MiB", "file_mib", digits=0),
        metric("RssAnon before, MiB", "start_mib", digits=0),
        metric("largest RssAnon, MiB", "peak_mib", digits=0),
        metric("fit, processor µs a row", "fit_microseconds_a_row", digits=2),
        metric("predict, processor µs a row", "predict_microseconds_a_row", digits=2),
        SECONDS,
    ),
    "read-table": (
        metric("coterie / pandas, medians of processor time", "ratio"),
        metric("coterie, s", "coterie_seconds", digits=2),
        metric("pandas, s", "pandas_seconds", digits=2),
        metric("coterie: largest memory / the array", "coterie_arrays", digits=2),
        metric("pandas: the same", "pandas_arrays", digits=2),
    ),
    "minutes": (
        metric("rows", "rows", digits=0),
        metric("ACC", "accuracy"),
        metric("k-means on pixels, ACC", "kmeans_accuracy"),
        metric("points above", "points_above_kmeans", digits=1),
        metric("wall, s", "wall_seconds", digits=0),
        metric("processor, s", "processor_seconds", digits=0),
        metric("memory of all processes, MiB", "peak_mib", digits=0),
        metric("load of the machine", "load", digits=1),
    ),
    "encoders": (
        metric("ACC %", "accuracy", 100, 1),
        metric("NMI", "nmi"),
        metric("samples", "samples", digits=0),
        metric("s of the clustering", "seconds", digits=1),
        metric("s of the encoder", "embedding_seconds", digits=1),
    ),
    "omniglot": (
        metric("ACC %", "target_accuracy", 100, 1),
        metric("NMI (arithmetic)", "target_nmi_arithmetic"),
        metric("characters", "characters", digits=0),
        metric("clusters used", "target_clusters_used", digits=0),
        metric("dominant", "target_dominant", digits=0),
        Column("count within 20 %", _count_is_near, digits=2),
        metric("held out: precision", "held_out_precision"),
        metric("recall", "held_out_recall"),
        metric("with batch statistics: precision", "held_out_batch_precision"),
        metric("recall ", "held_out_batch_recall"),
        SECONDS,
    ),
    "discovery": (
        metric("ACC %", "target_accuracy", 100, 1),
        metric("NMI (arithmetic)", "target_nmi_arithmetic"),
        metric("classes", "classes", digits=0),
        metric("clusters used", "target_clusters_used", digits=0),
        metric("dominant", "target_dominant", digits=0),
        metric("with batch statistics: precision", "held_out_batch_precision"),
        metric("recall ", "held_out_batch_recall"),
        SECONDS,
    ),
    "pair-head": (
        metric("times faster (wall)", "wall_ratio", digits=1),
        metric("times faster (processor)", "processor_ratio", digits=1),
        metric("ours, s", "ours_wall"),
        metric("concatenated, s", "concatenated_wall", digits=1),
        metric("largest difference of values", "value_difference", digits=7),
    ),
    "pair-losses": (
        metric("times faster", "times_faster", digits=0),
        metric("times less memory (tensors)", "times_less_tensor_memory", digits=0),
        metric("times less memory (resident growth)", "times_less_resident_growth", digits=0),
        metric("blocks: s", "block_seconds", digits=1),
        metric("blocks: peak MiB", "block_peak_mib", digits=0),
    ),
    "ddc-watched": _UNSUPERVISED,
    "ddc-racing": (
        metric("racing / one", "racing_of_one", digits=2),
        metric("in turn, s", "in_turn_processor_seconds", digits=1),
        metric("in turn: ACC %", "in_turn_accuracy", 100, 2),
        metric("racing: ACC %", "racing_accuracy", 100, 2),
        metric("racing: points behind", "points_behind", digits=2),
        metric("in turn: loss", "in_turn_loss", digits=4),
        metric("racing: loss", "racing_loss", digits=4),
    ),
    "restarts": (
        metric("stacked / in turn", "stacked_ratio", digits=2),
        metric("racing / one", "racing_of_one", digits=2),
        metric("in turn, s", "in_turn_processor_seconds", digits=1),
        metric("in turn: ACC %", "in_turn_accuracy", 100, 2),
        metric("stacked: ACC %", "stacked_accuracy", 100, 2),
        metric("racing: ACC %", "racing_accuracy", 100, 2),
        metric("in turn: loss", "in_turn_loss", digits=4),
        metric("racing: loss", "racing_loss", digits=4),
    ),
}


def _natural(text: str) -> list[tuple[int, str]]:
    """Sort key under which n300 comes before n1200."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", text) if part]


def _with_rows_beside(records: list[Record]) -> list[Record]:
    """The records, and a row of its own for what each holds of another method, under a prefix."""
    rows = list(records)
    for record in records:
        for prefix, method in BESIDE.items():
            found = {
                name.removeprefix(prefix): value
                for name, value in record["metrics"].items()
                if name.startswith(prefix)
            }
            if found:
                row = record | {"method": method.format(record["method"]), "metrics": found, "runs": []}
                rows.append(row | {"raced": prefix == "vote_" and _is_raced(record)})
    return rows


def _groups(records: list[Record]) -> list[list[Record]]:
    """Records that differ in their draw alone, in the order of data, variant and method."""
    groups: dict[tuple[str, str, str], list[Record]] = {}
    for record in records:
        groups.setdefault((record["data"], _shown_variant(record), record["method"]), []).append(record)
    order = sorted(groups, key=lambda key: (key[0], _natural(key[1]), key[2]))
    return [groups[key] for key in order]


def table(suite: str, records: list[Record]) -> list[str]:
    """One Markdown table: a row per data set, variant and method."""
    groups = _groups([*_with_rows_beside(records), *_over_variants(suite, records)])
    columns = [column for column in COLUMNS[suite] if any(column.cell(group) for group in groups)]
    heads = ["data", "variant", "method", "draws", *(column.head for column in columns), "published"]
    lines = [_row(heads), _row(["---"] * len(heads))]
    for group in groups:
        one = group[0]
        draws = sorted({record["draw"] for record in group})
        shown = f"{len(draws)} ({', '.join(map(str, draws))})"
        cells = [one["data"], _shown_variant(one), one["method"], shown]
        lines.append(_row([*cells, *(column.cell(group) for column in columns), published(one)]))
    return lines


def _shown_variant(record: Record) -> str:
    """The variant, and of some suites on how many samples and how the record was made."""
    if record["suite"] not in SCOPED:
        return str(record["variant"])
    return ", ".join(part for part in (record["variant"], *_scope(record)) if part)


def _scope(record: Record) -> list[str]:
    """Samples, epochs and preset of a record, whether its runs raced, and the precision of its steps."""
    settings, resolved = record["settings"], record["resolved"].get("parameters", {})
    rows = next(
        (record["metrics"][name] for name in ("train_rows", "rows") if name in record["metrics"]), None
    )
    found = [f"{rows:,} samples"] if rows else []
    if record["suite"] == "ddc-imbalance":  # each draw leaves another number of them
        found = [f"of {settings['train_rows']:,} samples"]
    if settings.get("epochs"):
        found.append(f"{settings['epochs']} epochs")
    preset = settings.get("parameters", {}).get("preset", "default")
    found += [f"preset {preset}"] if preset != "default" else []
    found += ["raced"] if record.get("raced", _is_raced(record)) else []
    return [*found, "bfloat16 steps"] if resolved.get("precision") == "bfloat16" else found


def _is_raced(record: Record) -> bool:
    return any(run.get("how") in RACED for run in record["runs"])


def _over_variants(suite: str, records: list[Record]) -> list[Record]:
    """The records again under one variant, those of methods that several have."""
    if suite not in AVERAGED:
        return []
    numbers = {
        method: len({record["variant"] for record in records if record["method"] == method})
        for method in {record["method"] for record in records}
    }
    return [
        record | {"variant": f"mean of {numbers[record['method']]} {AVERAGED[suite]}"}
        for record in records
        if numbers[record["method"]] > 1
    ]


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def section(suite: str, records: list[Record]) -> list[str]:
    """A suite's heading, table, departures, commands and machines."""
    lines = [f"## {suite}", "", f"{SUITES[suite].about}.", "", *table(suite, records), ""]
    departures: dict[str, set[str]] = {}
    for record in records:
        for departure in (*record["departures"], *_seen_departures(record)):
            departures.setdefault(departure, set()).add(record["method"])
    if departures:
        lines += ["Departures from the paper's protocol:", ""]
        lines += [f"- {', '.join(sorted(by))}: {text}" for text, by in sorted(departures.items())]
        lines.append("")
    lines += ["Made by:", ""]
    lines += [f"- `{command}`" for command in sorted({shown_command(record) for record in records})]
    lines += ["", "Taken on:", ""]
    lines += [f"- {place}" for place in sorted({_place(record) for record in records})]
    return [*lines, ""]


def shown_command(record: Record) -> str:
    """The command without the folder of its records, which says nothing of how they were made."""
    return re.sub(r" --out \S+", "", record["command"])


def _seen_departures(record: Record) -> list[str]:
    """Departures that the record's parameters show by themselves."""
    if record["suite"] in ("cifar10", "mnist-ccl"):
        return [OWN_FORM] if record["resolved"]["recipe"]["momentum"] == 0 else []
    if record["suite"] not in KCL_SUITES:
        return []
    views = record["resolved"].get("augment", "none")
    found = [] if views == "none" else [f"views: {views} of each training batch; the paper has none"]
    starts = record["settings"]["parameters"]["n_restarts"]
    if starts < KCL_STARTS:
        found.append(f"starts: {starts} in place of {KCL_STARTS} ({record['variant']})")
    return found


def _place(record: Record) -> str:
    machine, versions, commit = record["machine"], record["versions"], record["commit"]
    revision = (commit["revision"] or "unknown")[:10] + (" with changes" if commit["dirty"] else "")
    device = "" if machine["device"] == "cpu" else f", {machine['device']}"
    return (
        f"{machine['cpu'] or 'unknown processor'}, {machine['cpu_count']} cores, "
        f"{machine['torch_threads']} torch thread{'s' if machine['torch_threads'] > 1 else ''}{device}; "
        f"torch {versions['torch']}, Python {versions['python']}; commit {revision}"
    )


def page(records: list[Record]) -> str:
    """The whole page."""
    lines = [
        "# Results",
        "",
        "Made by `make tables` from `benchmarks/results/`; do not edit. Every result that is there is shown: "
        "the mean over all draws and, behind ±, their standard deviation. Labels draw the constraints and "
        "measure at the end; they choose no restart, epoch or checkpoint. "
        "ACC matches clusters to classes one to one on the rows it is measured on.",
        "",
    ]
    for suite in SUITES:
        of_suite = [record for record in records if record["suite"] == suite]
        if of_suite:
            lines += section(suite, of_suite)
    if not records:
        lines += ["No results have been committed yet.", ""]
    return "\n".join(lines)


def main(folder: Path = RESULTS, target: Path = PAGE) -> None:
    """Write the page."""
    text = page(read_all(folder))
    target.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(target) as temporary:
        temporary.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
    refresh(PAGE.read_text(encoding="utf-8"))
