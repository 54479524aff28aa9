"""What every clusterer shares: the number of clusters, labels and their probabilities, votes."""

from __future__ import annotations

import copy
import dataclasses
import functools
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import torch
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from coterie._errors import CollapseWarning, InputError
from coterie.data import Pairs
from coterie.data.arrays import (
    SampleArray,
    count_distinct,
)
from coterie.data.readers import Samples
from coterie.engine.restarts import SEED_STRIDE
from coterie.engine.runtime import choose_threads, make_runtime, own_random_numbers
from coterie.engine.training import FinishedRun
from coterie.methods.base import AUTO, FloatArray, IntArray, NeuralEstimator, Training
from coterie.methods.count import MOST_OUTPUTS, PROBES, Probe, estimate_n_clusters
from coterie.methods.ensemble import align_members, check_vote
from coterie.methods.forward import argmax, softmax
from coterie.methods.probing import train_probes
from coterie.methods.watched import workers_for
from coterie.metrics import dominant_clusters, vote_shares
from coterie.nn import ClusterNetwork, build_network, channels_last
from coterie.params.shared import ClustererParams

if TYPE_CHECKING:
    from coterie.methods.head_choice import HeadChoice
    from coterie.methods.on_features import Beginning
    from coterie.methods.similarity import SimilarityNetwork


class NeuralClusterer(NeuralEstimator, ClustererParams):
    """Base of the estimators whose network assigns each sample to one of `n_clusters` outputs."""

    _saved_fields = (
        *NeuralEstimator._saved_fields,
        *("n_clusters_", "n_dominant_", "n_outputs_", "n_clusters_estimate_"),
    )
    # whether outputs that are close in the kernel count as parts of one cluster where clusters are counted
    _merges_outputs: ClassVar[bool] = True
    n_outputs_: int
    # clusters that a fit begins with, where its method takes some
    _given: IntArray | None = None
    # while a fit runs: how a method with several heads chooses among them
    _choice: HeadChoice | None = None

    labels_: IntArray
    members_: list[ClusterNetwork]

    def predict_proba(self, X: Any) -> FloatArray:
        """Probability of each cluster for new samples.

        Parameters
        ----------
        X : array-like of shape (n, ...)
            Samples of the same shape as in ``fit``.

        Returns
        -------
        float64 array of shape (n, `n_outputs_`)
            Rows in [0, 1] that sum to 1.
        """
        check_is_fitted(self, "network_")
        return self._probabilities(self._check_samples(X, reset=False))

    def predict(self, X: Any) -> IntArray:
        """Most probable cluster of new samples.

        Parameters
        ----------
        X : array-like of shape (n, ...)

        Returns
        -------
        int64 array of shape (n,), values from 0 to `n_outputs_` - 1
        """
        check_is_fitted(self, "network_")
        return self._most_probable(self._check_samples(X, reset=False))

    def _begin_on_features(
        self,
        samples: SampleArray,
        codes: IntArray | None = None,
        pairs: Pairs | None = None,
        metric: SimilarityNetwork | None = None,
        *,
        wanted: bool = False,
    ) -> Beginning | None:
        """Clusters of features to begin with; None where X holds none, or `start_from` gave clusters.

        With `metric`, distances are those of its embedding. With `wanted`, clusters are made in either case.
        Sets `n_outputs_` if clusters are made.
        """
        start = self._start
        continues = isinstance(start, NeuralClusterer) and self.n_clusters == start.n_outputs_
        if not wanted and (continues or not self._on_features):
            return None
        # scikit-learn's and networkx's parts, which other fits do not need
        from coterie.methods.on_features import begin_on_features

        begun = begin_on_features(self, samples, codes, pairs, metric)
        self._say(f"the output layer begins with {begun.words}")
        return begun

    def _check_common(self, n_samples: int) -> None:
        """Parameters that all clusterers have."""
        self._check_training(n_samples)
        if isinstance(self.n_clusters, int | np.integer) and n_samples < self.n_clusters:
            raise InputError(f"n_clusters={self.n_clusters} must be <= n_samples={n_samples}")
        check_vote(self.vote, self.n_restarts)

    def _seconds_to_train(self) -> float | None:
        """With "auto", half of the limit: clusters are counted in the other half."""
        seconds = super()._seconds_to_train()
        return seconds / 2 if seconds is not None and self.n_clusters == AUTO else seconds

    def _restarts_or(self, usual: int) -> int:
        """With "auto", at least as many restarts as vote."""
        n_restarts = super()._restarts_or(usual)
        return max(n_restarts, self.vote) if self.n_restarts == "auto" else n_restarts

    def _train(self, samples: SampleArray, plan: Training) -> Self:
        """Train as any estimator does, and keep as many restarts as vote."""
        return super()._train(samples, dataclasses.replace(plan, keep=max(plan.keep, self.vote)))

    def _adopt(self, kept: Sequence[FinishedRun], device: torch.device) -> None:
        """Take over the best restart's network and, for a vote, the next ones."""
        super()._adopt(kept, device)
        others = [self._load_network(run.state, device) for run in kept[1 : self.vote]]
        self.members_ = [self.network_, *others]

    def _choose_n_outputs(self, samples: SampleArray, most: int, **known: Any) -> None:
        """Take over `n_clusters`, or estimate it from restarts with up to `most` outputs.

        Parameters
        ----------
        samples : array or data set
        most : int
        **known
            What else `fit` got.
        """
        self.n_clusters_estimate_: dict[str, Any] | None = None
        if self.n_clusters == AUTO:
            self.n_clusters_estimate_ = estimate_n_clusters(
                functools.partial(self._probes, samples, known),
                min(most, count_distinct(samples, MOST_OUTPUTS)),
                merges=self._merges_outputs,
            )
            self.n_outputs_ = self.n_clusters_estimate_["n_clusters"]
        else:
            self.n_outputs_ = int(self.n_clusters)

    def _probes(self, samples: SampleArray, known: Mapping[str, Any], n_outputs: int) -> list[Probe]:
        """Restarts that count, with so many outputs, in as many processes as `n_jobs` allows."""
        quiet = copy.copy(self)
        quiet.set_params(verbose=0, n_jobs=1)
        return train_probes(
            functools.partial(self._probe, samples, known, n_outputs),
            functools.partial(quiet._probe, samples, known, n_outputs),
            functools.partial(self._probe_workers, n_outputs),
        )

    def _probe_workers(self, n_outputs: int) -> int:
        """Processes for the restarts that count; those that share a generator draw from it in turn."""
        if not isinstance(self.random_state, int | np.integer | None):
            return 1
        runtime = make_runtime(self.device)
        self.n_outputs_, self.max_pixels_ = n_outputs, self._working_pixels()
        with own_random_numbers(runtime):
            threads = choose_threads(self.threads, self._make_network(0), runtime.device)
        return workers_for(self, runtime, PROBES - 1, threads)

    def _probe(self, samples: SampleArray, known: Mapping[str, Any], n_outputs: int, number: int) -> Probe:
        """A restart with more outputs than clusters are expected, trained as this estimator would be."""
        model = clone(self).start_from(self._start)
        model.set_params(n_clusters=n_outputs, n_restarts=1, over_clustering=True, vote=0)
        if isinstance(self.random_state, int | np.integer):
            model.set_params(random_state=(int(self.random_state) + SEED_STRIDE * (number + 1)) % 2**32)
        else:
            model.set_params(random_state=self.random_state)  # of which a clone has a copy
        seconds = self._seconds_to_train()
        model.set_params(time_limit=None if seconds is None else seconds / PROBES)
        if self.checkpoint_dir is not None:
            folder = Path(self.checkpoint_dir) / f"{n_outputs}-outputs-{number}"
            model.set_params(checkpoint_dir=str(folder))
        model.set_params(encoder=None)  # the samples are vectors by now
        model.fit(Samples(samples, modality=self.modality_), **known)
        return Probe(model.labels_, model._embed(samples), n_outputs, model.loss_)

    def _fingerprint(self, samples: SampleArray, plan: Training) -> str:
        return f"{super()._fingerprint(samples, plan)}-{self.n_outputs_}"

    def _make_network(self, seed: int) -> ClusterNetwork:
        """A fresh float32 network for samples as in ``fit``, its weights a function of the seed alone."""
        network = build_network(self._choose_backbone(), self.sample_shape_, self.n_outputs_, seed)
        return channels_last(network.float())

    def _describe(self, samples: SampleArray) -> None:
        """Labels of the training samples and what they say about the clusters."""
        align_members(self.members_, lambda network: self._labels_by(samples, network), self.n_outputs_)
        self.labels_ = self._most_probable(samples)
        self.n_clusters_ = len(np.unique(self.labels_))
        self.n_dominant_ = dominant_clusters(self.labels_, self.n_outputs_)
        if self.n_clusters_ < self.n_outputs_ and not self.over_clustering:
            warnings.warn(
                f"{self.n_clusters_} of n_clusters={self.n_outputs_} clusters are used: try more restarts, "
                "more pairs or labels, or a smaller n_clusters; if n_clusters is only an upper bound, "
                "pass over_clustering=True",
                CollapseWarning,
                stacklevel=6,
            )

    def _most_probable(self, samples: SampleArray) -> IntArray:
        """Cluster of checked samples, batch by batch: all probabilities of millions of rows are many."""
        if len(self.members_) == 1:
            return self._labels_by(samples, self.network_)
        labels: IntArray = self._probabilities(samples).argmax(axis=1)
        return labels

    def _labels_by(self, samples: SampleArray, network: ClusterNetwork) -> IntArray:
        """Cluster of checked samples by one network."""
        labels: IntArray = self._map(samples, argmax, network)
        return labels

    def _probabilities(self, samples: SampleArray) -> FloatArray:
        """Probability of each cluster for checked samples; of several members, their shares of votes."""
        if len(self.members_) == 1:
            return self._assign(samples, self.network_)
        votes = [self._labels_by(samples, member) for member in self.members_]
        return vote_shares(votes, self.n_outputs_)

    def _assign(self, samples: SampleArray, network: ClusterNetwork) -> FloatArray:
        """Probability of each cluster by one network."""
        return self._map(samples, softmax, network)
