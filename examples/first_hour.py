"""
The first hour
==============

From a pile of digits that nobody has labelled to clusters, from clusters to answers about pairs, from there
to predictions for new digits and a report to pass on. The data come with scikit-learn; nothing is downloaded.
"""

# %%
# Digits without labels
# ---------------------
#
# 1,797 images of 8x8 pixels. We keep 297 back as "new" ones. The true classes are loaded too, because here we
# want to know how well things went; nothing below learns from them but the answers about pairs.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits

images, truth = load_digits().images, load_digits().target
X, X_new = images[:1500], images[1500:]
y, y_new = truth[:1500], truth[1500:]

figure, axes = plt.subplots(2, 10, figsize=(8, 1.8))
for axis, image in zip(axes.flat, X, strict=False):
    axis.imshow(image, cmap="gray_r")
    axis.axis("off")

# %%
# What k-means makes of them, as a line to hold the rest against. ACC is the share of rows that are right
# under the best one-to-one match of clusters and classes.

from coterie.metrics import clustering_accuracy

k_means = KMeans(n_clusters=10, n_init=10, random_state=0).fit_predict(X.reshape(len(X), -1))
print(f"k-means: ACC {clustering_accuracy(y, k_means):.3f}")

# %%
# No labels
# ---------
#
# What :class:`coterie.ADC` learns from are random views of each image (small rotations, crops, noise). The
# softmax output of its network is the clustering. To save time there is one start here in place of three, of
# a third of the steps.

from coterie import ADC

adc = ADC(n_clusters=10, n_restarts=1, max_steps=600, random_state=0).fit(X)
print(f"ADC, no labels: ACC {clustering_accuracy(y, adc.labels_):.3f}")
print("sizes of the clusters:", np.bincount(adc.labels_))

# %%
# Which class lies in which cluster:

from coterie.metrics import contingency
from coterie.report.figures import contingency_table

axis = contingency_table(contingency(y, adc.labels_))

# %%
# Where it is unsure
# ------------------
#
# Rows of :meth:`~coterie.ADC.predict_proba` sum to 1. The least certain images are those worth asking about.

certainty = adc.predict_proba(X).max(axis=1)
unsure = np.argsort(certainty)[:10]
figure, axes = plt.subplots(1, 10, figsize=(8, 1.3))
for axis, row in zip(axes, unsure, strict=True):
    axis.imshow(X[row], cmap="gray_r")
    axis.set_title(f"{certainty[row]:.2f}", fontsize=8)
    axis.axis("off")

# %%
# Some answers
# ------------
#
# The contingency table shows where classes share a cluster. No algorithm can know that you want them apart; a
# few answers say so. ``coterie label`` asks "same or different?" in a browser, where the answers help most,
# and writes them to a file. Here 1,000 random pairs are answered by the true classes: a tenth of a percent of
# all pairs.
#
# :class:`coterie.CCN` clusters what ADC has learnt, its embedding, so that the answers agree:

from coterie import CCN, Pairs

pairs = Pairs.from_labels(y, 1000, random_state=0)
print(pairs)
features = adc.transform(X)
model = CCN(n_clusters=10, loss="kcl", n_restarts=2, random_state=0).fit(features, pairs=pairs)
print(f"CCN, 1,000 answers: ACC {clustering_accuracy(y, model.labels_):.3f}")

# %%
# New digits
# ----------
#
# Both networks predict for digits that they have never seen. A row whose best probability is low can be left
# to a person:

proba = model.predict_proba(adc.transform(X_new))
found = proba.argmax(axis=1)
print(f"new digits, ADC: ACC {clustering_accuracy(y_new, adc.predict(X_new)):.3f}")
print(f"new digits, CCN: ACC {clustering_accuracy(y_new, found):.3f}")

sure = proba.max(axis=1) > 0.95
names = np.array([np.bincount(y[model.labels_ == cluster], minlength=10).argmax() for cluster in range(10)])
right = names[found] == y_new
print(f"surer than 0.95: {sure.mean():.0%} of them, {right[sure].mean():.1%} of those right")

# %%
# Keep it
# -------
#
# A model is one file: safetensors and JSON, no pickle.

from pathlib import Path
from tempfile import TemporaryDirectory

import coterie

with TemporaryDirectory() as folder:
    coterie.save(model, f"{folder}/digits.safetensors")
    again = coterie.load(f"{folder}/digits.safetensors")
    print("same predictions:", (again.predict(features) == model.labels_).all())

# %%
# A report
# --------
#
# One HTML page that opens anywhere: what was asked, losses, sizes, the most and least certain images, maps,
# warnings in plain words. On the command line it is ``coterie report run``. This is the one of the first
# model, whose samples are pictures:

from coterie.report.html import ReportInput, render_report

given = ReportInput(adc, X, [f"digit {row}" for row in range(len(X))], {"data": "digits"}, truth=y)
with TemporaryDirectory() as folder:
    page = Path(folder, "report.html")
    page.write_text(render_report(given), encoding="utf-8")
    print(f"the report has {page.stat().st_size / 1e6:.1f} MB")

# %%
# One of its figures, the rows in the plane by their probabilities, coloured by cluster:

from coterie.report.figures import embedding_map

axis = embedding_map(model.predict_proba(features), model.labels_, random_state=0)

# %%
# The same at the command line
# ----------------------------
#
# .. code-block:: console
#
#    $ coterie fit photos/ --method adc --n-clusters 10 --out run
#    $ coterie report run
#    $ coterie label run
#    $ coterie fit photos/ --pairs run/pairs.csv --closure --n-clusters 10 --out better
#    $ coterie predict better new_photos/ --out new_labels.csv
#
# Where next: :doc:`choosing a method </choosing>`, or the guide for what you have.
