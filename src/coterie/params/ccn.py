"""Parameters of CCN."""

from collections.abc import Callable
from typing import Any, ClassVar, Literal

from coterie._checks import Range
from coterie.params.declare import param, parameters
from coterie.params.shared import ClustererParams


@parameters
class CCNParams(ClustererParams):
    """Parameters of CCN."""

    _summary: ClassVar[str] = (
        "Constrained clustering network: clusters from labels of some samples, from pairs or by transfer."
    )
    _papers: ClassVar[tuple[str, ...]] = ("arXiv:1511.06321", "arXiv:1806.11078")

    n_clusters: int | Literal["auto"] = param(
        default=8,
        check=Range(1),
        kw_only=False,
        text="""
        Number of outputs, at most the number of samples. "auto": estimated from restarts with 20
        outputs and more, which cost about five runs; see `n_clusters_estimate_`. Not with cross
        entropy.
        """,
    )
    loss: Literal["ccl", "kcl"] = param(default="ccl", text="The pair loss.")
    margin: float = param(
        default=2.0,
        check=Range(0, above=True),
        text="KCL's margin: the divergence beyond which a dissimilar pair costs nothing.",
    )
    pair_weight: Literal["balanced", "confidence"] | None = param(
        default=None,
        text="""
        "balanced": all similar pairs together weigh as much as all dissimilar ones. "confidence",
        with a similarity network: each pair weighs as much as the network is sure of it, which the
        paper does not do.
        """,
    )
    cross_entropy_weight: float = param(
        default=0.0,
        check=Range(0),
        text="""
        Weight of a cross entropy on known labels, added to the pair loss (section 2 of
        arXiv:1511.06321). The clusters are then the classes in sorted order. Only if it is above 0
        does `fit` accept both y and pairs.
        """,
    )
    hidden_features: int | Literal["auto"] = param(
        default="auto",
        check=Range(0, 100_000),
        shapes_network=True,
        text="""
        Width of a layer with batch norm and ReLU between the features and the output layer; 0: none.
        "auto": 512, as in the released code, with a similarity network and the presets "paper" and "code";
        otherwise 0.
        """,
    )
    n_restarts: int | Literal["auto"] = param(
        default="auto",
        check=Range(1),
        text="""
        Number of runs from different starts; the run of lowest loss is kept. "auto": 5 with at most
        20,000 pairs or 5,000 labels, otherwise 1; 1 with a similarity network, after
        `start_from` and on features.
        """,
    )
    preset: Literal["default", "paper", "code"] = param(
        default="default",
        shapes_network=True,
        text="""
        Optimisation as tuned here (larger batches above 5,000 pairs), as in the loss's paper, or as
        in its released code.
        """,
    )
    batch_size: int | None = param(
        default=None,
        check=Range(2),
        text="Samples in a step. None: that of the preset. A step from pairs takes half as many pairs.",
    )
    learning_rate: float | None = param(
        default=None,
        check=Range(0, above=True),
        text="""
        Highest learning rate, before it drops. None: that of the preset. If `start_from` was given
        clusters of another method, a hundredth of it from pairs, or a tenth from more than 5,000.
        """,
    )
    max_epochs: int | None = param(
        default=None, check=Range(1), text="Passes over the known labels or pairs. None: that of the preset."
    )
    augment: Literal["auto", "none"] | Callable[..., Any] = param(
        default="auto",
        text="""
        Random views of each training batch, drawn again at every step. "auto": with a similarity
        network, and with the default preset and little supervision (as for `n_restarts`), small
        rotations, zooms and shifts of images and noise on vectors; random crops of images with a similarity
        network and the presets "paper" and "code"; otherwise none.
        """,
        python_text="""
        A callable maps a scaled batch and a torch.Generator to a batch of the same shape.
        """,
    )
    head_init: Literal["auto", "random", "k-means", "clusters", "similarity"] = param(
        default="auto",
        text="""
        Where the clusters begin. "random": with random weights. "k-means": with the clusters of k-means on
        the embeddings; use it if the backbone means something before training ("identity" on features, a
        trained module, or after `start_from`). "similarity": the same with the spectral clusters of a
        similarity network's answers about all pairs. "clusters": with clusters of the embeddings that obey
        what is known, either labels propagated over the graph of nearest neighbors, or clusters found without
        supervision, among which the pairs or labels choose. "auto": "clusters" for features of an encoder,
        with backbone="features" and where little is known (see `backbone`), otherwise "random".
        """,
    )
