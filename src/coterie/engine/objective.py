"""What a method hands to the engine: the batches it needs and the terms it minimises."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

from torch import Tensor

from coterie._types import Batch, Output
from coterie.data.batches import Sampler


class Objective(ABC):
    """Names the batches it needs, maps each batch's output to scalar terms; knows no loop or process.

    Attributes
    ----------
    sampler : Sampler
        Which rows make up a step, and what is known about them.
    weights : mapping of str to float
        Weight of each term in the total.
    """

    def __init__(self, sampler: Sampler, weights: Mapping[str, float]) -> None:
        self.sampler = sampler
        self.weights = dict(weights)

    @abstractmethod
    def terms(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Unweighted scalar terms of one joint batch, named as in `weights`."""

    def total(self, terms: Mapping[str, Tensor]) -> Tensor:
        """The weighted sum that is minimised and that ranks restarts."""
        weighted = [self.weights[name] * value for name, value in terms.items()]
        return sum(weighted[1:], start=weighted[0])
