"""Options of `coterie completion`."""

from __future__ import annotations

from collections.abc import Sequence

from coterie.cli.parser import DashedParser, make_parser

SHELLS = ("bash", "zsh", "fish")


def parser(words: Sequence[str]) -> DashedParser:
    """The options."""
    made = make_parser(
        "completion",
        'Print a completion script. bash and zsh: eval "$(coterie completion bash)" in the start-up file; '
        "fish: coterie completion fish | source.",
    )
    made.add_argument("shell", choices=SHELLS, metavar="SHELL", help=f"one of {', '.join(SHELLS)}")
    return made
