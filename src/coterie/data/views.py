"""Random views by name, and those that "auto" takes for a kind of samples and a shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from coterie._errors import InputError
from coterie.data.augment import AffineJitter, Augment, FeatureJitter
from coterie.data.augment_images import RECIPES as IMAGE_RECIPES
from coterie.data.augment_images import ImageViews
from coterie.data.augment_sounds import SoundViews
from coterie.data.modality import find_modality

RECIPES: Mapping[str, ImageViews | SoundViews | None] = MappingProxyType(
    {**IMAGE_RECIPES, "sounds": SoundViews(), "none": None}
)


def default_augment(sample_shape: Sequence[int], modality: str = "vectors") -> Augment:
    """Weak views that keep the meaning of most data.

    Those of the modality where it has its own; else jitter for images from 14 pixels, noise for the rest.
    """
    views = find_modality(modality).views
    if views is not None:
        return views(sample_shape)
    is_image = len(sample_shape) in (2, 3) and min(sample_shape[-2:]) >= 14
    return AffineJitter() if is_image else FeatureJitter()


def recipe_for(name: str, sample_shape: Sequence[int], modality: str = "vectors") -> Augment | None:
    """Views by name for samples of one shape.

    Parameters
    ----------
    name : {"auto", "digits", "digits-paper", "objects", "sounds", "none"}
        "digits": crop, rotation, brightness and noise; "digits-paper": weaker ones. "objects": crop, mirror,
        rotation, contrast, saturation and hue. "sounds": shift in time, masked bands of time and frequency.
        "auto": the views of the modality where it has its own; else noise and dropout of features for vectors
        and images below 8 pixels, "objects" for images of three channels, else "digits".
    sample_shape : sequence of int
    modality : str, default="vectors"
        A name that `find_modality` knows.

    Returns
    -------
    callable or None
        None for "none".

    Raises
    ------
    InputError
        The name is unknown, or its views do not suit the samples.

    Examples
    --------
    >>> recipe_for("auto", (28, 28)) == RECIPES["digits"], recipe_for("auto", (10,))
    (True, FeatureJitter(noise=0.5, dropout=0.2))
    >>> recipe_for("auto", (40, 64), "sound") == RECIPES["sounds"]
    True
    """
    if name == "auto":
        views = find_modality(modality).views
        if views is not None:
            return views(sample_shape)
        if len(sample_shape) not in (2, 3) or min(sample_shape[-2:]) < 8:
            return FeatureJitter()
        name = "objects" if len(sample_shape) == 3 and sample_shape[0] == 3 else "digits"
    if name not in RECIPES:
        raise InputError(f"augment={name!r} must be one of auto, {', '.join(RECIPES)}, or a callable")
    found = RECIPES[name]
    if found is not None:
        found.check_shape(sample_shape)
    return found
