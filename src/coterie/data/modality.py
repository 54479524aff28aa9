"""What samples are: pictures, sounds, texts, rows of a table or plain vectors, and what follows from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from coterie._errors import InputError
from coterie.data.augment import Augment, FeatureJitter
from coterie.data.augment_sounds import SoundViews

Shape = Sequence[int]


@dataclass(frozen=True)
class Modality:
    """A kind of samples, by name, and what "auto" takes for it.

    Attributes
    ----------
    name : str
        In the singular, as `Samples.modality` and `modality_` give it.
    plural : str
        As messages call several of them.
    views : callable or None
        Random views for samples of a shape; None: those that a method takes for this shape.
    backbone : str or None
        Name of the network; None: the one that a method takes for this shape.
    """

    name: str
    plural: str
    views: Callable[[Shape], Augment] | None = None
    backbone: str | None = None


def _feature_views(shape: Shape) -> Augment:
    return FeatureJitter()


def _sound_views(shape: Shape) -> Augment:
    return SoundViews() if len(shape) > 1 else FeatureJitter()


_KNOWN: dict[str, Modality] = {
    one.name: one
    for one in (
        Modality("image", "images"),
        Modality("sound", "sounds", views=_sound_views),
        Modality("text", "texts", views=_feature_views),
        Modality("table", "rows of a table", views=_feature_views),
        Modality("vectors", "vectors"),
    )
}


def register_modality(modality: Modality) -> None:
    """Make a kind of samples known by its name.

    Raises
    ------
    InputError
        The name is that of another kind.
    """
    known = _KNOWN.setdefault(modality.name, modality)
    if known != modality:
        raise InputError(f"name={modality.name!r} must not be that of a known modality; choose another")


def find_modality(name: str) -> Modality:
    """The kind of this name.

    Raises
    ------
    InputError
        There is none.

    Examples
    --------
    >>> find_modality("sound").plural
    'sounds'
    """
    if name not in _KNOWN:
        raise InputError(
            f"modality={name!r} must be one of {', '.join(_KNOWN)}; "
            "coterie.data.modality.register_modality makes another one known"
        )
    return _KNOWN[name]


def is_known_modality(name: str) -> bool:
    """Whether a kind has this name."""
    return name in _KNOWN


def modality_of_shape(sample_shape: Shape) -> str:
    """What samples of a shape are taken for where nothing else says it.

    Examples
    --------
    >>> modality_of_shape((64,)), modality_of_shape((28, 28))
    ('vectors', 'image')
    """
    return "vectors" if len(sample_shape) == 1 else "image"
