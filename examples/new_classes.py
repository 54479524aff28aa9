"""
Old classes, new data: SimilarityNetwork and CCN
================================================

Many classes are labelled, and the new data hold others. A :class:`coterie.SimilarityNetwork` learns from the
old classes whether two samples are of one class, a question that makes sense for classes it has never seen;
its answers then stand in for the labels of the new data.

The samples here are letters in twelve typefaces: 68 Latin and Cyrillic letters and figures are known, 17
Greek letters are to be discovered. The typefaces come with matplotlib.
"""

# %%
# Letters
# -------

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
from matplotlib.font_manager import FontProperties, findfont
from PIL import Image, ImageDraw, ImageFont
from sklearn.cluster import KMeans

from coterie import CCN, SimilarityNetwork
from coterie.metrics import clustering_accuracy, nmi

KNOWN = "ABCDEFGHJKLMNPQRSTUVWXYZabdefghkmnqrtБГДЖИЛЦЧШЭЮЯвдзилцчшэюя23456789"
NEW = "αβγδεζηθλμξπρσφψω"
FONTS = [
    ImageFont.truetype(findfont(FontProperties(family=f"DejaVu {kind}", style=style, weight=weight)), 40)
    for kind in ("Sans", "Serif", "Sans Mono")
    for style in ("normal", "oblique")
    for weight in ("normal", "bold")
]


def draw(letter: str, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """One letter in a random typeface, turned a little, in 20x20 pixels."""
    image = Image.new("L", (64, 64))
    ImageDraw.Draw(image).text((32, 32), letter, 255, FONTS[rng.integers(len(FONTS))], anchor="mm")
    image = image.rotate(rng.normal(0, 8), Image.Resampling.BILINEAR)
    left, top, right, bottom = image.getbbox() or (0, 0, 64, 64)
    a, b, c, d = (int(margin) for margin in rng.integers(1, 7, 4))
    return np.asarray(image.crop((left - a, top - b, right + c, bottom + d)).resize((20, 20)))


def letters(of: str, n_each: int, seed: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.str_]]:
    """Images of letters, and which letters they are."""
    rng = np.random.default_rng(seed)
    return np.stack([draw(letter, rng) for letter in of for _ in range(n_each)]), np.repeat(list(of), n_each)


X_known, y_known = letters(KNOWN, 20, seed=0)
X_new, y_new = letters(NEW, 30, seed=1)

figure, axes = plt.subplots(3, 17, figsize=(8.5, 1.6))
for row, line in enumerate(axes):
    for column, axis in enumerate(line):
        axis.imshow(X_new[30 * column + row], cmap="gray")
        axis.axis("off")

# %%
# What is alike?
# --------------
#
# Some of the classes are held out of the training; on their pairs the probabilities are calibrated and the
# threshold is chosen. ``report_`` says how well it does there, which is the best sign of how far to trust it.

spn = SimilarityNetwork(max_steps=400, random_state=0).fit(X_known, y_known)
for name, value in spn.report_.items():
    print(f"{name:<18}{value:.3f}")

# %%
# Two alphas, and an alpha and an omega:

print(spn.predict_proba_pairs(X_new, i=[0, 0], j=[1, 500]).round(3))

# %%
# New classes
# -----------
#
# Each batch of new letters gets its pairs from the similarity network.


def show(name: str, labels: npt.NDArray[np.int64]) -> None:
    """One line of scores."""
    print(f"{name:<34} ACC {clustering_accuracy(y_new, labels):.3f}   NMI {nmi(y_new, labels):.3f}")


model = CCN(n_clusters=17, max_steps=200, random_state=0).fit(X_new, similarity=spn)
show("CCN by similarity", model.labels_)

# %%
# Two lines to hold it against: k-means on the pixels, and on the features that the similarity network has
# learnt, which is often strong when the number of classes is given.

k_means = KMeans(n_clusters=17, n_init=10, random_state=0)
show("k-means on pixels", k_means.fit_predict(X_new.reshape(len(X_new), -1)))
show("k-means on the network's features", k_means.fit_predict(spn.transform(X_new)))

# %%
# Both together: features that were computed once, and clusters that begin where k-means ends.
# ``on_features()`` is the same network for its own features; clustering them costs a fraction of clustering
# images.

features = spn.transform(X_new)
model = CCN(n_clusters=17, head_init="k-means", backbone="identity", max_steps=200, random_state=0)
model.fit(features, similarity=spn.on_features())
show("CCN on features, from k-means", model.labels_)

# %%
# How many are there?
# -------------------
#
# Ask for more outputs than there can be classes; ``n_dominant_`` estimates their number.

model = CCN(n_clusters=50, over_clustering=True, max_steps=200, random_state=0)
model.fit(features, similarity=spn.on_features())
print("outputs: 50   used:", model.n_clusters_, "  dominant:", model.n_dominant_, "  classes: 17")
show("CCN, 50 outputs, on features", model.labels_)

# %%
# After so short a training the estimate is low. More known classes help most: the network learns what is
# alike from classes, and not from samples.
