"""Parameters of TableClusterer."""

from typing import ClassVar, Literal

from coterie._checks import Range
from coterie.params.checks import check_jobs
from coterie.params.declare import param, parameters
from coterie.params.shared import ClustererParams

# clusters that the shipped model can find
MOST_CLUSTERS = 20


@parameters
class TableClustererParams(ClustererParams):
    """Parameters of TableClusterer."""

    _summary: ClassVar[str] = (
        "L2C's model for tables: clusters of one table, and how many there are; nothing is trained."
    )
    _papers: ClassVar[tuple[str, ...]] = ("arXiv:1807.04001",)
    _without: ClassVar[tuple[str, ...]] = (
        *("n_restarts", "restarts", "vote", "over_clustering"),
        *("backbone", "max_pixels", "preset", "batch_size", "learning_rate", "max_epochs", "max_steps"),
        *("time_limit", "augment", "scale", "precision", "compile"),
    )
    _attributes: ClassVar[str] = """
        count_proba_ : list of float
            P(k), the probability of each number of clusters k = 1..20.
        """

    n_clusters: int | Literal["auto"] = param(
        default="auto",
        check=Range(1, MOST_CLUSTERS),
        kw_only=False,
        text='Number of clusters, at most 20. "auto": found by the model, with its probability.',
    )
    noise: bool = param(
        default=True,
        text="""
        A sample is labelled -1 if its neighbors are far more distant than is usual in its cluster: the 8th
        nearest sample, itself included, at more than 2.5 times the cluster's median, and beyond 3.5 robust
        standard deviations.
        """,
    )
    max_set_size: int = param(
        default=1000,
        check=Range(20),
        text="""
        Number of samples that are clustered in one pass. Of a larger table these are drawn at random, and
        every other sample follows the nearest of them.
        """,
    )
    n_jobs: int | None = param(
        default=None,
        check=check_jobs,
        traced=False,
        option_default=-1,
        text="Number of processes in which an encoder embeds files; -1: one for each core.",
        python_text="None: 1, unless a joblib context says otherwise.",
    )
