"""What is known of some samples: labels, pairs, or both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from coterie.data import Pairs
from coterie.data.arrays import data_digest
from coterie.data.labels import similar_share
from coterie.engine.recipe import Recipe
from coterie.methods.checks import pair_columns
from coterie.methods.head_choice import pairs_kept

# With this little supervision the start decides: the best of five by loss, as in the paper.
FEW_PAIRS = 20_000
FEW_LABELS = 5_000
# What is known for each cluster, below which clusters of the samples are better than a network from random
# weights. ACC of both, mostly means of two draws:
# 3,000 or 4,000 training images of MNIST: 1.9 similar pairs 0.615 and 0.438, 4.2 0.653 and 0.588, 8.8 0.677
# and 0.938; 2 labels 0.683 and 0.662, 5 0.748 and 0.851;
# the 64 columns of digits: 4.6 similar pairs 0.868 and 0.783, 10 0.869 and 0.917; 5 labels 0.913 and 0.850,
# 10 0.917 and 0.929;
# the 13 of wine: 6.3 similar pairs 0.969 and 0.955, 11 0.969 and 0.986; 5 labels 0.939 and 0.920, 10 0.936
# and 0.943.
SIMILAR_PAIRS = 7
LABELS_OF_IMAGES, LABELS_OF_VECTORS = 4, 8
# Steps for each pair that the clusters to begin with break: from pairs that they keep anyhow a network learns
# nothing, and drifts. ACC of objects 1-50 of COIL-100 from 200 and 1,000 random pairs, of which they break
# none or one: as clusters begin 0.938 (two draws), after all steps 0.898 and 0.902, after 100 0.929 and
# 0.938.
STEPS_A_BROKEN_PAIR = 100


@dataclass(frozen=True)
class Supervision:
    """The supervision of a fit: codes of labels, pairs, or both."""

    codes: npt.NDArray[np.int64] | None
    pairs: Pairs | None

    @property
    def is_small(self) -> bool:
        if self.pairs is not None:
            return self.pairs.n_pairs <= FEW_PAIRS
        assert self.codes is not None
        return int((self.codes >= 0).sum()) <= FEW_LABELS

    @property
    def similar_share(self) -> float:
        """Share of the known pairs that are similar."""
        if self.pairs is not None:
            return self.pairs.n_similar / self.pairs.n_pairs
        assert self.codes is not None
        return similar_share(self.codes)

    def digest(self) -> str:
        return data_digest(self.codes, *pair_columns(self.pairs))

    def is_too_little(self, n_clusters: int, *, of_images: bool) -> bool:
        """Whether too little is known to learn from random weights what is alike."""
        if self.pairs is not None:
            return self.pairs.n_similar < SIMILAR_PAIRS * n_clusters
        assert self.codes is not None
        needed = LABELS_OF_IMAGES if of_images else LABELS_OF_VECTORS
        return int((self.codes >= 0).sum()) < needed * n_clusters

    def shortened(self, recipe: Recipe, n_steps: int, begun: npt.NDArray[np.int64]) -> Recipe:
        """A recipe of no more steps than the pairs ask for that the clusters (n,) to begin with break.

        An epoch has `n_steps` steps.
        """
        if self.pairs is None:
            return recipe
        n_broken = int((~pairs_kept(begun, self.pairs)).sum())
        most = max(1, STEPS_A_BROKEN_PAIR * n_broken)
        usual = recipe.total_steps(n_steps)
        return recipe if most >= usual else recipe.shortened(most, usual)
