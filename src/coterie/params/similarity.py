"""Parameters of the similarity network."""

from typing import ClassVar, Literal

from coterie._checks import Range
from coterie.params.declare import param, parameters
from coterie.params.shared import TrainingParams


@parameters
class SimilarityParams(TrainingParams):
    """Parameters of the similarity network."""

    _summary: ClassVar[str] = (
        "Similarity prediction network (SPN): the probability that two samples are of one class."
    )
    _papers: ClassVar[tuple[str, ...]] = ("arXiv:1806.11078",)

    hidden_features: int | None = param(
        default=None,
        check=Range(1, 100_000),
        text="""
        Width of the hidden layer. None: four times the width of the features, as in the paper. A metric of
        features has none.
        """,
    )
    symmetric: bool = param(
        default=True, text="Average the log odds of (i, j) and (j, i), which the paper does not do."
    )
    samples_per_class: int = param(default=5, check=Range(2), text="Samples of each class in a batch.")
    held_out: float = param(
        default=0.1,
        check=Range(0, 0.5),
        text="""
        Share of the classes that are held out of the training: of the groups if there are groups
        and the share is at least 2 of them; of the samples of every class if the share is fewer
        than 2 classes; of the pairs after a fit from pairs. 0: no calibration.
        """,
    )
    preset: Literal["default", "paper"] = param(
        default="default",
        shapes_network=True,
        text="""
        "default": at most 3,000 steps; of features (backbone="features", or through an encoder) a metric.
        "paper": its head and 50 epochs.
        """,
    )
    batch_size: int | None = param(
        default=None,
        check=Range(2),
        text="Samples in a step. None: 100, that is 20 classes. A step from pairs takes half as many pairs.",
    )
    max_epochs: int | None = param(
        default=None, check=Range(1), text="Passes over the known samples or pairs. None: that of the preset."
    )
