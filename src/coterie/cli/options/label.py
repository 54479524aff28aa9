"""Options of `coterie label`."""

from __future__ import annotations

from collections.abc import Sequence

from coterie.cli.parser import DashedParser, make_parser

FILE = "pairs.csv"


def parser(words: Sequence[str]) -> DashedParser:
    """The options."""
    made = make_parser(
        "label",
        "Serve a page on this machine that asks whether pairs of rows belong together, those first whose "
        "answer helps most. Answers are kept at once; fit --pairs FILE --closure --neighbors 5 --init RUN "
        "uses them.",
    )
    made.add_argument("run", metavar="RUN", type=str, help="folder that coterie fit wrote")
    made.add_argument(
        "--data", type=str, default=None, metavar="DATA", help="data of the fit, where it has moved since"
    )
    made.add_argument(
        "--pairs", type=str, default=None, metavar="FILE", help=f"file of answers (default: {FILE} in RUN)"
    )
    made.add_argument("--port", type=int, default=0, metavar="N", help="port (default: a free one)")
    return made
