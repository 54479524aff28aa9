"""
Some pairs, or some labels: CCN
===============================

Somebody has answered "same or different?" for some pairs of rows, or has labelled some rows.
:class:`coterie.CCN` trains a network whose clusters agree with the answers, and clusters all other rows too.
"""

# %%
# Pairs
# -----
#
# 2,000 answers about 1,797 digits: 0.12 % of all pairs. Here they follow from the classes; in life they come
# from ``coterie label run/``, which asks a person, or from ``Pairs(i, j, same)``,
# ``Pairs.from_csv("pairs.csv")``.

import numpy as np
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits

from coterie import CCN, ConflictError, Pairs
from coterie.metrics import clustering_accuracy, nmi

X, truth = load_digits(return_X_y=True)
pairs = Pairs.from_labels(truth, 2000, random_state=0)
print(pairs)


def show(name: str, labels: np.ndarray) -> None:
    """One line of scores over all rows."""
    print(f"{name:<28} ACC {clustering_accuracy(truth, labels):.3f}   NMI {nmi(truth, labels):.3f}")


show("k-means, no labels", KMeans(n_clusters=10, n_init=10, random_state=0).fit_predict(X))
model = CCN(n_clusters=10, loss="kcl", n_restarts=2, random_state=0).fit(X, pairs=pairs)
show("CCN, 2,000 random pairs", model.labels_)

# %%
# The loss is one of two. "kcl" compares the divergence of two rows with a margin and did better from few
# pairs of vectors; "ccl" is a likelihood, has no parameter, and did better with deep networks and many
# clusters.
#
# Answers that contradict each other
# ----------------------------------
#
# Similar pairs chain. An answer that contradicts a chain is refused, and the shortest chain is named:

try:
    CCN(n_clusters=2).fit(X, pairs=Pairs(i=[0, 1, 0], j=[1, 2, 2], same=[1, 1, -1]))
except ConflictError as error:
    print(error)

# %%
# Noisy answers may stay as they are with ``hard=False``. What follows from certain ones is free:

print("given:   ", Pairs([0, 1, 2], [1, 2, 3], [1, 1, -1]))
print("implied: ", Pairs([0, 1, 2], [1, 2, 3], [1, 1, -1]).closure())

# %%
# Labels of some rows
# -------------------
#
# -1, None or NaN is unknown. All pairs of known labels in a batch are used.

partial = np.full(len(truth), -1)
known = np.random.default_rng(0).choice(len(truth), 100, replace=False)
partial[known] = truth[known]
model = CCN(n_clusters=10, n_restarts=2, random_state=0).fit(X, partial)
show("CCN, 100 labels", model.labels_)

# %%
# Clusters have no names of their own. With ``cross_entropy_weight=1.0`` beside labels, they are the classes,
# in sorted order.
#
# An unknown number of clusters
# -----------------------------
#
# Ask for more than enough; a pair loss has no reason to use them all. ``n_dominant_`` counts the clusters of
# at least n / n_clusters rows. (``n_clusters="auto"`` counts them in five runs, and then trains with that
# number.)

model = CCN(n_clusters=30, over_clustering=True, n_restarts=2, random_state=0).fit(X, partial)
print("clusters used:", model.n_clusters_, "  dominant:", model.n_dominant_)
show("CCN, 100 labels, 30 outputs", model.labels_)

# %%
# Pairs without anybody's answers
# -------------------------------
#
# Neighbours are guessed to be similar, far rows dissimilar (:meth:`coterie.Pairs.from_neighbors`); samples
# close in time likewise (:meth:`coterie.Pairs.from_sequence`). Guesses may be wrong, so they are marked as
# not certain.

guesses = Pairs.from_neighbors(X, n_neighbors=5, random_state=0)
right = (truth[guesses.i] == truth[guesses.j]) == (guesses.same == 1)
print(guesses, f"  right: {right.mean():.1%}")
