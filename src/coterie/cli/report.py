"""`coterie report`: one HTML file about a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from coterie._errors import InputError
from coterie.cli.parser import DashedParser, make_parser
from coterie.cli.run_folder import load_fitted
from coterie.data.files import atomic_write
from coterie.data.readers import labels_of
from coterie.report.html import ReportInput, render_report

FILE = "report.html"


def parser(words: Sequence[str]) -> DashedParser:
    """The options."""
    made = make_parser(
        "report", "Write one HTML page about a run. It opens anywhere and asks for nothing else."
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


def run(words: list[str]) -> None:
    """Write the page; an older one of the same run is replaced."""
    options = parser(words).parse(words)
    fitted = load_fitted(options.run, options.data)
    metadata, data, samples = fitted.metadata, fitted.data, fitted.samples
    labels = options.labels or metadata.get("labels")
    truth = None if labels is None else labels_of(labels, samples)
    if truth is not None and len(truth) != len(samples.X):
        raise InputError(
            f"--labels must have one label per row of {data}, {len(samples.X)}, got {len(truth)}"
        )
    said = {
        name: str(metadata[name]) for name in ("command", "version", "pairs", "labels") if metadata.get(name)
    }
    page = render_report(
        ReportInput(fitted.estimator, samples.X, samples.names, {"data": data} | said, fitted.columns, truth)
    )
    target = Path(options.run, FILE) if options.out is None else Path(options.out)
    with atomic_write(target) as temporary:
        temporary.write_text(page, encoding="utf-8")
    print(f"wrote {target}")
