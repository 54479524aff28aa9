"""
A table, no k
=============

You have a table and do not know how many groups are in it. :class:`coterie.TableClusterer` clusters it in
one pass of a network that was trained on synthetic tables alone. It says how many clusters there are and how
sure it is; you set nothing, and nothing is trained.
"""

# %%
# One call
# --------
#
# The chemical analysis of 178 wines, from three cultivars. The model does not know that there are three.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.cluster import HDBSCAN, KMeans
from sklearn.datasets import load_wine, make_blobs, make_moons
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score
from sklearn.preprocessing import StandardScaler

from coterie import TableClusterer

X, cultivar = load_wine(return_X_y=True, as_frame=True)
model = TableClusterer(random_state=0).fit(X)
print("clusters:", model.n_clusters_)
print("P(k), k = 1..5:", np.round(model.count_proba_[:5], 2))
print(f"against the cultivars: ARI {adjusted_rand_score(cultivar, model.labels_):.2f}")

# %%
# The map is for the eye alone. The model clusters all 13 columns.

places = PCA(2).fit_transform(StandardScaler().fit_transform(X))
figure, axes = plt.subplots(1, 2, figsize=(8, 3.2), sharex=True, sharey=True)
for axis, colours, title in zip(axes, (model.labels_, cultivar), ("found", "cultivar"), strict=True):
    axis.scatter(*places.T, c=colours, s=12, cmap="tab10", vmin=-1, vmax=8)
    axis.set_title(title, fontsize=10)
    axis.axis("off")

# %%
# Where P(k) is spread over several numbers, look at more than one answer: ``n_clusters`` asks for a number.

pairs_of_wines = TableClusterer(2, random_state=0).fit(X)
print("sizes of two clusters:", np.bincount(pairs_of_wines.labels_[pairs_of_wines.labels_ >= 0]))

# %%
# Words, gaps and new rows
# ------------------------
#
# A data frame may hold words, dates and gaps. New rows join the clusters that are there, which keep their
# numbers. A row that is far from all others gets the label -1; ``noise=False`` assigns every row.

rng = np.random.default_rng(0)
kind = np.arange(240) % 3
frame = pd.DataFrame(
    {
        "height": rng.normal(10.0 * kind, 1.0),
        "width": rng.normal(-6.0 * kind, 1.0),
        "colour": np.array(["red", "green", "blue"])[kind],
    }
)
flowers = TableClusterer(random_state=0).fit(frame)
new = pd.DataFrame(
    {"height": [0.0, 20.0, 300.0], "width": [0.0, -12.0, 90.0], "colour": ["red", "blue", "red"]}
)
print("clusters:", flowers.n_clusters_, "new rows:", flowers.predict(new))

# %%
# What it finds, and what it does not
# -----------------------------------
#
# k-means is given the number of clusters, HDBSCAN and the model are not. ARI is 1 where a clustering is that
# of the truth, and 0 for chance.


def compare(name: str, X: np.ndarray, truth: np.ndarray) -> None:
    """Print the numbers of clusters and the ARI of three methods."""
    points = StandardScaler().fit_transform(X)
    ours = TableClusterer(random_state=0).fit(X)
    hdbscan = HDBSCAN(min_cluster_size=max(5, len(X) // 50), copy=True).fit_predict(points)
    k = len(np.unique(truth))
    given_k = KMeans(k, n_init=10, random_state=0).fit_predict(points)
    scores = [adjusted_rand_score(truth, labels) for labels in (ours.labels_, hdbscan, given_k)]
    print(
        f"{name:24}{k:5}{ours.n_clusters_:8}{hdbscan.max() + 1:9}" + "".join(f"{one:9.2f}" for one in scores)
    )


print(f"{'':24}{'true':>5}{'found':>8}{'HDBSCAN':>9}{'ARI':>9}{'HDBSCAN':>9}{'k-means':>9}")
compare("wine", X.to_numpy(), cultivar.to_numpy())
compare("seven clouds", *make_blobs(500, 4, centers=7, random_state=1))
compare("two moons", *make_moons(400, noise=0.06, random_state=0))
compare("sizes 300, 30, 10", *make_blobs([300, 30, 10], 3, cluster_std=0.7, random_state=4))
compare("thirty clouds", *make_blobs(600, 2, centers=30, cluster_std=0.3, random_state=1))

# %%
# It does well on tables of some hundred rows with up to about ten clusters, whatever their form. It is worse
# where clusters are very unequal in size, overlap strongly, or are more than 20, which it cannot count. Take
# `HDBSCAN <https://scikit-learn.org/stable/modules/clustering.html#hdbscan>`_ if your clusters are dense and
# many, or of very unequal sizes, and if most rows may be noise. Take k-means or a mixture if you know how
# many clusters there are. `docs/results.md` has the scores on 37 tables, losses beside wins.
#
# From the command line
# ---------------------
#
# A table without labels and pairs is for this model: ``coterie fit table.csv --out run`` writes
# ``run/labels.csv`` with a cluster for each row, -1 for noise. ``coterie predict run new.csv`` puts new rows
# into the same clusters, and ``coterie report run`` draws them.

print("last cluster probabilities:", model.predict_proba(X[-1:]).round(2)[0])
