"""Parameters that every estimator has, and those of every clusterer."""

from collections.abc import Callable
from os import PathLike
from typing import Any, ClassVar, Literal

import numpy as np

from coterie._checks import Range
from coterie.params.checks import check_device, check_encoder, check_jobs, check_seed
from coterie.params.declare import param, parameters
from coterie.params.duration import check_duration

How = Literal["auto", "sequential", "stacked", "successive-halving"]
RESTARTS = """
How restarts run. "sequential": one after another. "stacked": all at once, with stacked weights.
"successive-halving": after 1/16 and 1/4 of the steps the best quarter goes on, at least two restarts
and as many as vote. "auto": stacked on an accelerator, and on a CPU for small networks without
convolutions, if all batches have one size; otherwise sequential. A restart that ends in a single
cluster is replaced.
"""

MODULES = "A module is copied with its weights; a callable returns a fresh module for each restart."


@parameters
class TrainingParams:
    """Parameters of every estimator that trains a network."""

    # what the method does, in a line, and the papers that it is from, by their arXiv numbers
    _summary: ClassVar[str] = ""
    _papers: ClassVar[tuple[str, ...]] = ()
    _attributes: ClassVar[str] = """
        loss_ : float
            The objective in eval mode after training. It alone ranks restarts.
        history_, runs_ : list of dict
            One entry per epoch, and one per restart.
        n_features_in_ : int
        sample_shape_ : tuple of int
        encoder_ : dict or None
            Name, licence, source, fingerprint and width of the encoder; None where X held numbers.
        """

    n_restarts: int | Literal["auto"] = param(
        default="auto",
        check=Range(1),
        text='Number of runs from different starts; the run of lowest loss is kept. "auto": 1.',
    )
    restarts: How = param(default="sequential", text=RESTARTS)
    n_jobs: int | None = param(
        default=None,
        check=check_jobs,
        traced=False,
        option_default=-1,
        text="""
        Number of processes in which restarts train; -1: one for each core. The result does not depend on it.
        """,
        python_text="None: 1, unless a joblib context says otherwise.",
    )
    encoder: str | Any | None = param(
        default=None,
        check=check_encoder,
        metavar="NAME",
        traced=False,
        option_default="auto",
        text="""
        Model that is not trained here and makes vectors of pictures, sounds or texts (coterie encoders
        lists them). "auto": an installed one for the kind of X; vectors and tables need none. None: X holds
        numbers.
        """,
        python_text="""
        With an encoder X may also be a list of paths or of texts. An encoder object is used as it is.
        """,
    )
    backbone: str | Callable[..., Any] = param(
        default="auto",
        metavar="NAME",
        shapes_network=True,
        text="""
        Network below the output layer, by name. "auto": chosen from the kind and shape of X. CCN, DDC and
        ADC take "features" for vectors of an encoder: it only normalises them, and the output layer begins
        with clusters of them. CCN takes it for images and tables too if, for each of `n_clusters`, fewer than
        seven similar pairs, four labels of images or eight of rows are known: a network from random weights
        would be worse than these clusters.
        """,
        python_text=MODULES,
    )
    max_pixels: int | Literal["auto"] | None = param(
        default="auto",
        check=Range(64),
        shapes_network=True,
        text="""
        Images and spectrograms of more pixels are averaged over blocks of pixels, by the network with
        backbone="auto", until they have at most so many. "auto": as many as let 10,000 samples train in
        minutes on a CPU, with the default preset, otherwise all. None: all.
        """,
    )
    preset: Literal["default", "paper", "code"] = param(
        default="default",
        shapes_network=True,
        text="""
        Training as tuned here for minutes on a CPU, as in the paper, or as in its released code.
        """,
    )
    batch_size: int | None = param(
        default=None, check=Range(2), text="Samples in a step. None: that of the preset."
    )
    learning_rate: float | None = param(
        default=None,
        check=Range(0, above=True),
        text="Highest learning rate, before it drops. None: that of the preset.",
    )
    max_epochs: int | None = param(
        default=None, check=Range(1), text="Passes over the samples. None: that of the preset."
    )
    max_steps: int | None = param(
        default=None,
        check=Range(1),
        text="Optimisation steps of one restart; overrides `max_epochs`.",
    )
    time_limit: float | str | None = param(
        default=None,
        check=check_duration,
        metavar="TIME",
        text="""
        Time that `fit` may take, such as 90s, 10min or 1.5h, or seconds. After a few timed steps the number
        of restarts, their steps and the size of images are reduced until they fit. A message says what was
        given up, and `runs_` stores it. None: no limit, and nothing depends on a measurement.
        """,
    )
    augment: Literal["auto", "none"] | Callable[..., Any] = param(
        default="auto",
        text="""
        Random views of each training batch, drawn again at every step. "auto": chosen from the kind of
        X.
        """,
        python_text="""
        A callable maps a scaled batch and a torch.Generator to a batch of the same shape.
        """,
    )
    scale: bool = param(
        default=True,
        text="""
        Standardise X by statistics of the training data, unless it holds features (see `backbone`). Values of
        type uint8 are divided by 255 in any case.
        """,
    )
    precision: Literal["auto", "float32", "bfloat16"] = param(
        default="auto",
        text="""
        Precision of matrix products of the network in training steps. "auto": bfloat16 on a GPU that has
        units for it, otherwise float32. "bfloat16" is faster on processors that support it, and gives other
        weights. Weights, losses and predictions are float32.
        """,
    )
    compile: Literal["none", "auto"] = param(
        default="none",
        text="""
        "auto": training steps of one shape replay CUDA graphs, which removes the launch overhead of short
        steps on a GPU. Where that is not possible (on a CPU, in several processes, with a network that
        cannot be captured), a warning says why, and steps run as with "none". Stacked restarts use no graphs.
        """,
    )
    threads: int | Literal["auto"] = param(
        default="auto",
        check=Range(1),
        text='Torch threads. "auto": one for small networks, which a second thread slows down.',
    )
    device: str = param(
        default="auto",
        check=check_device,
        metavar="NAME",
        traced=False,
        text='Device that torch knows by this name. "auto": an accelerator if there is one.',
    )
    random_state: int | np.random.RandomState | np.random.Generator | None = param(
        default=None,
        check=check_seed,
        metavar="SEED",
        traced=False,
        text="Seed, or source of one. None: every fit differs.",
    )
    checkpoint_dir: str | PathLike[str] | None = param(
        default=None,
        option=False,
        traced=False,
        text="""
        Folder for checkpoints. A fit that was stopped resumes from its last checkpoint, bitwise,
        when it is called again with the same arguments.
        """,
    )
    verbose: int = param(
        default=0,
        option=False,
        traced=False,
        text="Above 0 a progress bar is shown on standard error.",
    )


@parameters
class ClustererParams(TrainingParams):
    """Parameters of every estimator whose network assigns each sample to one of `n_clusters` outputs."""

    _attributes: ClassVar[str] = """
        labels_ : int64 array of shape (n,)
            Cluster of each sample of X.
        n_clusters_ : int
            Number of clusters in use.
        n_dominant_ : int
            Number of clusters with at least n / `n_outputs_` samples: an estimate of the number of clusters
            if `n_clusters` was chosen larger.
        n_outputs_ : int
            Columns of `predict_proba`: `n_clusters`, or its estimate.
        n_clusters_estimate_ : dict or None
            With "auto", the estimate with its spread, a second opinion and what was tried; see
            `coterie.methods.count.estimate_n_clusters`.
        network_ : nn.Module
            Maps scaled samples to (embedding, logits).
        members_ : list of nn.Module
            The networks that vote, best first, with aligned clusters; without a vote, the best one.
        """

    n_clusters: int | Literal["auto"] = param(
        default=8,
        check=Range(1),
        kw_only=False,
        text="""
        Number of outputs, at most the number of distinct samples. "auto": estimated from restarts
        with 20 outputs and more, which cost about five runs; see `n_clusters_estimate_`.
        """,
    )
    restarts: How = param(default="auto", text=RESTARTS)
    vote: int = param(
        default=0,
        check=Range(0),
        text="""
        0: the best restart predicts. 3 or more: so many of the best restarts, aligned to the best
        one, vote for the cluster of each sample (DDC-VOTE). Probabilities are then shares of votes,
        and the best restart decides ties. With n_restarts="auto" at least `vote` restarts run.
        """,
    )
    over_clustering: bool = param(
        default=False,
        text="`n_clusters` is an upper bound: do not warn of unused clusters.",
    )
