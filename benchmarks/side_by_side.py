"""The tables of docs/side_by_side.md, made of the records of the suite peers."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from benchmarks.clustpy_fit import CLASSES as CLUSTPY
from benchmarks.columns import Record
from benchmarks.record import ROOT
from benchmarks.suites.peers import DATA, N_PAIRS, OURS, OURS_PAIRED, PAIRED, SKLEARN, is_meant_for
from coterie.data.files import atomic_write

PAGE = ROOT / "docs" / "side_by_side.md"
START, END = "<!-- made by `make tables`: do not edit -->", "<!-- end of the tables -->"
PENDING = "not measured"
MADE_BY = {
    **dict.fromkeys(SKLEARN, "scikit-learn"),
    **dict.fromkeys(CLUSTPY, "ClustPy"),
    **dict.fromkeys(PAIRED, "from its paper"),
    **dict.fromkeys((*OURS, *OURS_PAIRED), "coterie"),
}
PEER = "mpck-means"
Cell = tuple[str, str, str]


def refreshed(text: str, records: Sequence[Record]) -> str:
    """The page with the tables between its two marks made anew."""
    before, _, rest = text.partition(START)
    after = rest.partition(END)[2]
    return f"{before}{START}\n\n{chr(10).join(tables(records))}\n\n{END}{after}"


def tables(records: Sequence[Record]) -> list[str]:
    """ACC without and with pairs, then where CCN is above MPCK-means and where it is not."""
    of_peers = [one for one in records if one["suite"] == "peers"]
    groups: dict[Cell, list[Record]] = {}
    for one in of_peers:
        groups.setdefault((one["data"], one["variant"], one["method"]), []).append(one)
    alone = (*SKLEARN, *CLUSTPY, *OURS)
    lines = ["Without labels or pairs:", "", *_table(groups, alone, "")]
    for n_pairs in N_PAIRS:
        lines += ["", f"From {n_pairs:,} random pairs:", ""]
        lines += _table(groups, (*PAIRED, *OURS_PAIRED), f"n{n_pairs}")
    return [*lines, "", *_comparison(groups)]


def _table(groups: dict[Cell, list[Record]], methods: Sequence[str], variant: str) -> list[str]:
    """A row per method and a column per data set, the best of each column in bold."""
    best = {
        name: max((_mean(groups.get((name, variant, one), [])) or 0.0 for one in methods), default=0.0)
        for name in DATA
    }
    lines = [f"| method | of | {' | '.join(DATA)} |", f"|{'---|' * (2 + len(DATA))}"]
    for method in methods:
        cells = [_cell(groups.get((name, variant, method), []), method, name, best[name]) for name in DATA]
        lines.append(f"| {method} | {MADE_BY[method]} | {' | '.join(cells)} |")
    return lines


def _mean(records: Sequence[Record]) -> float | None:
    """Mean ACC in percent of the draws that have a clustering."""
    values = [100 * one["metrics"]["accuracy"] for one in records if "accuracy" in one["metrics"]]
    return statistics.fmean(values) if values else None


def _cell(records: Sequence[Record], method: str, name: str, best: float) -> str:
    if not records:
        return PENDING if is_meant_for(method, name) else ""
    mean = _mean(records)
    failed = sum(one["metrics"].get("failed", 0) == 1 for one in records)
    note = f", no clustering in {failed} of {len(records)} draws" if failed else ""
    if mean is None:
        return note.removeprefix(", ")
    took = statistics.fmean(
        one["metrics"]["processor_seconds"] for one in records if "accuracy" in one["metrics"]
    )
    shown = f"**{mean:.1f}**" if mean == best else f"{mean:.1f}"
    draws = len(records) - failed
    return f"{shown} ({draws} draw{'s' if draws > 1 else ''}, {_seconds(took)}{note})"


def _seconds(value: float) -> str:
    """Two digits at least, so that no fit takes 0.0 s."""
    return f"{value:.2g} s" if value < 10 else f"{value:.0f} s"


def _comparison(groups: dict[Cell, list[Record]]) -> list[str]:
    """For each data set and number of pairs, by how much CCN is above or below MPCK-means."""
    lines = ["CCN against MPCK-means with the same pairs, in points of ACC (draws that both have):", ""]
    found = [
        line
        for name in DATA
        for n_pairs in N_PAIRS
        for method in OURS_PAIRED
        if (line := _gap(groups, name, n_pairs, method))
    ]
    return lines + (found or ["- " + PENDING + "."])


def _gap(groups: dict[Cell, list[Record]], name: str, n_pairs: int, method: str) -> str:
    """By how much a method is above or below MPCK-means, or nothing without a common draw."""
    ours = {one["draw"]: one for one in groups.get((name, f"n{n_pairs}", method), [])}
    theirs = {one["draw"]: one for one in groups.get((name, f"n{n_pairs}", PEER), [])}
    draws = sorted(set(ours) & set(theirs))
    if not draws:
        return ""
    gap = (_mean([ours[draw] for draw in draws]) or 0) - (_mean([theirs[draw] for draw in draws]) or 0)
    of = f"{len(draws)} draw{'s' if len(draws) > 1 else ''}"
    return (
        f"- {name}, {n_pairs:,} pairs, {method}: {abs(gap):.1f} {'above' if gap > 0 else '**below**'} ({of})."
    )


def refresh(records: Sequence[Record]) -> None:
    """Write the page again with the tables of these records."""
    text = refreshed(PAGE.read_text(encoding="utf-8"), records)
    with atomic_write(PAGE) as temporary:
        temporary.write_text(text, encoding="utf-8")
