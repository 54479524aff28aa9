"""`coterie encoders`: what makes vectors of pictures, sounds and texts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from coterie.encoders.registry import Listed, list_encoders

_KEPT = ("name", "modality", "licence", "source", "install")


def run(options: Any, words: Sequence[str]) -> None:
    """Print two lines an encoder."""
    found = list_encoders()
    if options.json:
        listed = [asdict(one) | {"installed": one.installed} for one in found]
        print(json.dumps([{name: one[name] for name in (*_KEPT, "installed")} for one in listed]))
        return
    width = max(len(one.name) for one in found) + 2
    for one in found:
        print(f"{one.name:<{width}}{one.modality or 'any':<7}{one.licence}; {one.source}")
        print(f"{'':<{width}}{_state(one)}")


def _state(one: Listed) -> str:
    return "installed" if one.installed else f"pip install {one.install}"
