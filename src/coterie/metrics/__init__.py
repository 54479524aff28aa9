"""Scores of a clustering against known classes; clusterings aligned with each other."""

from __future__ import annotations

from coterie.metrics.alignment import align_clusters, vote_shares
from coterie.metrics.external import (
    balanced_accuracy,
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
    "align_clusters",
    "balanced_accuracy",
    "clustering_accuracy",
    "contingency",
    "dominant_clusters",
    "map_clusters",
    "mapped_accuracy",
    "misclassification_rate",
    "nmi",
    "purity",
    "vote_shares",
]
