"""Pair labels for new samples from a similarity network, and a check that it can help."""

from __future__ import annotations

import copy
import math
import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from sklearn.cluster import SpectralClustering
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from coterie._errors import InputError, InputTypeError, SimilarityWarning
from coterie.data.arrays import SampleArray, ScaledSource
from coterie.data.batches import Sampler
from coterie.engine.runtime import choose_threads, torch_threads
from coterie.methods.kmeans_start import GivenHead
from coterie.methods.similarity import SimilarityNetwork

# Batches that are looked at before training.
LOOK_BATCHES = 10
_LOOK_SEED = 0
# Rows of which all pairs are looked at: their matrix takes 32 MB.
SPECTRAL_ROWS = 2_000
_LEAST_AFFINITY = 1e-6
# With 100 clusters of equal size one pair in 100 is similar.
FEWEST_SIMILAR, MOST_SIMILAR = 0.002, 0.98


@dataclass(frozen=True)
class PairLabeler:
    """A similarity network's module, and how its log odds become pair labels.

    Attributes
    ----------
    network : nn.Module
        Maps samples (b, ...) to (embedding, log odds (b, b)).
    cut : float
        Log odds from which a pair is similar.
    temperature : float
        By which log odds are divided.
    weighted : bool
        Whether pairs near the cut count less.
    """

    network: nn.Module
    cut: float
    temperature: float
    weighted: bool = False

    def same(self, odds: Tensor) -> Tensor:
        """Symmetric log odds (b, b) -> 1 similar or -1 dissimilar, int8 (b, b)."""
        return (odds >= self.cut).to(torch.int8).mul_(2).sub_(1)

    def weight(self, odds: Tensor) -> Tensor | None:
        """|2 p - 1| of the calibrated probability, moved to be 0 at the cut; None: all pairs alike."""
        return ((odds - self.cut) / (2 * self.temperature)).tanh().abs() if self.weighted else None


def make_pair_labeler(similarity: SimilarityNetwork, *, argmax: bool, weighted: bool) -> PairLabeler:
    """The labeler for batch statistics.

    Parameters
    ----------
    similarity : SimilarityNetwork
        Fitted.
    argmax : bool
        The more probable answer, as in the paper, and not the threshold chosen on held-out classes.
    weighted : bool

    Examples
    --------
    >>> spn = SimilarityNetwork()
    >>> spn.network_ = nn.Identity()
    >>> spn.batch_temperature_, spn.batch_threshold_ = 2.0, 0.75
    >>> round(make_pair_labeler(spn, argmax=False, weighted=False).cut, 3)
    2.197
    """
    temperature = similarity.batch_temperature_
    threshold = min(max(similarity.batch_threshold_, 1e-12), 1 - 1e-12)
    cut = 0.0 if argmax else temperature * math.log(threshold / (1 - threshold))
    return PairLabeler(similarity.network_, cut, temperature, weighted)


def symmetric_odds(network: nn.Module, samples: Tensor) -> Tensor:
    """Log odds of "same" of all pairs of a batch, both directions averaged: samples (b, ...) -> (b, b)."""
    odds: Tensor = network(samples)[1]
    return (odds + odds.T) / 2


def check_similarity(
    similarity: object, samples: SampleArray, sample_shape: tuple[int, ...]
) -> SimilarityNetwork:
    """A fitted similarity network for samples of this shape and kind.

    Raises
    ------
    NotFittedError, InputError, InputTypeError
    """
    if not isinstance(similarity, SimilarityNetwork):
        raise InputTypeError(
            f"similarity must be a fitted coterie.SimilarityNetwork, got {type(similarity).__name__}"
        )
    check_is_fitted(similarity, "network_")
    if similarity.sample_shape_ != sample_shape:
        raise InputError(
            f"X must hold samples of shape {similarity.sample_shape_}, on which similarity was fitted, got "
            f"{sample_shape}"
        )
    if similarity.bytes_ != (samples.dtype == np.uint8):
        kind = "uint8" if similarity.bytes_ else "other numbers than uint8"
        raise InputError(
            f"X must hold {kind}, on which similarity was fitted, got {samples.dtype}: the scales differ"
        )
    return similarity


def all_pairs(
    similarity: SimilarityNetwork, labeler: PairLabeler, samples: SampleArray
) -> npt.NDArray[np.float64]:
    """Calibrated probability of "same" of all pairs (n, n) of samples (n, ...), with their batch statistics.

    Parameters
    ----------
    similarity : SimilarityNetwork
        It is not changed.
    labeler : PairLabeler
    samples : array or DatasetRows of shape (n, ...)
        All in one batch.
    """
    network = copy.deepcopy(labeler.network).train()
    device = next(network.parameters()).device
    source = ScaledSource(samples, similarity.scaling_, device)
    with torch_threads(choose_threads(similarity.threads, network, device)), torch.inference_mode():
        odds = symmetric_odds(network, source.take(np.arange(len(samples))))
    proba: npt.NDArray[np.float64] = torch.sigmoid(odds.double() / labeler.temperature).cpu().numpy()
    return proba


def spectral_start(
    similarity: SimilarityNetwork, labeler: PairLabeler, samples: SampleArray, n_clusters: int
) -> GivenHead:
    """Spectral clustering of what a similarity network says of all pairs, of many rows of some of them."""
    n_rows = min(len(samples), max(SPECTRAL_ROWS, 2 * n_clusters))
    rows = np.sort(np.random.default_rng(_LOOK_SEED).permutation(len(samples))[:n_rows])
    if n_clusters == 1:
        return GivenHead(rows, np.zeros(n_rows, dtype=np.int64), 1)
    proba = all_pairs(similarity, labeler, samples[rows])
    spectral = SpectralClustering(n_clusters, affinity="precomputed", random_state=_LOOK_SEED)
    # no pair is quite out of the question: a graph in parts has no spectral embedding
    found = spectral.fit_predict(np.maximum(proba, _LEAST_AFFINITY))
    return GivenHead(rows, found.astype(np.int64), n_clusters)


def look_at_answers(
    similarity: SimilarityNetwork, labeler: PairLabeler, samples: SampleArray, sampler: Sampler
) -> float:
    """Share of the pairs of some batches that the network calls similar, with batch statistics.

    Parameters
    ----------
    similarity : SimilarityNetwork
        It is not changed.
    labeler : PairLabeler
    samples : array or DatasetRows of shape (n, ...)
    sampler : Sampler

    Warns
    -----
    SimilarityWarning
        (Almost) all pairs get one answer.
    """
    network = copy.deepcopy(labeler.network).train()
    device = next(network.parameters()).device
    source = ScaledSource(samples, similarity.scaling_, device)
    similar, total = 0, 0
    with torch_threads(choose_threads(similarity.threads, network, device)), torch.inference_mode():
        for step in range(min(LOOK_BATCHES, sampler.n_steps)):
            rows = sampler.plan(_LOOK_SEED, 0, step).rows
            same = labeler.same(symmetric_odds(network, source.take(rows))).triu(1)
            similar += int((same == 1).sum())
            total += len(rows) * (len(rows) - 1) // 2
    share = similar / total
    if not FEWEST_SIMILAR <= share <= MOST_SIMILAR:
        warnings.warn(
            f"similarity: of {total} pairs of X it calls {share:.2%} similar and {1 - share:.2%} dissimilar: "
            "(almost) every pair has the same answer, from which no clustering follows; check report_ of the "
            "similarity network, and that X is of the kind on which it was trained",
            SimilarityWarning,
            stacklevel=4,
        )
    return share
