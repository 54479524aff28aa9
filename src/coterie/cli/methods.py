"""`coterie methods`: what there is to choose from."""

from __future__ import annotations

import inspect
import json
import re
import sys
from collections.abc import Sequence

from coterie.cli.parser import DashedParser, make_parser
from coterie.methods.base import NeuralEstimator
from coterie.methods.registry import ALL_METHODS

HELP = "list the methods"


def parser(words: Sequence[str]) -> DashedParser:
    """The options."""
    made = make_parser("methods", "List the methods: what each does, and the papers it is from.")
    made.add_argument("--json", action="store_true", help="print the list as JSON")
    return made


def run(words: list[str]) -> None:
    """Print one line a method."""
    options = parser(words).parse(words)
    listed = [
        {
            "name": name,
            "does": inspect.cleandoc(kind.__doc__ or "").partition("\n")[0],
            "papers": papers(kind),
        }
        for name, kind in ALL_METHODS.items()
    ]
    if options.json:
        print(json.dumps(listed))
        return
    for entry in listed:
        print(f"{entry['name']:<8}{entry['does']} {', '.join(entry['papers'])}".rstrip())


def papers(kind: type[NeuralEstimator]) -> list[str]:
    """arXiv numbers in the docstrings of a method's file and class, in their order."""
    text = f"{sys.modules[kind.__module__].__doc__} {kind.__doc__}"
    return list(dict.fromkeys(re.findall(r"arXiv:\d{4}\.\d{4,5}", text)))
