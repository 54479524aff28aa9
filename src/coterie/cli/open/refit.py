"""A new fit that has learned what was said: heads on the run's features, which begin with what is shown.

Whatever the method of the run, its features are what the heads take: an encoder's vectors where it has one,
else the embedding of its network. That takes seconds, and every answer counts.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from coterie.cli.open import library
from coterie.data import Pairs
from coterie.data.files import atomic_write
from coterie.methods.distillation import SelfDistillation
from coterie.methods.persistence import save

# what the server gives, and what it takes over
LABELS, PAIRS, MODEL, SCORES = "labels.npy", "pairs.npy", "model", "scores.npy"


def refit(run: Path, folder: Path) -> None:
    """Fit to what lies in a folder, and write the model and its probabilities there.

    Parameters
    ----------
    run : Path
    folder : Path
        It holds the clusters that are shown, from 0 on, and pairs as columns i, j, same.
    """
    labels, ends = np.load(folder / LABELS), np.load(folder / PAIRS)
    X = np.load(run / library.FOLDER / library.FEATURES).astype(np.float32)
    pairs = Pairs(ends[:, 0], ends[:, 1], ends[:, 2]) if len(ends) else None
    model = SelfDistillation(n_clusters=int(labels.max()) + 1, random_state=0).begin_with(labels)
    model.fit(X, pairs=pairs)
    save(model, folder / MODEL)
    with atomic_write(folder / SCORES) as temporary, open(temporary, "wb") as file:
        np.save(file, model.predict_proba(X).astype(np.float32))
