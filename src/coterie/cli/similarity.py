"""``coterie similarity fit``: learn from known classes, for the discovery of others."""

from __future__ import annotations

from pathlib import Path

from coterie._errors import InputError
from coterie.cli.commands import CHECKPOINT, MODEL, check_run, naming_the_way_on, open_run, read_pairs
from coterie.cli.parser import add_method_options, make_parser
from coterie.cli.table import format_table
from coterie.data import read_array, read_labels
from coterie.methods.persistence import save
from coterie.methods.similarity import SimilarityNetwork


def similarity(words: list[str]) -> None:
    """``coterie similarity``: its one action is fit."""
    if words[:1] != ["fit"]:
        if words and words[0] not in ("-h", "--help"):
            raise InputError(f"similarity: unknown action {words[0]!r}; fit is expected")
        words = ["fit", "--help"]
    _fit(words[1:])


def _fit(words: list[str]) -> None:
    parser = make_parser(
        "similarity fit",
        "Learn which items are of one class, for fit --similarity. DATA: .npy, .npz, .csv or idx file.",
    )
    parser.add_argument("data", metavar="DATA", type=str, help="file of items, one row each")
    parser.add_argument("--out", required=True, type=str, metavar="DIR", help="folder of the network")
    parser.add_argument(
        "--labels", type=str, default=None, metavar="FILE", help="file of labels; empty or -1 is unknown"
    )
    parser.add_argument(
        "--pairs", type=str, default=None, metavar="FILE", help="CSV or parquet with columns i, j, same"
    )
    parser.add_argument("--resume", action="store_true", help="go on in DIR where it stopped")
    parser.add_argument("--overwrite", action="store_true", help="replace the network in DIR")
    names = add_method_options(parser, SimilarityNetwork)
    options = parser.parse(words)
    run = Path(options.out)
    check_run(run, options.resume, options.overwrite)
    X = read_array(options.data)
    if options.labels is None and options.pairs is None:
        raise InputError("--labels, --pairs: none came; one of them is expected")
    y = None if options.labels is None else read_labels(options.labels)
    pairs = None if options.pairs is None else read_pairs(options.pairs, certain=False)
    params = {key: getattr(options, key) for key in names}
    model = SimilarityNetwork(**params, checkpoint_dir=str(run / CHECKPOINT), verbose=1)
    open_run(run, options.overwrite)
    with naming_the_way_on("similarity fit", words):
        model.fit(X, y, pairs=pairs)
    save(model, run / MODEL)
    print(_summary(run, model))


def _summary(run: Path, model: SimilarityNetwork) -> str:
    wrote = f"wrote {run}/"
    if not model.report_["pairs"]:
        return f"loss {model.loss_:.4f}; too little was held out to calibrate\n{wrote}"
    rows = [
        (kind, *(f"{model.report_[prefix + name]:.3f}" for name in ("precision", "recall", "log_loss")))
        for kind, prefix in (("stored", ""), ("of the batch", "batch_"))
    ]
    table = format_table(("statistics", "precision", "recall", "log loss"), rows)
    return f"held out: {int(model.report_['pairs'])} pairs\n{table}\n\nloss {model.loss_:.4f}\n{wrote}"
