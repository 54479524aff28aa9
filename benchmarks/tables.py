"""Tables of all committed results: ``python -m benchmarks.tables`` writes docs/results.md
and brings the numbers of docs/papers.md and docs/side_by_side.md up to date.

Every record is shown: a mean is over all draws that are there, and nothing is left out for being bad.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from benchmarks.columns import Record
from benchmarks.papers import refresh
from benchmarks.record import RESULTS, ROOT, read_all
from benchmarks.side_by_side import refresh as refresh_side_by_side
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
    columns = [column for column in SUITES[suite].columns if any(column.cell(group) for group in groups)]
    heads = ["data", "variant", "method", "draws", *(column.head for column in columns), "published"]
    lines = [_row(heads), _row(["---"] * len(heads))]
    for group in groups:
        one = group[0]
        draws = sorted({record["draw"] for record in group})
        shown = f"{len(draws)} ({', '.join(map(str, draws))})"
        cells = [one["data"], _shown_variant(one), one["method"], shown]
        cells += [column.cell(group) for column in columns]
        lines.append(_row([*cells, SUITES[suite].published_for(one)]))
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
    refresh_side_by_side(read_all())
