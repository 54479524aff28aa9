"""What each kind of action says: entries of the journal as statements about samples and clusters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from coterie.corrections.journal import Entry
from coterie.corrections.relations import Link, Relations, cluster_node

PAIR, TOGETHER, WRONG, MOVE, MERGE, SPLIT = "pair", "together", "wrong", "move", "merge", "split"
NAME, FIT, WITHDRAW, SKIP, ANSWERS = "name", "fit", "withdraw", "skip", "answers"
# two clusters are two; the second answer to a question differs from the first
APART, DOUBT = "apart", "doubt"
# what says nothing of samples that a fit could learn
WORDLESS = (NAME, FIT, WITHDRAW, SKIP, DOUBT)
# names of samples that an entry no longer speaks about; None: it says nothing any more
Silenced = Mapping[int, frozenset[str] | None]
Rows = Mapping[str, int]


def count_unlearned(entries: Sequence[Entry]) -> int:
    """How many entries that hold say something that is newer than the last new fit.

    Examples
    --------
    >>> entries = [Entry(n, "", "", do, {}) for n, do in enumerate(("wrong", "fit", "merge", "name"))]
    >>> count_unlearned(entries)
    1
    """
    last = max((place for place, entry in enumerate(entries) if entry.do == FIT), default=-1)
    return sum(entry.do not in WORDLESS for entry in entries[last + 1 :])


def relate(entries: Iterable[Entry], rows: Rows) -> Relations:
    """What entries say together.

    Parameters
    ----------
    entries : iterable of Entry
        Those that hold, in order.
    rows : mapping of str to int
        Row number by name; what is said of other names is left out.

    Raises
    ------
    Contradiction
        The first entry that contradicts those before it.

    Examples
    --------
    >>> said = [Entry(1, "", "", "wrong", {"rows": ["a"], "cluster": 0})]
    >>> relate(said, {"a": 0}).relation(0, cluster_node(0))
    -1
    """
    held = list(entries)
    quiet = silenced(held)
    relations = Relations()
    for entry in held:
        names = quiet.get(entry.number, frozenset())
        if names is None or entry.do not in _LINKS:
            continue
        for link in _LINKS[entry.do](entry.what, _Rows(rows, names)):
            relations.add(Link(*link, entry.number), merges=entry.do == MERGE)
    return relations


def silenced(entries: Sequence[Entry]) -> Silenced:
    """What later entries that hold took the place of: names by entry, or None for all of it."""
    quiet: dict[int, frozenset[str] | None] = {}
    for entry in reversed(entries):
        if quiet.get(entry.number, frozenset()) is None:
            continue
        for number, names in entry.what.get("instead", ()):
            before = quiet.get(number, frozenset())
            quiet[number] = None if names is None or before is None else before | frozenset(names)
    return quiet


class _Rows:
    """Row numbers of names, without those that are unknown or silenced."""

    def __init__(self, rows: Rows, silenced: frozenset[str]) -> None:
        self._rows, self._silenced = rows, silenced

    def __call__(self, names: Sequence[str]) -> list[int]:
        return [self._rows[name] for name in names if name in self._rows and name not in self._silenced]


Ends = Iterator[tuple[int, int, bool]]


def _pair(what: Mapping[str, Any], rows: _Rows) -> Ends:
    found = rows(what["rows"])
    if len(found) == 2:
        yield found[0], found[1], what["same"]


def _answers(what: Mapping[str, Any], rows: _Rows) -> Ends:
    for *names, same in what["pairs"]:
        found = rows(names)
        if len(found) == 2:
            yield found[0], found[1], same


def _together(what: Mapping[str, Any], rows: _Rows) -> Ends:
    first, *others = rows(what["rows"]) or [0]
    yield from ((first, other, True) for other in others)


def _wrong(what: Mapping[str, Any], rows: _Rows) -> Ends:
    yield from ((row, cluster_node(what["cluster"]), False) for row in rows(what["rows"]))


def _move(what: Mapping[str, Any], rows: _Rows) -> Ends:
    yield from ((row, cluster_node(what["cluster"]), True) for row in rows(what["rows"]))


def _merge(what: Mapping[str, Any], rows: _Rows) -> Ends:
    first, *others = map(cluster_node, what["clusters"])
    yield from ((first, other, True) for other in others)


def _apart(what: Mapping[str, Any], rows: _Rows) -> Ends:
    for a, b in combinations(what["clusters"], 2):
        yield cluster_node(a), cluster_node(b), False


def _split(what: Mapping[str, Any], rows: _Rows) -> Ends:
    parts = [what["cluster"], *(part["cluster"] for part in what["parts"])]
    yield from ((cluster_node(a), cluster_node(b), False) for a, b in combinations(parts, 2))


_LINKS: dict[str, Callable[[Mapping[str, Any], _Rows], Ends]] = {
    PAIR: _pair,
    ANSWERS: _answers,
    TOGETHER: _together,
    WRONG: _wrong,
    MOVE: _move,
    MERGE: _merge,
    APART: _apart,
    SPLIT: _split,
}


def clusters_in(entry: Entry) -> list[int]:
    """Ids of clusters that an entry mentions, in any place."""
    what = entry.what
    parts = [part["cluster"] for part in what.get("parts", ())]
    single = [what["cluster"]] if "cluster" in what else []
    return [*single, *parts, *what.get("clusters", ())]


def answers_in(entries: Iterable[Entry]) -> list[tuple[str, str, bool]]:
    """Pairs of samples of which it was said whether they belong together."""
    found: list[tuple[str, str, bool]] = []
    for entry in entries:
        if entry.do == PAIR:
            found.append((*entry.what["rows"], entry.what["same"]))
        elif entry.do == ANSWERS:
            found += map(tuple, entry.what["pairs"])
    return found


@dataclass
class Asked:
    """A question of the page about two samples.

    Attributes
    ----------
    names : (str, str)
    metadata : mapping
        What was known when it was asked first.
    votes : list of bool or None
        Answers in turn; None: skipped.
    held : list of int
        Entries that hold an answer.
    """

    names: tuple[str, str]
    metadata: Mapping[str, Any]
    votes: list[bool | None] = field(default_factory=list)
    held: list[int] = field(default_factory=list)


def asked_in(entries: Iterable[Entry]) -> list[Asked]:
    """Questions of the page in the order in which they were asked first.

    An answer that another statement took the place of is left out, but for the first of two that differ.

    Examples
    --------
    >>> said = [Entry(1, "", "", "pair", {"rows": ["a", "b"], "same": True, "asked": {"wrong": 0.1}})]
    >>> second = {"rows": ["a", "b"], "same": False, "asked": {}, "instead": [[1, None]]}
    >>> [found] = asked_in([*said, Entry(2, "", "", "doubt", second)])
    >>> found.votes, found.held
    ([True, False], [])
    """
    held = list(entries)
    answers = [one for one in held if one.do == SKIP or (one.do in (PAIR, DOUBT) and "asked" in one.what)]
    quiet = silenced([entry for entry in held if entry.do != DOUBT])
    found: dict[frozenset[str], Asked] = {}
    for entry in answers:
        rows = entry.what["rows"]
        silent = quiet.get(entry.number, frozenset())
        if silent is None or silent & set(rows):
            continue
        one = found.setdefault(frozenset(rows), Asked((rows[0], rows[1]), entry.what.get("asked", {})))
        one.votes.append(entry.what.get("same"))
        one.held = [] if entry.do == DOUBT else [*one.held, entry.number] if entry.do == PAIR else one.held
    return list(found.values())


def group_answers_in(entries: Iterable[Entry]) -> tuple[int, int, int]:
    """How many pairs of clusters were said to be one, alike and far from each other, and to be one or two."""
    near, far, n_asked = 0, 0, 0
    for entry in entries:
        if entry.do in (MERGE, APART):
            pairs = len(entry.what["clusters"]) - 1
            is_far = entry.what.get("asked", {}).get("far") == 1
            near += pairs * (entry.do == MERGE and not is_far)
            far += pairs * (entry.do == MERGE and is_far)
            n_asked += pairs
    return near, far, n_asked


def names_in(entries: Iterable[Entry]) -> dict[int, str]:
    """Names of clusters, the last one that each was given."""
    named = {entry.what["cluster"]: entry.what["name"] for entry in entries if "name" in entry.what}
    return {cluster: name for cluster, name in named.items() if name}
