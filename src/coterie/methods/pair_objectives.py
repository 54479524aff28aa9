"""Objectives of constrained clustering: a pair loss on pairs that are known or that a network says."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from coterie._types import Batch, Output
from coterie.data.batches import Sampler
from coterie.engine.objective import Modules, Objective
from coterie.losses.ccl import unchecked_ccl
from coterie.losses.kcl import unchecked_kcl
from coterie.losses.numerics import steady_rows
from coterie.losses.pairs import PairOptions, as_matrix
from coterie.methods.transfer import PairLabeler, symmetric_odds


class PairObjective(Objective):
    """A pair loss on the softmax rows of a batch, with cross entropy on known labels where it has a weight.

    Parameters
    ----------
    sampler : LabelBatches or PairBatches
    loss : {"ccl", "kcl"}
    margin : float
        Of KCL.
    options : PairOptions
    cross_entropy_weight : float
    """

    needs = frozenset({"logits"})

    def __init__(
        self, sampler: Sampler, loss: str, margin: float, options: PairOptions, cross_entropy_weight: float
    ) -> None:
        weights = {loss: 1.0}
        if cross_entropy_weight > 0:
            weights["cross_entropy"] = cross_entropy_weight
        super().__init__(sampler, weights)
        self._loss = loss
        self._margin = margin
        self._options = options

    def terms(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """The pair loss over the pairs known in the batch, and the cross entropy over its known labels."""
        terms = {self._loss: self._pair_loss(output.prob, _known(batch), batch.pair_weight)}
        if "cross_entropy" in self.weights:
            assert batch.labels is not None
            # no int(): reading the count would make a GPU wait
            counted = (batch.labels >= 0).sum().clamp_min(1)
            total = functional.cross_entropy(output.logits, batch.labels, ignore_index=-1, reduction="sum")
            terms["cross_entropy"] = total / counted
        return terms

    def _pair_loss(self, prob: Tensor, same: Tensor, weight: Tensor | None) -> Tensor:
        if self._loss == "kcl":
            return unchecked_kcl(prob, same, self._margin, self._options, weight)
        return unchecked_ccl(steady_rows(prob), same, self._options, weight)


class TransferObjective(PairObjective):
    """A pair loss whose pairs are what a similarity network says of each batch.

    The similarity network sees the same views as the clustering network, and its batch norm takes its
    statistics from them.

    Parameters
    ----------
    sampler : Sampler
    loss : {"ccl", "kcl"}
    margin : float
        Of KCL.
    options : PairOptions
    labeler : PairLabeler
    agree : bool, default=False
        The labels of a batch are clusters, and only pairs count on which they and the network agree.
    """

    auxiliary_training = True

    def __init__(
        self,
        sampler: Sampler,
        loss: str,
        margin: float,
        options: PairOptions,
        labeler: PairLabeler,
        *,
        agree: bool = False,
    ) -> None:
        super().__init__(sampler, loss, margin, options, cross_entropy_weight=0.0)
        self.auxiliary = labeler.network
        self._labeler = labeler
        self._agree = agree

    def targets(self, modules: Modules, samples: Tensor, output: Output, batch: Batch) -> Batch:
        """The batch with a label, and where wanted a weight, for every pair."""
        assert modules.auxiliary is not None
        odds = symmetric_odds(modules.auxiliary, samples)
        same = self._labeler.same(odds)
        if self._agree:
            assert batch.labels is not None
            same = same * (as_matrix(batch.labels) == same)
        return Batch(batch.rows, same=same, pair_weight=self._labeler.weight(odds))


def _known(batch: Batch) -> Tensor:
    """The pairs as given (b, b), or labels (b,) that stand for all pairs among them."""
    known = batch.same if batch.same is not None else batch.labels
    assert known is not None
    return known
