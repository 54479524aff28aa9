"""Scores of a clustering against known classes."""

from __future__ import annotations

from coterie.metrics.external import (
    clustering_accuracy,
    contingency,
    dominant_clusters,
    map_clusters,
    mapped_accuracy,
    misclassification_rate,
    nmi,
    purity,
)

__all__ = [
    "clustering_accuracy",
    "contingency",
    "dominant_clusters",
    "map_clusters",
    "mapped_accuracy",
    "misclassification_rate",
    "nmi",
    "purity",
]
