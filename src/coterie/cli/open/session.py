"""One session: what the page shows, what it asks for, new fits in the background, labels.csv."""

from __future__ import annotations

import contextlib
import shlex
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from coterie._errors import InputError
from coterie.cli.label_table import COLUMNS, as_text, write_table
from coterie.cli.open import work
from coterie.cli.open.bench import workbench_of
from coterie.cli.open.cards import TILES, ends_of, rows_by_cluster
from coterie.cli.open.learning import Learning
from coterie.cli.open.library import Library
from coterie.cli.open.parting import split_points
from coterie.cli.open.questions import Question, Questions, as_action, count_answers
from coterie.cli.open.words import Words
from coterie.cli.open.written import (
    CLUSTERS,
    LABELS,
    PAIRS,
    label_rows,
    other_lines,
    pair_lines,
)
from coterie.corrections.actions import MOST_PARTS
from coterie.corrections.journal import Entry
from coterie.corrections.shown import ASIDE
from coterie.corrections.statements import count_unlearned

# rows and cards of an answer, entries of the history
_MOST_ROWS, _MOST_CARDS, _HISTORY = 400, 60, 60
# seconds that small pictures of one answer may take
_PATIENCE = 0.25
# below this probability of its cluster a sample counts as unsure
_UNSURE = 0.5
# looks of clusters that a page can tell apart
LOOKS = 32

Ints = npt.NDArray[np.int64]


class Outdated(InputError):
    """The page acts on what is no longer shown: another one has acted."""


class Session:
    """The clustering of a run under correction; all of its methods may be called from several threads.

    Parameters
    ----------
    run : Path
    library : Library
    who : str, optional
        Who speaks in the journal.
    """

    def __init__(self, run: Path, library: Library, who: str | None = None) -> None:
        self.run = run
        self.library = library
        self._lock = threading.RLock()
        self.bench = workbench_of(run, library, who)
        self.words = Words(self.bench)
        self._learning = Learning(run)
        self._questions: Questions | None = None
        # the question that is open, by what is shown
        self._asked: Question | None = None
        # how much is still wrong, once somebody was asked
        self.progress = ""
        self._mapping: subprocess.Popen[str] | None = None
        self._said = ""
        self._changed: dict[str, Any] | None = None
        self._written = threading.Event()
        self._writer: threading.Thread | None = None
        self._ended = False
        self._arrange()

    @property
    def version(self) -> int:
        """Grows with every action."""
        return len(self.bench.journal.entries)

    @property
    def busy(self) -> bool:
        """Whether a new fit is under way."""
        return self._learning.busy

    def state(self) -> dict[str, Any]:
        """All clusters, and how far things are."""
        with self._lock:
            journal, held = self.bench.journal, self.bench.journal.active()
            return {
                "version": self.version,
                "n": len(self.library),
                "clusters": [self._card(cluster) for cluster in self._sorted()],
                "aside": self._size(ASIDE),
                "said": int(self.bench.shown.said.sum()),
                "undo": self.words.in_words(held[-1]) if held else "",
                "redo": self.words.in_words(journal.entries[journal.undone()[-1] - 1])
                if journal.undone()
                else "",
                "refit": self._refit_state(held),
                "map": self.library.map() is not None,
                "history": [self.words.line(entry) for entry in held[:-_HISTORY:-1]],
                "metadata": self.library.meta | {"pictorial": self.library.pictorial, "run": str(self.run)},
            }

    def cards(self, clusters: Sequence[int]) -> dict[str, Any]:
        """Tiles of some clusters' most certain and most doubtful members."""
        with self._lock:
            ends = {one: ends_of(self._rows_of(one)) for one in clusters[:_MOST_CARDS]}
            return {
                "version": self.version,
                "cards": {
                    one: {"certain": self._tiles(certain), "doubtful": self._tiles(doubtful)}
                    for one, (certain, doubtful) in ends.items()
                },
            }

    def members(self, cluster: int, order: str, start: int, stop: int) -> dict[str, Any]:
        """Tiles of a cluster's members: the most certain first, the least, or by name."""
        with self._lock:
            rows = self._rows_of(cluster)
            if order == "doubtful":
                rows = rows[::-1]
            elif order == "name":
                rows = rows[np.argsort(self.library.name_rank[rows])]
            return self._part(rows, start, stop)

    def tiles(self, rows: Sequence[int]) -> dict[str, Any]:
        """Tiles of some rows."""
        with self._lock:
            known = np.array([row for row in rows if 0 <= row < len(self.library)], dtype=np.int64)
            return self._part(known, 0, _MOST_ROWS)

    def search(self, text: str, start: int, stop: int) -> dict[str, Any]:
        """Tiles of samples whose name holds a text, and how many there are."""
        wanted = text.casefold()
        rows = [row for row, name in enumerate(self.library.names) if wanted in name.casefold()]
        with self._lock:
            return self._part(np.array(rows, dtype=np.int64), start, stop)

    def pictures(self, rows: Sequence[int]) -> dict[str, Any]:
        """Small pictures of some rows, as many as there is time for: ask again for those left out."""
        known = [row for row in rows if 0 <= row < len(self.library)]
        return {"pictures": self.library.pictures(known[:_MOST_ROWS], _PATIENCE)}

    def labels(self) -> bytes:
        """Look of each sample's cluster, one byte a sample; 255 for those put aside."""
        with self._lock:
            labels = self.bench.shown.labels
            return (
                np.where(labels < 0, 255, labels % LOOKS).astype(np.uint8).tobytes()
                + labels.astype("<i4").tobytes()
            )

    def detail(self, row: int) -> dict[str, Any]:
        """One sample, and the clusters that it may belong to."""
        with self._lock:
            best = np.argsort(-self.bench.scores.values[row])[:3]
            likely = [
                [
                    self.bench.canonical(self.bench.scores.clusters[column]),
                    float(self.bench.scores.values[row, column]),
                ]
                for column in best
            ]
            return self._tile(row) | self.library.detail(row) | {"likely": likely}

    def act(self, version: object, do: object, given: Mapping[str, Any]) -> dict[str, Any]:
        """Take an action of a page that shows a version.

        Raises
        ------
        Outdated
            Something else is shown by now.
        Contradiction, InputError
            It contradicts what was said, or means nothing.
        """
        with self._lock:
            self._check(version)
            if do == "undo":
                self.bench.undo()
            elif do == "redo":
                self.bench.redo()
            else:
                do, given = as_action(self._asked, do, given)
                self.bench.act(str(do), given, instead=given.get("instead") is True)
            self._after()
            return self.state()

    def parts(self, cluster: object, n_parts: object) -> dict[str, Any]:
        """Parts into which a cluster would be split: tiles of each, the first stays; nothing is changed.

        Raises
        ------
        InputError
            There are fewer members than parts.
        """
        with self._lock:
            if type(cluster) is not int or type(n_parts) is not int or not 2 <= n_parts <= MOST_PARTS:
                raise InputError(f"parts={n_parts!r:.20} must be in 2..{MOST_PARTS}")
            rows = self._rows_of(cluster)
            if len(rows) < n_parts:
                raise InputError(
                    f"cluster={cluster} must have at least {n_parts} samples to be split, got {len(rows)}"
                )
            found = split_points(np.asarray(self.library.points[np.sort(rows)]), n_parts)
            groups = sorted((np.sort(rows)[found == part] for part in range(n_parts)), key=len, reverse=True)
            groups = [group for group in groups if len(group)]
            return {
                "version": self.version,
                "parts": [
                    {"rows": group.tolist(), "tiles": self._tiles(group[: 2 * TILES])} for group in groups
                ],
            }

    def refit(self, version: object) -> dict[str, Any]:
        """Begin a new fit with all that was said.

        Raises
        ------
        InputError
            There is nothing to learn: one cluster, or a fit is under way.
        """
        with self._lock:
            self._check(version)
            self._learning.begin(self.bench, self._take_over)
            self._said = ""
            return self.state()

    def stop_refit(self) -> dict[str, Any]:
        """End the new fit that is under way; what is shown stays."""
        self._learning.stop()
        return self.state()

    def question(self) -> dict[str, Any]:
        """What helps most: two samples, or the clusters that they stand for; how far things are.

        "pair" is None where nothing is left to ask.
        """
        with self._lock:
            asked = self._asked = self.questions.next(self.bench)
            n, n_same = count_answers(self.bench)
            progress = self.questions.progress(self.bench)
            self.progress = str(progress or "")
            return {
                "version": self.version,
                "pair": None if asked is None else [self.detail(row) for row in asked.rows],
                "clusters": [self._group(one) for one in (asked and asked.clusters) or ()],
                "answers": n,
                "same": n_same,
                "progress": self.progress,
                "again": [] if progress is None else [progress.n_again, progress.n_differ],
                "costs": self._costs(),
            }

    @property
    def questions(self) -> Questions:
        """The rule that asks; read when it is wanted first."""
        with self._lock:
            self._questions = self._questions or Questions(self.library)
            return self._questions

    def way_on(self) -> str:
        """The command that makes a whole new fit of what was said; nothing where nothing was."""
        if not len(self.bench.pairs()[0]):
            return ""
        meta, pairs = self.library.meta, str(self.run / PAIRS)
        use = ["coterie", "fit", meta["data"], "--pairs", pairs, "--closure", "--neighbors", "5"]
        return shlex.join([*use, *meta["reading"], "--init", str(self.run), "--out", "NEW"])

    def draw_map(self) -> None:
        """Work out the map in the background where it is missing."""
        with self._lock:
            if self.library.map() is None and self._mapping is None and not self._ended:
                self._mapping = work.start("map", str(self.run))
                threading.Thread(target=self._mapping.communicate, daemon=True).start()

    def finish(self) -> None:
        """End works in the background, and see that what is shown is written."""
        with self._lock:
            self._ended = True
            self._learning.stop()
            if self._mapping is not None:
                self._mapping.kill()
            writer = self._writer
        if writer is not None:
            writer.join()

    def write(self) -> None:
        """Write labels.csv and clusters.csv as shown."""
        with self._lock:
            rows = label_rows(self.bench, self.library.meta["threshold"])
            clusters = [(one, self.words.name_of(one), self._size(one)) for one in sorted(self._sorted())]
            pairs = pair_lines(self.bench)
        others = other_lines(self.run / LABELS, self.library.names)
        write_table(self.run / LABELS, COLUMNS, [*map(as_text, rows), *others])
        write_table(self.run / PAIRS, ("i", "j", "same"), pairs)
        write_table(self.run / CLUSTERS, ("label", "name", "size"), clusters)

    def _check(self, version: object) -> None:
        if self._ended:
            raise InputError("the program has ended")
        if version != self.version:
            raise Outdated("something else was done meanwhile, in another tab or by a new fit; look again")

    def _after(self) -> None:
        """What follows an action: order anew, write the files soon."""
        self._changed, self._said = None, ""
        self._asked, self.progress = None, ""
        self._arrange()
        self._written.clear()
        if self._writer is None or not self._writer.is_alive():
            self._writer = threading.Thread(target=self._write_until_done)
            self._writer.start()

    def _write_until_done(self) -> None:
        while not self._written.is_set():
            self._written.set()
            try:
                self.write()
            except (InputError, OSError) as error:
                self._said = f"labels.csv could not be written: {error}"

    def _arrange(self) -> None:
        """Rows by cluster, the most certain first."""
        shown = self.bench.shown
        self._members = rows_by_cluster(shown.labels, shown.certainty, [ASIDE, *shown.clusters])

    def _rows_of(self, cluster: int) -> Ints:
        if cluster not in self._members:
            raise InputError(f"cluster={cluster!r:.40} must be the id of a cluster")
        return self._members[cluster]

    def _size(self, cluster: int) -> int:
        return len(self._members.get(cluster, ()))

    def _sorted(self) -> list[int]:
        """Clusters that have samples, the largest first."""
        used = [cluster for cluster in self.bench.shown.clusters if self._size(cluster)]
        return sorted(used, key=lambda cluster: (-self._size(cluster), cluster))

    def _costs(self) -> dict[str, Any] | None:
        found = self.questions.costs(self.bench)
        return None if found is None else {"rows": found.rows, "calibration": found.calibration}

    def _group(self, cluster: int) -> dict[str, Any]:
        certain, _ = ends_of(self._rows_of(cluster))
        return {"id": cluster, "name": self.words.name_of(cluster), "tiles": self._tiles(certain)}

    def _card(self, cluster: int) -> dict[str, Any]:
        rows, shown = self._members[cluster], self.bench.shown
        return {
            "id": cluster,
            "name": self.words.name_of(cluster),
            "look": cluster % LOOKS,
            "size": len(rows),
            "unsure": int((shown.certainty[rows] < _UNSURE).sum()),
            "said": int(shown.said[rows].sum()),
            "face": int(rows[0]),
        }

    def _part(self, rows: Ints, start: int, stop: int) -> dict[str, Any]:
        chosen = rows[max(0, start) : min(stop, start + _MOST_ROWS)]
        return {"version": self.version, "size": len(rows), "tiles": self._tiles(chosen)}

    def _tiles(self, rows: Ints) -> list[dict[str, Any]]:
        return [self._tile(row) for row in rows.tolist()]

    def _tile(self, row: int) -> dict[str, Any]:
        shown = self.bench.shown
        tile: dict[str, Any] = {
            "row": row,
            "name": self.library.names[row],
            "cluster": int(shown.labels[row]),
            "p": round(float(shown.certainty[row]), 3),
            "said": bool(shown.said[row]),
        }
        if state := self.library.state(row):
            tile["state"] = state
        if text := self.library.short(row):
            tile["text"] = text
        return tile

    def _refit_state(self, held: Sequence[Entry]) -> dict[str, Any]:
        return {
            "running": self.busy,
            "waiting": count_unlearned(held),
            "message": self._said,
            "changed": self._changed,
        }

    def _take_over(self, values: npt.NDArray[np.float32] | None, said: str) -> None:
        """Show what a new fit has changed, or why there is none."""
        with self._lock, contextlib.ExitStack() as stack:
            stack.callback(self._learning.end)  # nobody sees it ended before what it has changed
            if self._ended:
                return
            if values is None:
                self._said = said
                return
            before = self.bench.shown.labels
            self.bench.adopt(values, {"folder": said})
            self._after()
            self._changed = self._difference(before, self.bench.shown.labels)

    def _difference(self, before: Ints, after: Ints) -> dict[str, Any]:
        moved = np.flatnonzero(before != after)
        pairs, counts = np.unique(np.stack([before[moved], after[moved]], axis=1), axis=0, return_counts=True)
        ways = [
            {"from": self.words.name_of(int(old)), "to": self.words.name_of(int(new)), "n": int(count)}
            for (old, new), count in sorted(zip(pairs, counts, strict=True), key=lambda one: -one[1])
        ]
        return {
            "n": len(moved),
            "rows": moved[:_MOST_ROWS].tolist(),
            "ways": ways[:10],
        }
