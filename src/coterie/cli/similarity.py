"""`coterie similarity fit`: learn from known classes what is alike, for the discovery of others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from coterie._errors import InputError
from coterie.cli.parser import (
    DashedParser,
    add_method_options,
    make_parser,
)
from coterie.cli.reading import add_reading_options, reading_options
from coterie.cli.run_folder import CHECKPOINT, MODEL, check_run, naming_the_way_on, opened_run, read_pairs
from coterie.cli.table import format_table
from coterie.data import read_samples
from coterie.data.readers import labels_of
from coterie.methods.persistence import save
from coterie.methods.similarity import SimilarityNetwork

HELP = "similarity fit: learn from known classes what is alike"
_DESCRIPTION = (
    "Learn which samples are of one class, for fit --similarity. DATA: an .npy, .npz, .csv, .parquet or idx "
    "file, or a folder of images or of sounds."
)


def parser(words: Sequence[str]) -> DashedParser:
    """The options of ``similarity fit``."""
    return _parser()[0]


def run(words: list[str]) -> None:
    """Train a similarity network, write it and say how well it does on held out classes."""
    if words[:1] != ["fit"]:
        if words and words[0] not in ("-h", "--help"):
            raise InputError(f"similarity: unknown action {words[0]!r}; fit is expected")
        words = ["fit", "--help"]
    _fit(words[1:])


def _fit(words: list[str]) -> None:
    options_of, names = _parser()
    options = options_of.parse(words)
    folder = Path(options.out)
    check_run(folder, options.resume, options.overwrite)
    samples = read_samples(options.data, reading_options(options))
    if options.labels is None and options.pairs is None and samples.labels is None:
        raise InputError("--labels, --label, --pairs: none came; one of them is expected")
    y = samples.labels
    if options.labels is not None:
        y = labels_of(options.labels, samples)
    pairs = None if options.pairs is None else read_pairs(options.pairs, hard=False, ids=samples.ids)
    params = {key: getattr(options, key) for key in names}
    model = SimilarityNetwork(**params, checkpoint_dir=str(folder / CHECKPOINT), verbose=1)
    with opened_run(folder, options.overwrite), naming_the_way_on("similarity fit", words):
        model.fit(samples, y, pairs=pairs)
        save(model, folder / MODEL)
    print(_summary(folder, model))


def _parser() -> tuple[DashedParser, list[str]]:
    made = make_parser("similarity fit", _DESCRIPTION)
    made.add_argument("data", metavar="DATA", type=str, help="file of samples, one row each, or a folder")
    made.add_argument("--out", required=True, type=str, metavar="DIR", help="folder of the network")
    made.add_argument(
        "--labels", type=str, default=None, metavar="FILE", help="file of labels; empty or -1 is unknown"
    )
    made.add_argument(
        "--pairs", type=str, default=None, metavar="FILE", help="CSV or parquet with columns i, j, same"
    )
    made.add_argument("--resume", action="store_true", help="go on in DIR where it stopped")
    made.add_argument("--overwrite", action="store_true", help="replace the network in DIR")
    add_reading_options(made)
    return made, add_method_options(made, SimilarityNetwork)


def _summary(folder: Path, model: SimilarityNetwork) -> str:
    wrote = f"wrote {folder}/"
    if not model.report_["pairs"]:
        return f"loss {model.loss_:.4f}; too little was held out to calibrate\n{wrote}"
    rows = [
        (kind, *(f"{model.report_[prefix + name]:.3f}" for name in ("precision", "recall", "log_loss")))
        for kind, prefix in (("stored", ""), ("of the batch", "batch_"))
    ]
    table = format_table(("statistics", "precision", "recall", "log loss"), rows)
    return f"held out: {int(model.report_['pairs'])} pairs\n{table}\n\nloss {model.loss_:.4f}\n{wrote}"
