"""The fitted model of a run as the last new fit of its page left it, for Python."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from coterie.cli.corrected import corrected
from coterie.cli.label_table import write_table
from coterie.cli.open.bench import workbench_of
from coterie.cli.open.library import Library
from coterie.cli.open.words import Words
from coterie.cli.open.written import CLUSTERS
from coterie.cli.run_folder import MODEL, load_clusterer
from coterie.corrections.statements import count_unlearned
from coterie.methods.persistence import save

# of a run without an encoder: the corrected model takes its embedding
NETWORK = "network"
COLUMNS = ("column", "id", "name")


def write_model(run: Path, library: Library, out: Path) -> None:
    """Write a folder: "model", "clusters.csv", and "network" where the model takes what that one makes.

    Parameters
    ----------
    run : Path
    library : Library
    out : Path
        An empty folder.
    """
    found = corrected(run)
    bench = workbench_of(run, library) if found is None else found.bench
    if found is None or found.learned is None:
        shutil.copyfile(run / MODEL, out / MODEL)
    else:
        estimator = load_clusterer(run)
        if estimator.encoder_ is None:
            shutil.copyfile(run / MODEL, out / NETWORK)
        else:  # it was fitted to the encoder's vectors, and takes what the run takes
            found.learned.encoder_, found.learned.modality_ = estimator.encoder_, estimator.modality_
        save(found.learned, out / MODEL)
    words = Words(bench)
    ids = [bench.canonical(cluster) for cluster in bench.scores.clusters]
    write_table(
        out / CLUSTERS, COLUMNS, [(column, one, words.name_of(one)) for column, one in enumerate(ids)]
    )
    if unlearned := count_unlearned(bench.journal.active()):
        print(
            f"coterie export: {unlearned} corrections are newer than the model; press Learn in coterie open",
            file=sys.stderr,
        )
