"""`coterie methods`: what there is to choose from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from coterie.methods.registry import Listed, list_methods


def run(options: Any, words: Sequence[str]) -> None:
    """Print one line a method."""
    methods = list_methods()
    if options.json:
        print(json.dumps([_as_json(one) for one in methods]))
        return
    width = max(len(one.name) for one in methods) + 2
    for one in methods:
        source = ", ".join(one.papers) if one.package is None else f"(package {one.package})"
        print(f"{one.name:<{width}}{one.summary} {source}".rstrip())


def _as_json(one: Listed) -> dict[str, Any]:
    return {"name": one.name, "does": one.summary, "papers": list(one.papers), "package": one.package}
