"""X as numbers where it holds files or texts: through the estimator's encoder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from coterie._errors import InputError
from coterie.data import readers
from coterie.data.items import IMAGE, Items, as_items, picture_items
from coterie.data.modality import find_modality, modality_of_shape
from coterie.data.readers import Samples
from coterie.encoders.choice import check_same, choose_encoder, encoder_of
from coterie.encoders.embedding import embed_items
from coterie.encoders.registry import AUTO
from coterie.params.checks import check_encoder

FOLDER = "embeddings"


def embed_x(estimator: Any, X: Any, reset: bool) -> Any:
    """X, or the vectors of its files or texts; remembers the encoder when `reset`.

    Parameters
    ----------
    estimator : NeuralEstimator
    X : object
        Items, a list of paths or of texts, or numbers, which stay as they are. Samples that were embedded
        before keep what is known of their encoder.
    reset : bool

    Raises
    ------
    InputError
        X needs an encoder and there is none, or it is not the one that is needed.
    """
    check_encoder("encoder", estimator.encoder)
    metadata = X.how.get("encoder") if isinstance(X, Samples) else None
    if metadata is not None:
        if reset:
            estimator.encoder_ = dict(metadata)
        else:
            check_same(_known(estimator, "vectors of an encoder"), metadata)
        return X
    items = X if isinstance(X, Items) else as_items(X, lambda: readers.path_endings())
    if items is None:
        items = _pictures_of(estimator.encoder, X) if reset else _new_pictures(estimator, X)
    if items is None:
        if reset:
            estimator.encoder_ = None
        return X
    return _embed(estimator, items, reset)


def _embed(estimator: Any, items: Items, reset: bool) -> Samples:
    plural = find_modality(items.modality).plural
    if not reset:
        encoder = encoder_of(_known(estimator, plural), estimator.encoder)
    elif estimator.encoder is None:
        raise InputError(f"X holds {plural}, which need an encoder: encoder='auto', or a name")
    else:
        encoder = choose_encoder(estimator.encoder, items.modality)
    folder = None if estimator.checkpoint_dir is None else Path(estimator.checkpoint_dir) / FOLDER
    samples = embed_items(
        items, encoder, folder=folder, n_jobs=estimator.n_jobs, shown=bool(estimator.verbose)
    )
    if reset:
        estimator.encoder_ = samples.how["encoder"]
    return samples


def _known(estimator: Any, given: str) -> dict[str, Any]:
    """What is known of the encoder of the fit."""
    if estimator.encoder_ is None:
        raise InputError(f"X must hold numbers, as in fit, got {given}")
    known: dict[str, Any] = estimator.encoder_
    return known


def _new_pictures(estimator: Any, X: Any) -> Items | None:
    """Arrays of pictures, where the fit had an encoder of pictures; vectors are taken as its own."""
    metadata = getattr(estimator, "encoder_", None)
    values = X.X if isinstance(X, Samples) else X
    if metadata is None or metadata["modality"] != IMAGE or not hasattr(values, "__array__"):
        return None
    return picture_items(values)


def _pictures_of(encoder: Any, X: Any) -> Items | None:
    """Arrays of pictures as items, where an encoder is named; other numbers have no encoder."""
    if encoder is None or encoder == AUTO:
        return None
    values = X.X if isinstance(X, Samples) else X
    found = picture_items(values) if hasattr(values, "__array__") else None
    if found is None:
        shape = getattr(values, "shape", ())
        held = (
            X.modality
            if isinstance(X, Samples)
            else modality_of_shape(shape[1:])
            if len(shape) > 1
            else "vectors"
        )
        raise InputError(
            f"encoder={encoder!r} must be None or 'auto' for {find_modality(held).plural} of this form: "
            "an encoder takes paths, texts, or pictures of uint8 of shape (n, h, w) or (n, 3, h, w)"
        )
    ids = X.ids if isinstance(X, Samples) else None
    labels = X.labels if isinstance(X, Samples) else None
    return Items(found.values, found.modality, ids, labels=labels)
