"""`coterie evaluate`: compare a clustering with known labels."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from coterie._errors import InputError
from coterie.cli.table import format_table
from coterie.data.labels import encode_labels
from coterie.data.readers import names_in_common, read_label_table
from coterie.metrics import clustering_accuracy, dominant_clusters, nmi, purity


def run(options: Any, words: Sequence[str]) -> None:
    """Print the scores."""
    table = read_label_table(options.clusters)
    clusters, _ = encode_labels(table.values)
    known = read_label_table(options.labels)
    names = names_in_common(table, known)
    codes, _ = encode_labels(known.for_rows(names, len(clusters), strict=False))
    if len(clusters) != len(codes):
        raise InputError(
            f"--labels must have one label per row of {options.clusters}, {len(clusters)}, got {len(codes)}"
        )
    scored = (codes >= 0) & (clusters >= 0)
    if not scored.any():
        raise InputError(
            f"LABELS must hold the known label of at least one row of {options.clusters} that has a cluster"
        )
    found, true = clusters[scored], codes[scored]
    n_clusters = len(np.unique(found))
    scores = {
        "rows": len(found),
        "ACC": float(clustering_accuracy(true, found)),
        "NMI": float(nmi(true, found)),
        "purity": float(purity(true, found)),
        "clusters": n_clusters,
        "dominant": dominant_clusters(found, n_clusters),
    }
    unassigned = int(((codes >= 0) & (clusters < 0)).sum())
    if unassigned:
        scores["unassigned"] = unassigned
    print(json.dumps(scores) if options.json else format_table(list(scores), [list(scores.values())]))
