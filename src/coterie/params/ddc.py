"""Parameters of DDC."""

from collections.abc import Callable
from typing import Any, ClassVar, Literal

from coterie._checks import Range
from coterie.params.checks import check_weights
from coterie.params.declare import param, parameters
from coterie.params.shared import MODULES, RESTARTS, ClustererParams, How

TERMS = ("divergence", "orthogonality", "corners")
WEIGHTS = (*TERMS, "pairs")


@parameters
class DDCParams(ClustererParams):
    """Parameters of DDC."""

    _summary: ClassVar[str] = (
        "Deep divergence-based clustering: clusters without labels, from one network's features and outputs."
    )
    _papers: ClassVar[tuple[str, ...]] = ("arXiv:1902.04981",)

    weights: dict[str, float] | None = param(
        default=None,
        check=check_weights(*WEIGHTS),
        option=False,
        text="Weights of terms in place of 1, by name: divergence, orthogonality, corners, pairs.",
    )
    divergence: Literal["cs", "kl"] = param(
        default="cs", text="Cauchy-Schwarz, or the symmetrised Kullback-Leibler divergence."
    )
    kernel: Literal["gaussian", "cosine"] = param(
        default="gaussian",
        text="""
        How alike two samples are in the last hidden layer: a Gaussian kernel of their distance, or their
        cosine, where it is above 0.
        """,
    )
    loss_form: Literal["code", "paper"] = param(
        default="code",
        text="""
        How the terms are scaled and the kernel's bandwidth is computed: as in the released code
        (means over pairs, bandwidth from squared distances) or literally as the paper prints them
        (sums, bandwidth from distances), where the inner products of rows count thousands of times
        as much; see `coterie.losses.ddc`.
        """,
    )
    balance: bool = param(
        default=False,
        text="""
        Allow clusters to differ in size. Most steps then learn from views of each sample alone;
        clusters begin as parts of the embedding, merged whatever their sizes; and the orthogonality
        and the corner term, which are smallest for clusters of equal size, take forms that do not
        depend on sizes.
        """,
    )
    bandwidth: float = param(
        default=0.15,
        check=Range(0, above=True),
        text="Factor of the median distance in the Gaussian kernel's bandwidth.",
    )
    n_restarts: int | Literal["auto"] = param(
        default="auto",
        check=Range(1),
        text="""
        Number of runs from different starts; those of lowest loss are kept. "auto": 20, as in the
        paper, or 1 after `start_from` and on features.
        """,
    )
    restarts: How | None = param(  # type: ignore[assignment]  # None stands for one of the other names
        default=None,
        text=RESTARTS
        + """
        None: "successive-halving" with the default preset; otherwise "auto", as all runs were trained to
        their end.
        """,
    )
    backbone: str | Callable[..., Any] = param(
        default="auto",
        metavar="NAME",
        shapes_network=True,
        text="""
        Network below the output layer, by name. "auto": for images of 8 to 64 pixels the paper's network,
        "ddc-cnn"; for vectors "mlp" with the default preset, whose batch norm throughout gave more accurate
        clusters of digits, and otherwise the paper's, "ddc-mlp". For vectors of an encoder, with the default
        preset, "features": it only normalises them, and the output layer begins with clusters of them.
        """,
        python_text=MODULES,
    )
    preset: Literal["default", "paper", "code"] = param(
        default="default",
        shapes_network=True,
        text="""
        Steps as tuned here for minutes on a CPU; those of the paper (70,000), with its bandwidth of
        vectors, which follows from the first layer; or as the defaults of the released code (100 epochs,
        gradients clipped at a norm of 5).
        """,
    )
    batch_size: int | None = param(
        default=None,
        check=Range(2),
        text="""
        Samples in a step, at least two for each cluster. None: that of the preset, 100, or two for
        each cluster if that is more. With pairs a step also takes a quarter as many pairs.
        """,
    )
    augment: Literal["auto", "none"] | Callable[..., Any] = param(
        default="auto",
        text="""
        Random views of each training batch in its place, drawn again at every step. "auto": none, as in
        the paper; with `balance` those of ADC.
        """,
        python_text="""
        A callable maps a scaled batch and a torch.Generator to a batch of the same shape.
        """,
    )
