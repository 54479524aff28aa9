"""Samples as points in which distances mean something: principal components of a network's embedding."""

from __future__ import annotations

import warnings

import torch

from coterie._errors import CollapseWarning
from coterie.data.arrays import SampleArray, ScaledSource, fit_scaling
from coterie.methods.base import NeuralEstimator
from coterie.methods.feature_starts import reduce_features
from coterie.methods.forward import embedding, map_samples
from coterie.methods.neighbor_graphs import Points
from coterie.nn import Features


def feature_points(estimator: NeuralEstimator, samples: SampleArray, seed: int) -> Points:
    """Points (n, d) of checked samples by an estimator's network as it is before the training.

    Warns
    -----
    CollapseWarning
        Some samples are zero in every feature.
    """
    start = estimator._start
    scaling = start.scaling_ if start else fit_scaling(samples, estimator._standardises())
    network = estimator._first_network(0)
    source = ScaledSource(samples, scaling, torch.device("cpu"))
    features: Points = map_samples(source, network, estimator._outputs, embedding, estimator.threads)
    n_zero = int((~features.any(axis=1)).sum())
    if n_zero and isinstance(network.backbone, Features) and network.backbone.is_wide:
        warnings.warn(
            f"X has {n_zero} samples that are 0 in every feature, which have no direction: they are all "
            "taken to be alike; check how the features were made",
            CollapseWarning,
            stacklevel=3,
        )
    return reduce_features(features, seed)
