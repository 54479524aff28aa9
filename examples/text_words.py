"""
Text by its words: TF-IDF
=========================

Text comes to coterie as vectors. TF-IDF, which scikit-learn has, counts words and weighs the rare ones; a
truncated SVD makes its long sparse rows short and dense. The next guide takes a sentence encoder in their
place.

The texts are the descriptions of SciPy's functions, which are there wherever coterie is installed. The
subpackage of a function stands for its true topic.
"""

# %%
# Texts
# -----

import importlib
import inspect
import re

import numpy as np
from sklearn.cluster import KMeans
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline

from coterie import CCN
from coterie.metrics import clustering_accuracy, nmi

TOPICS = ("fft", "linalg", "ndimage", "optimize", "signal", "stats")


def descriptions(topic: str) -> list[str]:
    """What the docstrings of a subpackage say before their list of parameters."""
    module = importlib.import_module(f"scipy.{topic}")
    members = [getattr(module, name) for name in module.__all__]
    docs = [inspect.getdoc(member) or "" for member in members if callable(member)]
    leads = [" ".join(re.split(r"\n\w[\w ]*\n-+\n", doc)[0].split()) for doc in docs]
    return [lead for lead in leads if len(lead) > 30]


texts = [text for topic in TOPICS for text in descriptions(topic)]
truth = np.repeat(TOPICS, [len(descriptions(topic)) for topic in TOPICS])
for topic in TOPICS:
    text = texts[int(np.flatnonzero(truth == topic)[0])]
    print(f"{topic:<10}{(truth == topic).sum():>4} texts, such as: {text[:60]}")

# %%
# Vectors
# -------

encode = make_pipeline(
    TfidfVectorizer(stop_words="english", sublinear_tf=True, min_df=2), TruncatedSVD(100, random_state=0)
)
X = encode.fit_transform(texts)
print(X.shape)

# %%
# Some labels
# -----------
#
# Somebody has named the topic of 20 texts of each kind; the others are None.

rng = np.random.default_rng(0)
partial = np.full(len(texts), None)
for topic in TOPICS:
    known = rng.choice(np.flatnonzero(truth == topic), 20, replace=False)
    partial[known] = topic
rest = np.array([label is None for label in partial])

model = CCN(n_clusters=6, n_restarts=2, random_state=0).fit(X, partial)
by_k_means = KMeans(n_clusters=6, n_init=10, random_state=0).fit_predict(X)
print("texts that nobody has named:")
for name, labels in (("k-means, no labels", by_k_means), ("CCN, 120 labels", model.labels_)):
    scores = clustering_accuracy(truth[rest], labels[rest]), nmi(truth[rest], labels[rest])
    print(f"{name:<24} ACC {scores[0]:.3f}   NMI {scores[1]:.3f}")

# %%
# New texts
# ---------

questions = ["Fit a normal distribution to observations", "Design a low-pass filter", "Blur an image"]
for question, row in zip(questions, model.predict_proba(encode.transform(questions)), strict=True):
    like = truth[np.flatnonzero(model.labels_ == row.argmax())]
    names, counts = np.unique(like, return_counts=True)
    print(f"{question:<42} cluster of {names[counts.argmax()]} ({row.max():.2f})")
