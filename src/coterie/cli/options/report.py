"""Options of `coterie report`."""

from __future__ import annotations

from collections.abc import Sequence

from coterie.cli.parser import DashedParser, make_parser

FILE = "report.html"


def parser(words: Sequence[str]) -> DashedParser:
    """The options."""
    made = make_parser(
        "report", "Write one HTML page about a run. The page needs no other file and no network."
    )
    made.add_argument("run", metavar="RUN", type=str, help="folder that coterie fit wrote")
    made.add_argument(
        "--data", type=str, default=None, metavar="DATA", help="data of the fit, where it has moved since"
    )
    made.add_argument(
        "--labels",
        type=str,
        default=None,
        metavar="FILE",
        help="file of known labels (default: those of the fit); empty or -1 is unknown",
    )
    made.add_argument(
        "--out", type=str, default=None, metavar="FILE", help=f"HTML file (default: {FILE} in RUN)"
    )
    return made
