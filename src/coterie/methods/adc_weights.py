"""How much each term of ADC's loss counts, in each phase."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass


@dataclass(frozen=True)
class Weights:
    """How much each part of the loss counts.

    Attributes
    ----------
    centroids : float
        Alpha: walks between centroids and embeddings.
    views : float
        Beta: walks between views and plain embeddings.
    views_later : float
        Beta once the centroids have started.
    visit, view_visit : float
        Of the visit loss, as a share of alpha and of beta.
    norm : float
        Gamma.
    transformation : float
        Delta.
    classification : float
        Cross entropy of the head on the centroids.
    sparsity : float
        Absolute values of embeddings, in the released code alone.
    pairs : float
        The pair term, where pairs are given.
    """

    centroids: float = 1.0
    views: float = 0.9
    views_later: float = 0.9
    visit: float = 0.3
    view_visit: float = 0.3
    norm: float = 1e-5
    transformation: float = 2e-5
    classification: float = 1.0
    sparsity: float = 0.0
    pairs: float = 1.0

    def warm_up(self) -> dict[str, float]:
        """Weights of the terms before there are centroids."""
        terms = {
            "view_walker": self.views,
            "view_visit": self.views * self.view_visit,
            "norm": self.norm,
            "sparsity": self.sparsity,
        }
        return {name: weight for name, weight in terms.items() if weight}

    def clustering(self, has_pairs: bool) -> dict[str, float]:
        """Weights of the terms that train the clustering."""
        later = dataclasses.replace(self, views=self.views_later).warm_up()
        terms = {
            "centroid_walker": self.centroids,
            "centroid_visit": self.centroids * self.visit,
            "classification": self.classification,
            "transformation": self.transformation,
            "pairs": self.pairs if has_pairs else 0.0,
        }
        return {name: weight for name, weight in terms.items() if weight} | later
