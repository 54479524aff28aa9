"""Options of `coterie methods`."""

from __future__ import annotations

from collections.abc import Sequence

from coterie.cli.parser import DashedParser, make_parser


def parser(words: Sequence[str]) -> DashedParser:
    """The options."""
    made = make_parser("methods", "List the methods: what each does, and the papers it is from.")
    made.add_argument("--json", action="store_true", help="print the list as JSON")
    return made
