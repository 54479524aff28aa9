"""What statements mean, written down a second time without the code that is tested: one look at each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from coterie.corrections.journal import Entry


def contradicted(entries: Sequence[Entry], label_of: Mapping[str, int]) -> list[str]:
    """Statements of the journal that a clustering of names contradicts; -1 is no cluster.

    Parameters
    ----------
    entries : sequence of Entry
        All lines of a journal, in order.
    label_of : mapping of str to int
    """
    held = _held(entries)
    silent: list[tuple[int, list[str] | None]] = []
    dead: set[int] = set()
    for entry in held[::-1]:
        if entry.number not in dead:
            silent += entry.what.get("instead", [])
            dead |= {number for number, names in silent if names is None}
    held = [entry for entry in held if entry.number not in dead]
    into = _merged(held)
    found = []
    for entry in held:
        gone = {name for number, names in silent if number == entry.number for name in names or ()}
        found += [f"entry {entry.number}: {what}" for what in _broken(entry, gone, label_of, into)]
    return found


def _held(entries: Sequence[Entry]) -> list[Entry]:
    undone = set()
    for entry in entries:
        if entry.do == "undo":
            undone.add(entry.what["entry"])
        elif entry.do == "redo":
            undone.discard(entry.what["entry"])
    return [entry for entry in entries if entry.do not in ("undo", "redo") and entry.number not in undone]


def _merged(held: Sequence[Entry]) -> dict[int, int]:
    """A number for each cluster that was merged, the same for those that are one."""
    into: dict[int, int] = {}
    for entry in held:
        if entry.do == "merge":
            old = {into.get(cluster, cluster) for cluster in entry.what["clusters"]}
            new = min(old)
            clusters = set(into) | set(entry.what["clusters"])
            into |= {one: new for one in clusters if into.get(one, one) in old}
    return into


def _broken(entry: Entry, gone: set[str], label_of: Mapping[str, int], into: Mapping[int, int]) -> list[str]:
    what = entry.what
    names = [name for name in what.get("rows", ()) if name not in gone]
    labels = [into.get(label_of[name], label_of[name]) for name in names]
    cluster = into.get(what.get("cluster", 0), what.get("cluster", 0))
    if entry.do == "move":
        return [f"{name} not in {cluster}" for name, one in zip(names, labels, strict=True) if one != cluster]
    if entry.do == "wrong":
        return [f"{name} in {cluster}" for name, one in zip(names, labels, strict=True) if one == cluster]
    if entry.do == "answers":
        pairs = [pair for pair in what["pairs"] if not gone & set(pair[:2])]
        found = [(one, other, label_of[one], label_of[other], same) for one, other, same in pairs]
        return [
            f"{one} and {other} in {a} and {b}"
            for one, other, a, b, same in found
            if (same and a != b) or (not same and a == b != -1)
        ]
    if entry.do == "together" and len(set(labels)) > 1:
        return [f"{names} in {labels}"]
    if entry.do == "pair" and len(names) == 2:
        if what["same"] and labels[0] != labels[1]:
            return [f"{names} not together"]
        if not what["same"] and labels[0] == labels[1] != -1:
            return [f"{names} together"]
    if entry.do == "merge":
        hidden = set(what["clusters"]) - {_shown(label_of, what["clusters"])}
        return [f"{name} in {one}" for name, one in label_of.items() if one in hidden]
    return []


def _shown(label_of: Mapping[str, int], clusters: Sequence[int]) -> int | None:
    """The one of some merged clusters that has samples."""
    return next((cluster for cluster in label_of.values() if cluster in clusters), None)
