"""What the tests of `coterie open` share: a run of small pictures, and its page in this process."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tests.forked import Python

from coterie import SelfDistillation, save
from coterie.cli.open import work
from coterie.cli.open.library import FOLDER, Library
from coterie.cli.open.prepare import prepare
from coterie.cli.open.server import OpenServer
from coterie.cli.open.session import Session
from coterie.cli.run_folder import write_metadata
from coterie.data import read_samples

NAMES = ("<b>bold.png", "a&b.png", 'quote".png')


def write_photos(folder: Path, n_each: int = 12) -> np.ndarray[Any, Any]:
    """Pictures of four colours, with some names that a page could take for markup; their classes."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    classes = np.repeat(np.arange(4), n_each)
    colours = np.array([[200, 40, 40], [40, 180, 60], [50, 60, 210], [210, 200, 60]])
    for row, one in enumerate(classes):
        pixels = np.clip(colours[one] + rng.normal(scale=12, size=(24, 24, 3)), 0, 255).astype(np.uint8)
        name = NAMES[row] if row < len(NAMES) else f"photo{row:03}.png"
        Image.fromarray(pixels).save(folder / name)
    order = sorted(range(len(classes)), key=lambda row: NAMES[row] if row < 3 else f"photo{row:03}.png")
    return classes[order]


def make_run(folder: Path, n_clusters: int = 4) -> Path:
    """A run on such pictures."""
    write_photos(folder / "photos")
    samples = read_samples(folder / "photos")
    model = SelfDistillation(n_clusters=n_clusters, random_state=0, max_steps=30).fit(samples)
    run = folder / "run"
    run.mkdir()
    save(model, run / "model")
    metadata = {"data": str(folder / "photos"), "reading": dict(samples.reading), "threshold": 0.0}
    write_metadata(run, metadata)
    return run


class Done:
    """A work in this process, which is done when it begins."""

    def __init__(self, *words: str) -> None:
        self.returncode = work.main(list(words))

    def communicate(self) -> tuple[str, str]:
        return "", ""

    def kill(self) -> None:
        """Nothing is left to end."""


def forked_work(*words: str) -> Python:
    """A work in a process of its own that has imported what it needs."""
    return Python(["-m", "coterie.cli.open.work", *words])


def session_of(run: Path) -> Session:
    if not (run / FOLDER / "meta.json").exists():
        prepare(run, None)
    return Session(run, Library(run / FOLDER), "ann")


@contextlib.contextmanager
def served(session: Session) -> Iterator[OpenServer]:
    with OpenServer(session) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()
        session.finish()


def classes_of(session: Session) -> list[int]:
    """The colours of a run's pictures."""
    first = dict.fromkeys(NAMES, 0)
    return [first[name] if name in first else int(name[5:8]) // 12 for name in session.library.names]
