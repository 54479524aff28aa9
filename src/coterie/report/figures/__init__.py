"""Figures of a clustering: each function draws on matplotlib axes, given or made, and returns them."""

from __future__ import annotations

from coterie.report.figures.clusters import cluster_sizes, top_examples
from coterie.report.figures.curves import loss_curves, losses_against_scores, score_curves
from coterie.report.figures.maps import clustered_points, embedding_map, simplex_map
from coterie.report.figures.matrices import contingency_table, kernel_matrix, similarity_matrix

__all__ = [
    "cluster_sizes",
    "clustered_points",
    "contingency_table",
    "embedding_map",
    "kernel_matrix",
    "loss_curves",
    "losses_against_scores",
    "score_curves",
    "similarity_matrix",
    "simplex_map",
    "top_examples",
]
