"""What is known of some samples: labels, pairs, or both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from coterie.data import Pairs
from coterie.data.arrays import data_digest
from coterie.data.labels import similar_share
from coterie.methods.checks import pair_columns

# With this little supervision the start decides: the best of five by loss, as in the paper.
FEW_PAIRS = 20_000
FEW_LABELS = 5_000
# Similar pairs for each cluster below which clusters of the samples are better than a network from random
# weights. ACC of both on 4,000 training images of MNIST: 1.9 of them 0.615 and 0.438, 4.2 0.653 and 0.588,
# 8.8 0.677 and 0.938; on the 13 columns of wine: 3.7 0.969 and 0.753, 6.3 0.969 and 0.955, 11 0.969 and
# 0.986; on the 64 of digits: 4.6 0.868 and 0.783, 10 0.869 and 0.917 (two draws of pairs of tables).
SIMILAR_PAIRS = 7


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

    def is_too_little(self, n_clusters: int) -> bool:
        """Whether there are too few similar pairs to learn from random weights what is alike."""
        return self.pairs is not None and self.pairs.n_similar < SIMILAR_PAIRS * n_clusters
