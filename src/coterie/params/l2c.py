"""Parameters of L2C."""

from collections.abc import Callable
from typing import Any, ClassVar, Literal

from coterie._checks import Range
from coterie.params.declare import param, parameters
from coterie.params.shared import MODULES, TrainingParams

# samples of a subset where a set is too large for one pass
SUBSET_SIZE = 400


@parameters
class L2CParams(TrainingParams):
    """Parameters of L2C."""

    _summary: ClassVar[str] = (
        "Learning to cluster: trained once on labelled groups, it clusters sets of samples of other groups."
    )
    _papers: ClassVar[tuple[str, ...]] = ("arXiv:1807.04001",)

    max_clusters: int = param(
        default=5,
        check=Range(1),
        kw_only=False,
        also="n_clusters",
        shapes_network=True,
        text="Largest number of clusters that can be found in a set.",
    )
    network: Literal["attention", "lstm", "table"] = param(
        default="attention",
        shapes_network=True,
        text="""
        "attention": attention over the set, whose clustering does not depend on the order of the
        samples. "lstm": the paper's stack of 14 residual bidirectional LSTM layers. "table":
        attention over the rows of a table with any number of columns, whose clustering does not
        depend on their order, shifts and scales either; X may contain NaN for missing values, and
        `predict` accepts other columns than `fit`.
        """,
    )
    distance: Literal["implicit", "euclidean", "diagonal", "full"] = param(
        default="implicit",
        shapes_network=True,
        text="""
        With "lstm": pairwise distances, fixed or trained, in place of the samples (section 3.3).
        Every set must then have `set_size` samples.
        """,
    )
    size: Literal["large", "small"] = param(
        default="large",
        shapes_network=True,
        text='With "attention": 6 layers of 96 units, or 2 of 64, which over-fit less if groups are few.',
    )
    set_size: int | None = param(
        default=None,
        check=Range(2),
        shapes_network=True,
        text="""
        Samples in a training set. None: the paper's, 72 for vectors and 20 for images, or fewer, with a
        warning, if the groups hold fewer. Sets of other sizes can be clustered too.
        """,
    )
    rescale: bool | Literal["auto"] = param(
        default="auto",
        shapes_network=True,
        text="""
        With "attention": divide each set by its own spread, so that only its form counts. "auto":
        for vectors without an embedding network, such as points; the scale of a learned embedding
        tells one group from several.
        """,
    )
    weight: float = param(default=5.0, check=Range(0), text="Lambda, the weight of the assignment term.")
    pair_weight: float = param(
        default=5.0,
        check=Range(0),
        text="""
        With "attention": weight of the cross entropy of its pair logits, which the paper does not
        have. 0 leaves it out.
        """,
    )
    max_set_size: int = param(
        default=1500,
        check=Range(SUBSET_SIZE),
        text="""
        Larger sets are clustered as overlapping subsets of 400 samples, whose clusterings are
        merged. With "table", so many random rows are clustered, and each other row follows the
        nearest of these.
        """,
    )
    noise: bool = param(
        default=False,
        text="""
        `predict` labels a sample -1 if its neighbours are far more distant than is usual in its cluster: the
        8th nearest at more than 2.5 times the cluster's median, and beyond 3.5 robust standard deviations.
        """,
    )
    backbone: str | Callable[..., Any] = param(
        default="auto",
        metavar="NAME",
        shapes_network=True,
        text="""
        Network that embeds single samples, by name. "auto": none for vectors, the paper's small CNN for
        images. "features", which "auto" takes for vectors of an encoder: scales signed square roots of the
        features to length 1.
        """,
        python_text=MODULES,
    )
    preset: Literal["default", "paper"] = param(
        default="default",
        shapes_network=True,
        text="""
        Adam, 1,200 steps of 32 sets (16 of images); or the paper's Adadelta with rate 5.0, rho 0.95 and 200
        sets (25). The gates of "lstm" are logistic in both, where the paper's Keras had hard sigmoids.
        """,
    )
    batch_size: int | None = param(
        default=None, check=Range(2), text="Sets in a step. None: that of the preset."
    )
    max_epochs: int | None = param(
        default=None,
        check=Range(1),
        text="Epochs of 100 steps, or passes over the sets given to `fit_sets`. None: that of the preset.",
    )
    augment: Literal["auto", "none"] | Callable[..., Any] = param(
        default="auto",
        text="""
        Random views of the samples. "auto": small rotations, zooms and shifts of images with the
        default preset; of features (see `backbone`) another order and other signs, so that only their
        distances and angles are learned from; and none of other vectors.
        """,
        python_text="""
        A callable maps scaled samples and a torch.Generator to samples of the same shape.
        """,
    )
