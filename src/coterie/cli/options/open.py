"""Options of `coterie open`."""

from __future__ import annotations

from collections.abc import Sequence

from coterie.cli.parser import DashedParser, make_parser


def parser(words: Sequence[str]) -> DashedParser:
    """The options."""
    made = make_parser(
        "open",
        "Serve a page on this machine that shows the clusters of a run and takes corrections: wrong here, "
        "move, merge, split, same or different. Corrections are saved at once, and a new "
        "fit never undoes them.",
    )
    made.add_argument("run", metavar="RUN", type=str, help="folder that coterie fit wrote")
    made.add_argument(
        "--data", type=str, default=None, metavar="DATA", help="data of the fit, where it has moved since"
    )
    made.add_argument(
        "--who",
        type=str,
        default=None,
        metavar="NAME",
        help="name to record with the corrections (default: the user's)",
    )
    made.add_argument("--port", type=int, default=0, metavar="N", help="port (default: a free one)")
    return made
