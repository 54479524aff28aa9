"""Options of `coterie encoders`."""

from __future__ import annotations

from collections.abc import Sequence

from coterie.cli.parser import DashedParser, make_parser


def parser(words: Sequence[str]) -> DashedParser:
    """The options."""
    made = make_parser(
        "encoders", "List the encoders: what each takes, the licence of its weights, and how to install it."
    )
    made.add_argument("--json", action="store_true", help="print the list as JSON")
    return made
