"""Options of `coterie evaluate`."""

from __future__ import annotations

from collections.abc import Sequence

from coterie.cli.parser import DashedParser, make_parser


def parser(words: Sequence[str]) -> DashedParser:
    """The options."""
    made = make_parser(
        "evaluate",
        "Compare a clustering with known labels. Samples with an unknown label or without a cluster are "
        "ignored.",
    )
    made.add_argument(
        "clusters", metavar="LABELS", type=str, help="file of clusters, such as the labels.csv of a run"
    )
    made.add_argument(
        "--labels",
        required=True,
        type=str,
        metavar="FILE",
        help="file of known labels; empty or -1 is unknown",
    )
    made.add_argument("--json", action="store_true", help="print the results as JSON")
    return made
