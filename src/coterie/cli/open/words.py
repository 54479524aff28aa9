"""What was said, in words: entries, chains of statements, names of clusters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from coterie.corrections.journal import Entry
from coterie.corrections.relations import Link, cluster_node
from coterie.corrections.statements import FIT, WITHDRAW
from coterie.corrections.workbench import Workbench


class Words:
    """Says what a workbench holds.

    Parameters
    ----------
    bench : Workbench
    """

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench
        self._names = bench.names

    def explain(self, chain: Sequence[Link]) -> list[dict[str, Any]]:
        """The statements of a contradiction in words, with who and when."""
        entries = self._bench.journal.entries
        found = []
        for link in chain:
            said = f"{self._node(link.a)} {'is' if link.same else 'is not'} {self._node(link.b)}"
            entry = entries[link.entry - 1] if 0 < link.entry <= len(entries) else None
            who = None if entry is None else {"who": entry.who, "at": entry.at, "entry": entry.number}
            now = "said now" if link.entry > len(entries) else "two clusters, not merged"
            found.append({"text": said, "by": who, "note": "" if who else now})
        return found

    def name_of(self, cluster: int) -> str:
        """What a cluster is called."""
        return self._bench.cluster_names.get(cluster) or (
            f"cluster {cluster}" if cluster >= 0 else "set aside"
        )

    def _node(self, node: int) -> str:
        if node >= 0:
            return self._names[node]
        return f"“{self.name_of(self._bench.canonical(cluster_node(node)))}”"

    def line(self, entry: Entry) -> dict[str, Any]:
        alone = entry.do not in (FIT, WITHDRAW)
        return {
            "entry": entry.number,
            "at": entry.at,
            "who": entry.who,
            "text": self.in_words(entry),
            "alone": alone,
        }

    def in_words(self, entry: Entry) -> str:
        what, rows = entry.what, entry.what.get("rows", ())
        samples = rows[0] if len(rows) == 1 else f"{len(rows)} samples"
        cluster = self.name_of(self._bench.canonical(what["cluster"])) if "cluster" in what else ""
        return {
            "pair": f"{' and '.join(rows)} are {'one thing' if what.get('same') else 'two things'}",
            "skip": f"skipped {' and '.join(rows)}",
            "answers": f"{len(what.get('pairs', ()))} answers of a file",
            "doubt": f"{' and '.join(rows)}: two answers that differ",
            "together": f"{samples} are one thing",
            "wrong": f"{samples} not in “{cluster}”",
            "move": f"{samples} to “{cluster}”",
            "merge": f"merged {len(what.get('clusters', ()))} clusters",
            "apart": f"{len(what.get('clusters', ()))} clusters are not one",
            "split": f"split “{cluster}” in {1 + len(what.get('parts', ()))}",
            "name": f"named “{what.get('name', '')}”",
            "withdraw": "took one action back",
            FIT: "learned from the corrections",
        }[entry.do]
