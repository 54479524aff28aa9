"""The order of the guides."""

from __future__ import annotations

from pathlib import Path

# as a person learns
ORDER = (
    "first_hour",
    "no_labels",
    "some_pairs",
    "new_classes",
    "table_no_k",
    "many_sets",
    "text_words",
    "text_meaning",
    "add_a_method",
)


def place_of(guide: str) -> tuple[int, str]:
    """Where a guide stands; one that the order does not name comes last."""
    name = Path(guide).stem
    return (ORDER.index(name) if name in ORDER else len(ORDER), name)
