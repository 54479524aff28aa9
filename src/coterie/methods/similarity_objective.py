"""What a similarity network minimises, and how: cross entropy of "same" over the pairs of a batch."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from coterie._types import Batch, Output
from coterie.data.batches import Sampler
from coterie.engine.objective import Objective, OnEnter, Phase
from coterie.engine.recipe import Recipe
from coterie.losses.pairs import as_matrix

# 50 epochs and their drops are the paper's; it has 193 steps an epoch.
RECIPES = {
    "default": Recipe(
        "adam", learning_rate=1e-3, batch_size=100, max_epochs=50, step_range=(600, 3_000), drops=(0.6, 0.8)
    ),
    "paper": Recipe("adam", learning_rate=1e-3, batch_size=100, max_epochs=50, drops=(0.6, 0.8)),
}
# of features, two numbers are learnt
FEATURES = Recipe(
    "adam", learning_rate=1e-2, batch_size=100, max_epochs=5, step_range=(50, 150), drops=(0.6, 0.8)
)


class SimilarityObjective(Objective):
    """Cross entropy of "same" and "different" over all known ordered pairs of a batch.

    Pairs of a row with itself count where the batch has labels, as in the paper's enumeration of pairs.

    Parameters
    ----------
    sampler : ClassBatches or PairBatches
    start : callable, optional
        Values to begin with.
    """

    def __init__(self, sampler: Sampler, start: OnEnter | None = None) -> None:
        super().__init__(sampler, phases=[Phase("training", None, {"cross_entropy": 1.0}, start)])

    def terms(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """The mean over the known pairs."""
        same = known_pairs(batch)
        odds = output["log_odds"]
        known = (same != 0).to(odds.dtype)
        losses = functional.binary_cross_entropy_with_logits(
            odds, (same > 0).to(odds.dtype), known, reduction="sum"
        )
        return {"cross_entropy": losses / known.sum().clamp_min(1)}


def known_pairs(batch: Batch) -> Tensor:
    """What is known of all pairs of a batch, int8 (b, b)."""
    if batch.same is not None:
        return batch.same
    assert batch.labels is not None
    return as_matrix(batch.labels)
