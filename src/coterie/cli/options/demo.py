"""Options of `coterie demo`."""

from __future__ import annotations

from collections.abc import Sequence

from coterie.cli.parser import DashedParser, make_parser

N_IMAGES, N_PHOTOS = 1000, 200


def parser(words: Sequence[str]) -> DashedParser:
    """The options."""
    made = make_parser(
        "demo",
        "Cluster scikit-learn's digits: k-means, CCN from pairs, CCN from labels. With --method l2c: cluster "
        "sets of points with the model that comes with coterie.",
    )
    made.add_argument("--method", choices=("ccn", "l2c"), default="ccn", help="what to show")
    made.add_argument(
        "--images",
        type=str,
        default=None,
        metavar="DIR",
        help=f"write {N_IMAGES:,} of the digits into a new folder as images instead, to try the commands on",
    )
    made.add_argument(
        "--photos",
        type=str,
        default=None,
        metavar="DIR",
        help=f"write {N_PHOTOS} pieces of scikit-learn's two photos into a new folder instead",
    )
    made.add_argument("--random_state", type=int, default=0, metavar="SEED", help="seed (default: 0)")
    return made
