"""Parameters of SelfDistillation."""

from collections.abc import Callable
from typing import Any, ClassVar, Literal

from coterie._checks import Range
from coterie.params.declare import param, parameters
from coterie.params.shared import MODULES, ClustererParams


@parameters
class SelfDistillationParams(ClustererParams):
    """Parameters of SelfDistillation."""

    _summary: ClassVar[str] = (
        "Self-distillation: clusters of pretrained features from neighbors and from confident samples."
    )
    _papers: ClassVar[tuple[str, ...]] = ("arXiv:2303.17896", "arXiv:2005.12320")

    n_clusters: int | Literal["auto"] = param(
        default=8,
        check=Range(1),
        kw_only=False,
        text="""
        Number of clusters, at most the number of distinct samples. "auto": the median number of communities
        in several graphs of nearest neighbors; see `n_clusters_estimate_`.
        """,
    )
    n_neighbors: int | Literal["auto"] = param(
        default="auto",
        check=Range(1),
        text='Number of nearest neighbors of each sample. "auto": 2 to 10, half of the mean cluster.',
    )
    backbone: str | Callable[..., Any] = param(
        default="auto",
        metavar="NAME",
        shapes_network=True,
        text="""
        Network below the output layers, by name. "auto": "features", which only normalises: signed square
        roots, scaled to length 1; fewer than 32 features stay as they are.
        """,
        python_text=MODULES,
    )
    preset: Literal["default"] = param(default="default", text="Training as tuned here.")
    augment: Literal["auto", "none"] | Callable[..., Any] = param(
        default="auto",
        text='Random views of each training batch. "auto": none; training drops half of the features.',
        python_text="""
        A callable maps a scaled batch and a torch.Generator to a batch of the same shape.
        """,
    )
    scale: bool = param(
        default=False,
        text="""
        Standardise each feature first. Use it for columns of different units; features of an encoder
        share one scale. Values of type uint8 are divided by 255 in any case.
        """,
    )
