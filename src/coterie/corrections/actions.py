"""What a page asks for, checked and written as an entry says it: samples by their names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from coterie._errors import InputError
from coterie.corrections.shown import Shown
from coterie.corrections.statements import (
    ANSWERS,
    APART,
    DOUBT,
    MERGE,
    MOVE,
    NAME,
    PAIR,
    SKIP,
    SPLIT,
    TOGETHER,
    WITHDRAW,
    WRONG,
)

LONGEST_NAME = 80
MOST_PARTS = 12


@dataclass(frozen=True)
class Around:
    """What an action may refer to.

    Attributes
    ----------
    names : sequence of str
        Of the samples.
    shown : Shown
    fresh : int
        The first id that no cluster has ever had.
    held : sequence of int
        Numbers of the actions that hold and can be taken back alone.
    """

    names: Sequence[str]
    shown: Shown
    fresh: int
    held: Sequence[int]

    def rows(self, given: Mapping[str, Any], fewest: int = 1) -> list[int]:
        """Row numbers, each once."""
        rows = given.get("rows")
        if not isinstance(rows, list) or not all(type(row) is int for row in rows):
            raise InputError(f"rows={rows!r:.60} must be a list of row numbers")
        if not all(0 <= row < len(self.names) for row in rows):
            raise InputError(f"rows={rows!r:.60} must be in 0..{len(self.names) - 1}")
        found = list(dict.fromkeys(rows))
        if len(found) < fewest:
            raise InputError(f"rows={rows!r:.60} must name at least {fewest} samples")
        return found

    def named(self, rows: Sequence[int]) -> list[str]:
        """Names of rows."""
        return [self.names[row] for row in rows]

    def cluster(self, given: Any) -> int:
        """The id of a cluster that is shown."""
        if type(given) is not int or given not in self.shown.clusters:
            raise InputError(f"cluster={given!r:.40} must be the id of a cluster")
        return given


def written(do: str, given: Mapping[str, Any], around: Around) -> dict[str, Any]:
    """What an action's entry says.

    Parameters
    ----------
    do : str
        Kind of action.
    given : mapping
        Its arguments; samples are row numbers. "asked": what was known of the question that it answers.
    around : Around

    Raises
    ------
    InputError
        No action is called so, or an argument is out of range.
    """
    if do not in _WRITTEN:
        raise InputError(f"do={do!r:.40} must be one of {', '.join(_WRITTEN)}")
    found = _WRITTEN[do](given, around)
    return found | {"asked": _metadata(given["asked"])} if "asked" in given else found


def _pair(given: Mapping[str, Any], around: Around) -> dict[str, Any]:
    rows, same = around.rows(given, 2), given.get("same")
    if len(rows) != 2 or not isinstance(same, bool):
        raise InputError(
            f"a pair must have two samples and same=true or false, got {len(rows)}, {same!r:.20}"
        )
    return {"rows": around.named(rows), "same": same}


def _skip(given: Mapping[str, Any], around: Around) -> dict[str, Any]:
    rows = around.rows(given, 2)
    if len(rows) != 2:
        raise InputError(f"a question must be about two samples, got {len(rows)}")
    return {"rows": around.named(rows)}


def _doubt(given: Mapping[str, Any], around: Around) -> dict[str, Any]:
    """A second answer that differs from the first, which does not hold until there is a third."""
    numbers = given.get("entries")
    if not isinstance(numbers, list) or not all(type(one) is int and one in around.held for one in numbers):
        raise InputError(f"entries={numbers!r:.60} must be numbers of actions that are not undone")
    return _pair(given, around) | {"instead": [[number, None] for number in numbers]}


def _metadata(given: Any) -> dict[str, float]:
    """What was known of a question when it was asked: numbers by their names."""
    if not isinstance(given, Mapping) or not all(type(value) in (int, float) for value in given.values()):
        raise InputError(f"asked={given!r:.60} must have numbers alone")
    return dict(given)


def _answers(given: Mapping[str, Any], around: Around) -> dict[str, Any]:
    """Many pairs at once, of a file."""
    pairs = given.get("pairs")
    if not isinstance(pairs, list) or not pairs:
        raise InputError("pairs must be a list of at least one pair")
    return {"pairs": [[*said["rows"], said["same"]] for said in (_pair(pair, around) for pair in pairs)]}


def _together(given: Mapping[str, Any], around: Around) -> dict[str, Any]:
    return {"rows": around.named(around.rows(given, 2))}


def _wrong(given: Mapping[str, Any], around: Around) -> dict[str, Any]:
    return {"rows": around.named(around.rows(given)), "cluster": around.cluster(given.get("cluster"))}


def _move(given: Mapping[str, Any], around: Around) -> dict[str, Any]:
    """To a cluster, or to a new one where none is given."""
    rows = around.named(around.rows(given))
    if given.get("cluster") is None:
        return {
            "rows": rows,
            "cluster": around.fresh,
            "new": True,
            "name": _checked_name(given.get("name", "")),
        }
    return {"rows": rows, "cluster": around.cluster(given["cluster"])}


def _clusters(given: Mapping[str, Any], around: Around) -> dict[str, Any]:
    clusters = given.get("clusters")
    if not isinstance(clusters, list):
        raise InputError(f"clusters={clusters!r:.60} must be a list of ids")
    found = list(dict.fromkeys(around.cluster(cluster) for cluster in clusters))
    if len(found) < 2:
        raise InputError(f"clusters={clusters!r:.60} must name at least two clusters")
    return {"clusters": found}


def _split(given: Mapping[str, Any], around: Around) -> dict[str, Any]:
    cluster, parts = around.cluster(given.get("cluster")), given.get("parts")
    members = set((around.shown.labels == cluster).nonzero()[0].tolist())
    if len(members) < 2:
        raise InputError(f"cluster={cluster} must have at least 2 samples to be split, got {len(members)}")
    if not isinstance(parts, list) or not 1 <= len(parts) < MOST_PARTS:
        raise InputError(f"parts must be a list of 1 to {MOST_PARTS - 1} lists of row numbers")
    rows = [around.rows({"rows": part}) for part in parts]
    together = [row for part in rows for row in part]
    if len(set(together)) != len(together) or not set(together) < members:
        raise InputError(f"parts must be disjoint, belong to cluster={cluster}, and leave a sample in it")
    return {
        "cluster": cluster,
        "parts": [
            {"cluster": around.fresh + place, "rows": around.named(part)} for place, part in enumerate(rows)
        ],
    }


def _name(given: Mapping[str, Any], around: Around) -> dict[str, Any]:
    return {"cluster": around.cluster(given.get("cluster")), "name": _checked_name(given.get("name"))}


def _withdraw(given: Mapping[str, Any], around: Around) -> dict[str, Any]:
    """Take an earlier entry back, whenever it was made."""
    number = given.get("entry")
    if type(number) is not int or number not in around.held:
        raise InputError(f"entry={number!r:.40} must be the number of an action that is not undone")
    return {"instead": [[number, None]]}


def _checked_name(given: Any) -> str:
    text = " ".join(given.split()) if isinstance(given, str) else None
    if text is None or len(text) > LONGEST_NAME or not text.isprintable():
        raise InputError(f"name={given!r:.100} must be a text of at most {LONGEST_NAME} characters")
    return text


_WRITTEN: dict[str, Callable[[Mapping[str, Any], Around], dict[str, Any]]] = {
    PAIR: _pair,
    SKIP: _skip,
    ANSWERS: _answers,
    TOGETHER: _together,
    WRONG: _wrong,
    MOVE: _move,
    DOUBT: _doubt,
    MERGE: _clusters,
    APART: _clusters,
    SPLIT: _split,
    NAME: _name,
    WITHDRAW: _withdraw,
}
