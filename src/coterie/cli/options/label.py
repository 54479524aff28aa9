"""Options of `coterie label`."""

from __future__ import annotations

from collections.abc import Sequence

from coterie.cli.parser import DashedParser, make_parser


def parser(words: Sequence[str]) -> DashedParser:
    """The options."""
    made = make_parser(
        "label",
        "Serve the page of coterie open and start with questions: do these two samples belong together? The "
        "most useful questions come first. Each answer is saved and shown at once, and written to "
        "RUN/pairs.csv, which fit --pairs RUN/pairs.csv --closure --neighbors 5 --init RUN uses.",
    )
    made.add_argument("run", metavar="RUN", type=str, help="folder that coterie fit wrote")
    made.add_argument(
        "--data", type=str, default=None, metavar="DATA", help="data of the fit, where it has moved since"
    )
    made.add_argument(
        "--pairs", type=str, default=None, metavar="FILE", help="answers to take over first: i,j,same"
    )
    made.add_argument(
        "--who",
        type=str,
        default=None,
        metavar="NAME",
        help="name to record with the answers (default: the user's)",
    )
    made.add_argument("--port", type=int, default=0, metavar="N", help="port (default: a free one)")
    return made
