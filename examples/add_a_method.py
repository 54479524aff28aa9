"""
Add a method
============

A method is a network plus an *objective*. The objective says which rows make up a batch and maps what the
network gives for them to named terms; the engine does the rest: restarts, checkpoints, several processes,
stopping, prediction.

This guide adds a sixth method: clusters that carry much information about the samples (A. Krause, P. Perona
and R. Gomes, *Discriminative clustering by regularized information maximization*, NeurIPS 2010), and that
stay the same when a sample is seen a little differently.
"""

# %%
# The equations
# -------------
#
# In the library they are a file in ``losses/``: pure tensor functions, named as in the paper, with equation
# numbers, shapes and an example that runs. The information of a cluster about a sample is the entropy of the
# mean row (clusters of equal size) less the mean entropy of the rows (each sample in one cluster).

from typing import Any, ClassVar, Self

import torch
from sklearn.base import ClusterMixin
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from torch import Tensor

from coterie import register
from coterie._types import Batch, Output
from coterie.data import RowBatches
from coterie.engine.objective import Objective
from coterie.engine.recipe import Recipe
from coterie.losses.numerics import log_floored, probability_floor
from coterie.methods.base import Training
from coterie.methods.clusterer import NeuralClusterer
from coterie.metrics import clustering_accuracy, nmi
from coterie.params import Range, param, parameters
from coterie.testing import check_method


def entropy(prob: Tensor) -> Tensor:
    """Entropy of rows (..., k) that sum to 1: (...) in [0, log k]."""
    return -(prob * log_floored(prob, probability_floor(prob.dtype))).sum(dim=-1)


print(entropy(torch.tensor([[0.5, 0.5], [0.9, 0.1]])))

# %%
# The objective
# -------------
#
# ``terms`` gets the network's outputs for the global batch of all processes, gathered with gradient, and what
# is known of its rows (here nothing). ``n_views = 1`` asks for a random view of every row beside the plain
# one. Names of terms are those of the weights: they turn up in ``history_``, in the progress bar and in the
# report.


class InformationObjective(Objective):
    """Information between samples and clusters, the same for a sample and a view of it."""

    n_views = 1

    def __init__(self, sampler: RowBatches, balance: float) -> None:
        super().__init__(sampler, {"certainty": 1.0, "balance": balance, "views": 1.0})

    def terms(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Scalars, to be minimised."""
        prob, of_view = output.prob, output.views[0].prob
        kept = prob.detach() * log_floored(of_view, probability_floor(of_view.dtype))
        return {
            "certainty": entropy(prob).mean(),
            "balance": -entropy(prob.mean(dim=0)),
            "views": -kept.sum(dim=1).mean(),
        }


# %%
# The estimator
# -------------
#
# Parameters are declared, each with its type, default, range and text: the signature, the checks, the
# documentation and the options of the command line follow. The shared ones come with the base. ``fit`` checks
# its input, takes over the number of clusters or has it estimated, builds objective and recipe and hands them
# to ``_train``; ``predict``, ``predict_proba``, ``transform``, ``labels_`` and the others come with the base.


@parameters
class Information(ClusterMixin, NeuralClusterer):
    """Clusters without labels, by information maximisation."""

    RECIPE: ClassVar = Recipe("adam", learning_rate=1e-3, batch_size=200, max_epochs=60)

    balance: float = param(default=2.0, check=Range(0), text="Weight of clusters of equal size.")

    def fit(self, X: Any, y: Any = None) -> Self:
        """Cluster X; y is ignored."""
        samples = self._check_samples(X, reset=True)
        self._check_common(len(samples))
        self._choose_n_outputs(samples, len(samples) // 2)
        recipe = self._override(self.RECIPE)
        objective = InformationObjective(RowBatches(len(samples), recipe.batch_size), self.balance)
        views = self._choose_augment(True)
        return self._train(samples, Training(objective, recipe, self._restarts_or(1), views, supervision=""))


# %%
# It runs
# -------
#
# On images, so that the views are small rotations, zooms and shifts. Nothing has been tuned. ``check_method``
# fits the method a few times and says which point of the contract does not hold; it belongs into its tests.

if __name__ == "__main__":
    register("information", Information)
    check_method(Information)
    X, truth = load_digits().images, load_digits().target
    model = Information(n_clusters=10, n_restarts=3, random_state=0).fit(X)
    by_k_means = KMeans(n_clusters=10, n_init=10, random_state=0).fit_predict(X.reshape(len(X), -1))
    for name, labels in (("Information", model.labels_), ("k-means", by_k_means)):
        print(f"{name:<12} ACC {clustering_accuracy(truth, labels):.3f}   NMI {nmi(truth, labels):.3f}")
    print(
        "last epoch:",
        {name: round(model.history_[-1][name], 3) for name in ("certainty", "balance", "views")},
    )

# %%
# A package of its own
# --------------------
#
# Put this file into a package as ``information.py``, and give the package an entry point of the group
# ``coterie.methods`` with the name ``information`` and the value ``information:Information``. Once the
# package is installed, ``coterie methods`` lists the method, ``coterie fit --method information`` fits it,
# and reports, saving and loading know it. Within one process ``coterie.register`` does the same.
#
# Into the library
# ----------------
#
# 1. The equations go to ``losses/<paper>.py``, with tests against numbers that somebody else computed,
#    gradcheck, and float32 at the extremes.
# 2. Objective and estimator go to ``methods/<name>.py``; ``methods/ccn.py`` is the example for pairs,
#    ``methods/adc.py`` for views and phases. What else an objective may ask for (phases with weights of their
#    own, a teacher that follows the weights, mined neighbours, sets of samples) is in
#    :class:`coterie.engine.objective.Objective`.
# 3. Its parameters go to ``params/<name>.py`` and one line to ``params/methods.py``, which puts it under the
#    contract tests, scikit-learn's own checks among them.
# 4. A suite in ``benchmarks/suites/`` with the paper's numbers beside yours, a row in ``docs/papers.md``, a
#    line in CHANGELOG.md.
