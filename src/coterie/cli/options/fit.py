"""Options of `coterie fit`, those of the method that it is to use among them."""

from __future__ import annotations

import mimetypes
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from coterie._errors import InputError
from coterie.cli.options.labels import add_label_options
from coterie.cli.options.reading import add_reading_options
from coterie.cli.parser import DashedParser, add_method_options, asked_for, make_parser, method_parameters
from coterie.methods.registry import find_method, method_names, method_of, params_of, supervision_of

if TYPE_CHECKING:
    from coterie.methods.base import NeuralEstimator

# enough for any k that a network of this size finds, and in memory at once
SAMPLE_ROWS = 200_000
# of a first look: the rest of a minute reads and writes files
QUICK = "40s"
# supervision, by its name in an estimator's `fit`
_OPTION_OF = {"y": "labels", "pairs": "pairs", "similarity": "similarity"}
TABLES, FEATURES = "tables", "self-distillation"
_TABLES = (".csv", ".tsv", ".parquet", ".pq")
# what may be known of samples: labels, or pairs
_KNOWN = ("labels", "label", "pairs", "similarity")
# options that ask for a network on pictures as they are
_OWN_NETWORK = ("--backbone", "--image-size")
# by the first part of a file's media type
_MODALITY = {"image": "image", "audio": "sound", "text": "text"}
_DESCRIPTION = (
    "Cluster a data set. With --method l2c, learn from labels how to cluster other sets; with --method "
    "similarity, learn which samples belong to one class. Without --method, labels and pairs, a table is "
    "clustered by --method tables, and pictures, sounds and texts with an installed encoder by --method "
    "self-distillation. "
    "DATA: an .npy, .npz, .csv, .tsv, .txt, .jsonl, .parquet or idx file, or a folder of images, sounds or "
    ".txt files. Pictures, sounds and texts become vectors by an installed encoder (coterie encoders)."
)


def parser(words: Sequence[str]) -> DashedParser:
    """The options, those of the method that the words ask for among them."""
    name, init = _choose(words)
    made = _parser(name)
    if init is not None and type(init) is find_method(name):
        made.set_defaults(_as_in(init))
    return made


def _choose(words: Sequence[str]) -> tuple[str, NeuralEstimator | None]:
    """The method, and what the fit is to start from: whose method it is, where none is asked for."""
    place, name = asked_for(words, "init", "method")
    init = None if place is None else _load(place)
    if name is None:
        return _usual_method(words) if init is None else method_of(init), init
    params_of(name)
    return name, init


def _usual_method(words: Sequence[str]) -> str:
    """The method where none is asked for: if nothing is known, that of tables or of vectors of an encoder."""
    out, data, text, encoder, *known = asked_for(words, "out", "data", "text", "encoder", *_KNOWN)
    if any(known):
        return "ccn"
    places = [word for word in words if not word.startswith("-") and word != out] + [data or ""]
    if text is None and any(place.lower().endswith(_TABLES) for place in places):
        return TABLES
    own_network = any(word.partition("=")[0].replace("_", "-") in _OWN_NETWORK for word in words)
    if own_network or encoder == "none":
        return "ccn"
    is_encoded = text is not None or any(_has_encoder(place) for place in places if os.path.isdir(place))
    return FEATURES if is_encoded else "ccn"


def _has_encoder(folder: str) -> bool:
    """Whether a folder holds pictures, sounds or texts, and "auto" has an encoder for them."""
    from coterie.encoders.registry import list_encoders

    files = (name for _, _, names in os.walk(folder) for name in names)
    kinds = (mimetypes.guess_type(name, strict=False)[0] or "" for name in files)
    modality = next((_MODALITY[kind] for kind in map(_first_part, kinds) if kind in _MODALITY), None)
    return any(one.automatic and one.modality == modality and one.installed for one in list_encoders())


def _first_part(kind: str) -> str:
    return kind.partition("/")[0]


def _load(place: str) -> NeuralEstimator:
    from coterie.cli.run_folder import load_labeller  # torch, which other options do not need

    return load_labeller(place)


def _as_in(init: Any) -> dict[str, Any]:
    """Parameters that a fit takes over from an estimator of its own kind: what its network follows from."""
    declared = method_parameters(type(init))
    taken = {"n_clusters": init.n_outputs_} if "n_clusters" in declared else {}
    return taken | {name: getattr(init, name) for name, one in declared.items() if one.shapes_network}


def _parser(name: str) -> DashedParser:
    made = make_parser("fit", _DESCRIPTION)
    made.add_argument("data", metavar="DATA", type=str, help="file of samples, one row each, or a folder")
    made.add_argument("--out", required=True, type=str, metavar="RUN", help="folder of the run")
    made.add_argument("--method", default=name, metavar="NAME", help=f"one of {', '.join(method_names())}")
    made.add_argument(
        "--labels", type=str, default=None, metavar="FILE", help="file of labels; empty or -1 is unknown"
    )
    made.add_argument(
        "--pairs", type=str, default=None, metavar="FILE", help="CSV or Parquet file with columns i, j, same"
    )
    made.add_argument(
        "--similarity", type=str, default=None, metavar="DIR", help="run of --method similarity"
    )
    made.add_argument("--uncertain_pairs", action="store_true", help="pairs may contradict each other")
    made.add_argument(
        "--closure", action="store_true", help="also use the pairs that follow from the given ones"
    )
    made.add_argument(
        "--neighbors",
        type=int,
        default=0,
        metavar="N",
        help="also apply each pair to the N nearest neighbors of its samples",
    )
    made.add_argument(
        "--init",
        type=str,
        default=None,
        metavar="RUN",
        help="start from the weights of a run, with its method, number of clusters and network",
    )
    made.add_argument(
        "--log_with",
        type=str,
        default=None,
        metavar="NAME",
        help="report each epoch to a tracker: tensorboard",
    )
    made.add_argument(
        "--sample_rows",
        type=int,
        default=SAMPLE_ROWS,
        metavar="N",
        help=f"samples that fit draws from all shards (default: {SAMPLE_ROWS:,}); predict labels the others",
    )
    made.add_argument("--resume", action="store_true", help="resume the run in RUN where it stopped")
    made.add_argument("--overwrite", action="store_true", help="replace the run in RUN")
    made.add_argument(
        "--quick", action="store_true", help=f"a first look within a minute: --time-limit {QUICK}"
    )
    add_label_options(made, threshold=0.0)
    made.add_argument("--json", action="store_true", help="print the results as JSON")
    add_reading_options(made)
    made.add_argument(
        "--embeddings",
        type=str,
        default=None,
        metavar="DIR",
        help="folder of an encoder's vectors; several runs may share it (default: embeddings in RUN)",
    )
    made.add_argument("--config", action="config", metavar="FILE", help="YAML file of these options")
    add_method_options(made, params_of(name))
    made.checks.append(_check)
    return made


def _check(options: Any) -> None:
    """Raise where options exclude each other or do not fit the method."""
    for one, other in (("labels", "label"), ("resume", "overwrite"), ("quick", "time_limit")):
        # a method may have no limit of time
        if getattr(options, one) and getattr(options, other, None):
            names = f"--{one} and --{other.replace('_', '-')}"
            raise InputError(f"{names} must not be combined; give one of them")
    supervision = supervision_of(options.method)
    if options.sample_rows < 2:
        raise InputError(f"--sample-rows={options.sample_rows} must be >= 2")
    given = [key for key, option in _OPTION_OF.items() if getattr(options, option) is not None]
    for key in given:
        if key not in supervision.accepted:
            raise InputError(f"--method {options.method} does not accept --{_OPTION_OF[key]}")
    # a run that is started from may have named a column of classes
    if not given and options.label is None and options.init is None:
        check_supervised(options.method, {})


def check_supervised(method: str, given: Mapping[str, Any]) -> None:
    """Raise where a method needs labels, pairs or a similarity network, and none is given."""
    accepted, required = supervision_of(method)
    if required and not given:
        asked = ", ".join(f"--{option}" for key, option in _OPTION_OF.items() if key in accepted)
        raise InputError(f"--method {method} requires one of {asked}")
