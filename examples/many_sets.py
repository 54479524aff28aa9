"""
Many small sets: L2C
====================

A :class:`coterie.L2C` network is the clustering algorithm itself. It is trained once, on sets of which it is
known what belongs together, and then clusters sets that it has never seen, each in one pass: how many
clusters there are, and which sample is in which.
"""

# %%
# A model that comes with the library
# -----------------------------------
#
# For points in the plane of any position and scale: up to 5 clusters ("points2d") or up to 10
# ("points2d-10").

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.cluster import KMeans

from coterie import L2C
from coterie.data.shapes2d import shapes2d
from coterie.metrics import nmi

points, truth = shapes2d(50, random_state=1)  # rings, moons and Gaussians, 72 points a set
model = L2C.from_pretrained("points2d")

shown = [int(np.flatnonzero(truth.max(axis=1) == k - 1)[0]) for k in (2, 3, 4, 5)]
figure, axes = plt.subplots(1, 4, figsize=(9, 2.6))
for axis, number in zip(axes, shown, strict=True):
    found = model.predict(points[number])
    axis.scatter(*points[number].T, c=found, s=8, cmap="tab10", vmin=0, vmax=9)
    axis.set_title(f"{len(np.unique(found))} found, {truth[number].max() + 1} true", fontsize=9)
    axis.set_aspect("equal")
    axis.axis("off")

# %%
# How many?
# ---------
#
# P(k) for k = 1..5, and for the most probable k the probabilities of the clusters:

cloud = points[shown[1]]
print("P(k):", model.predict_count_proba(cloud).round(3))
print("first points:", model.predict_proba(cloud)[:3].round(3), sep="\n")

# %%
# k-means is given the number of clusters. NMI is the mean of 50 sets; one cluster alone scores 1 where it
# is right. A model warns where its largest number is the likeliest one: there might be more.

with warnings.catch_warnings():
    warnings.simplefilter("ignore", UserWarning)
    ours = [nmi(labels, model.predict(cloud)) for cloud, labels in zip(points, truth, strict=True)]
theirs = [
    nmi(labels, KMeans(int(labels.max()) + 1, n_init=4, random_state=0).fit_predict(cloud))
    for cloud, labels in zip(points, truth, strict=True)
]
print(f"L2C:              NMI {np.mean(ours):.3f}")
print(f"k-means, k given: NMI {np.mean(theirs):.3f}")

# %%
# A model of your own
# -------------------
#
# ``fit(X, groups)`` draws the training sets from labelled groups: speakers, products, plants. ``fit_sets``
# takes whole sets, each with its own labels, or only with what is known of its pairs: 1 same, -1 different, 0
# unknown (a set with unknown pairs does not tell how many clusters it has). Here are 400 sets of 40 points
# with such matrices and a few steps: far too few to rival the model above, enough to see it learn.

clouds, groups = shapes2d(400, 40, n_clusters=(1, 4), random_state=2)
sets = [
    (cloud, np.where(labels[:, None] == labels, 1, -1)) for cloud, labels in zip(clouds, groups, strict=True)
]
small = L2C(max_clusters=4, max_steps=150, random_state=0).fit_sets(sets)
clouds, groups = shapes2d(50, 40, n_clusters=(1, 4), random_state=3)
with warnings.catch_warnings():
    warnings.simplefilter("ignore", UserWarning)
    scores = [nmi(labels, small.predict(cloud)) for cloud, labels in zip(clouds, groups, strict=True)]
print(f"after 150 steps: NMI {np.mean(scores):.3f} on 50 new sets")
for epoch in (small.history_[0], small.history_[-1]):
    print("epoch", epoch["epoch"], {name: round(epoch[name], 3) for name in ("count", "assignment", "pair")})

# %%
# Larger sets
# -----------
#
# A set of up to 1,500 samples is clustered in one pass, a larger one as overlapping subsets that are merged.
# Its labels mean nothing beyond the set: there is no ``labels_``, and no ``fit_predict``.

cloud, labels = (array[0] for array in shapes2d(1, 2000, n_clusters=(4, 4), random_state=4))
print(f"2,000 points: NMI {nmi(labels, model.predict(cloud)):.3f}")
