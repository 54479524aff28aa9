"""
No labels: DDC and ADC
======================

Two methods need nothing but the data and the number of clusters. :class:`coterie.DDC` compares distances in
the last hidden layer of its network, so it serves any kind of data. :class:`coterie.ADC` compares random
views of each sample, so it serves samples that have views: images above all.
"""

# %%
# Shapes that k-means cannot separate
# -----------------------------------
#
# A disc in a ring (figure 3 of the DDC paper). No straight line between two centres parts them.

import matplotlib.pyplot as plt
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits, make_circles

from coterie import ADC, DDC
from coterie.metrics import clustering_accuracy

points, ring = make_circles(1000, factor=0.25, noise=0.05, random_state=0)
model = DDC(n_clusters=2, n_restarts=5, random_state=0).fit(points)
k_means = KMeans(n_clusters=2, n_init=10, random_state=0).fit_predict(points)

figure, axes = plt.subplots(1, 2, figsize=(7, 3.5))
for axis, name, labels in zip(axes, ("k-means", "DDC"), (k_means, model.labels_), strict=True):
    axis.scatter(*points.T, c=labels, s=4, cmap="coolwarm")
    axis.set_title(f"{name}: ACC {clustering_accuracy(ring, labels):.2f}")
    axis.set_aspect("equal")
    axis.axis("off")

# %%
# Where starts differ
# -------------------
#
# Training starts from random weights, and some starts end badly. Several are trained, and the one of lowest
# loss is kept: ``runs_`` shows all of them. With ``restarts="successive-halving"``, the default here, the
# best quarter goes on after 1/16 and 1/4 of the steps.

for run in model.runs_:
    print(f"start {run['restart']}: loss {run['loss']:.3f}, chosen: {run['chosen']}")

# %%
# The network predicts, so new points have clusters too, with probabilities:

new_points, new_ring = make_circles(5, factor=0.25, noise=0.05, random_state=1)
print(model.predict_proba(new_points).round(3))

# %%
# Images
# ------
#
# ADC on the 1,797 digits, with one start in place of three and a third of the steps. Which views may be drawn
# is a decision about the data: a digit that is mirrored is another digit, so ``augment="auto"`` takes the
# views called "digits" for images of one channel (crops, small rotations, brightness, noise) and mirrors
# none. A callable gives views of your own.

images, truth = load_digits().images, load_digits().target
clusters = ADC(n_clusters=10, n_restarts=1, max_steps=600, random_state=0).fit_predict(images)
by_k_means = KMeans(n_clusters=10, n_init=10, random_state=0).fit_predict(images.reshape(len(images), -1))
print(f"ADC:     ACC {clustering_accuracy(truth, clusters):.3f}")
print(f"k-means: ACC {clustering_accuracy(truth, by_k_means):.3f}")

# %%
# What to expect
# --------------
#
# - The number of clusters has to be known, or is estimated: ``n_clusters="auto"`` counts clusters in five
#   more runs with too many outputs.
# - Nothing says that the clusters a network finds are the classes you have in mind. On digits DDC's loss and
#   its accuracy go together only in part: :doc:`the results </results>` have their rank correlation.
# - One start in several may end badly, for ADC too: the results have its spread over seeds. If you can answer
#   a few questions about pairs, or label some rows, do: see the next guide.
