"""Parameters of ADC."""

from collections.abc import Callable
from typing import Any, ClassVar, Literal

from coterie._checks import Range
from coterie.params.checks import check_weights
from coterie.params.declare import param, parameters
from coterie.params.shared import MODULES, ClustererParams

WEIGHTS = (
    *("centroids", "views", "views_later", "visit", "view_visit", "norm", "transformation"),
    *("classification", "sparsity", "pairs"),
)

Augments = Literal["auto", "digits", "digits-paper", "objects", "sounds", "none"]

Presets = Literal["default", "paper", "paper-mnist", "code"]


@parameters
class ADCParams(ClustererParams):
    """Parameters of ADC."""

    _summary: ClassVar[str] = (
        "Associative deep clustering: clusters without labels, from views of each sample."
    )

    centroids_per_cluster: int | None = param(
        default=None,
        check=Range(1),
        shapes_network=True,
        text="Centroids of each cluster. None: that of the preset, 1, or 4 in the released code.",
    )
    n_views: int | None = param(
        default=None,
        check=Range(1),
        text="""
        Random views of each sample in a step. None: that of the preset, 2, or 4 in the paper and 3
        in its code.
        """,
    )
    weights: dict[str, float] | None = param(
        default=None,
        check=check_weights(*WEIGHTS),
        option=False,
        text="""
        Weights of parts of the loss in place of the preset's, by name: centroids, views,
        views_later, visit, view_visit, norm, transformation, classification, sparsity, pairs; see
        `coterie.methods.adc_weights.Weights`.
        """,
    )
    kmeans_start: Literal["step", "plateau"] = param(
        default="step",
        text="""
        When k-means starts the centroids: after the preset's steps on views alone, or sooner, when
        their loss has not improved for five epochs.
        """,
    )
    n_restarts: int | Literal["auto"] = param(
        default="auto",
        check=Range(1),
        text="""
        Number of runs from different starts; the run of lowest loss is kept. "auto": 3, or 1 after
        `start_from` and on features.
        """,
    )
    backbone: str | Callable[..., Any] = param(
        default="auto",
        metavar="NAME",
        shapes_network=True,
        text="""
        Network below the output layer, by name. "auto": the paper's VCNN for images from 8 pixels, or with
        the default preset a LeNet with batch norm for those with colours; otherwise an MLP. For vectors of an
        encoder, with the default preset, "features": it only normalises them, and centroids and output layer
        begin with clusters of them.
        """,
        python_text=MODULES,
    )
    preset: Presets = param(  # type: ignore[assignment]  # it knows one more
        default="default",
        shapes_network=True,
        text="""
        Steps, weights and views as tuned here for minutes on a CPU, as in the paper, with the visit
        weight (0.8 in place of 0.3) and the warm-up (1,000 steps in place of 2,000) that it has for MNIST,
        or as the defaults of its released code.
        """,
    )
    batch_size: int | None = param(
        default=None,
        check=Range(2),
        text="""
        Samples in a step, in addition to their views. None: that of the preset. With pairs a step also
        takes a quarter as many pairs.
        """,
    )
    augment: Augments | Callable[..., Any] = param(  # type: ignore[assignment]  # it knows more names
        default="auto",
        text="""
        Random views, drawn again at every step. "digits": crop, rotation, brightness and noise.
        "digits-paper": weaker ones, which "auto" takes with the presets of paper and code. "objects":
        crop, mirror, rotation, contrast, saturation and hue. "sounds": shift in time and masked bands of
        spectrograms. "auto": "sounds" for sounds, noise and dropout for vectors, dropout for features,
        "objects" for images of three channels, otherwise "digits". "none": copies, which differ only by
        dropout.
        """,
        python_text="A callable maps a scaled batch and a torch.Generator to a batch of the same shape.",
    )
