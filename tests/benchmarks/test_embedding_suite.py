"""The record of photos from files to clusters: what is embedded anew, and how often after a kill."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from benchmarks.suites import embedding
from tests.waiting import wait_until

from benchmarks import run
from coterie.cli import main
from coterie.data.readers import read_items
from coterie.encoders.embedding import embed_items

N, NEW = 24, 4


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands are called here, and a kill leaves the vectors of half of the photos; red and blue ones."""

    def measure(words: Sequence[str], folder: Path, environment: dict[str, str]) -> dict[str, float]:
        monkeypatch.chdir(folder)
        monkeypatch.syspath_prepend(environment["PYTHONPATH"].split(os.pathsep)[-1])
        monkeypatch.setenv(embedding._NOTES, environment[embedding._NOTES])
        assert main(list(words[3:])) == 0
        return {"wall_seconds": 1.0, "processor_seconds": 1.0, "peak_mib": 1.0, "load": 1.0}

    def kill(words: Sequence[str], folder: Path, *more: object) -> None:
        items = read_items(folder / "pictures")
        assert items is not None
        half = items.take(range(len(items) // 2))
        embed_items(half, embedding.Noted(32), folder=folder / "killed" / "embeddings")

    images = np.random.default_rng(0).integers(0, 60, (N + NEW, 3, 32, 32)).astype(np.uint8)
    images[::2, 0] += 190
    images[1::2, 2] += 190
    split = SimpleNamespace(x_train=images, y_train=np.arange(N + NEW) % 2)
    monkeypatch.setattr(embedding, "load", lambda name: split)
    monkeypatch.setattr(embedding, "QUICK_NEW", NEW)
    monkeypatch.setattr(embedding, "CLASSES", 2)
    monkeypatch.setattr("benchmarks.processes.measure", measure)
    monkeypatch.setattr(embedding, "_kill", kill)


@pytest.mark.usefixtures("in_process")
def test_each_photo_is_embedded_once(tmp_path: Path) -> None:
    words = ["--set", "n_jobs=1", "--set", "max_steps=30", "--set", "n_restarts=1"]
    assert run.main(["embedding", "--quick", "--train-rows", str(N), *words, "--out", str(tmp_path)]) == 0
    (path,) = tmp_path.glob("embedding/*.json")
    record = json.loads(path.read_text())
    metrics = record["metrics"]
    assert metrics["rows"] == N
    assert metrics["again_embedded"] == NEW
    assert metrics["embedded_before_the_kill"] == metrics["kept_before_the_kill"] == (N + NEW) // 2
    assert metrics["embedded_twice"] == 0
    assert metrics["kmeans_accuracy"] == 1.0
    assert "--encoder efficientnet-lite0:32" in record["resolved"]["command"]


def test_a_kill_ends_all_processes(tmp_path: Path) -> None:
    beats = tmp_path / "beats"
    child = "import time\nwhile True:\n    open('beats', 'a').write('.'); time.sleep(0.01)"
    work = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    embedding._kill([sys.executable, "-c", work], tmp_path, {}, lambda: beats.exists())
    sizes = [-1]

    def is_still() -> bool:
        time.sleep(0.5)
        sizes.append(beats.stat().st_size)
        return sizes[-1] == sizes[-2]

    wait_until(is_still, "the child has ended")


def test_a_command_that_ends_before_its_kill(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="ended with exit code 3"):
        embedding._kill([sys.executable, "-c", "raise SystemExit(3)"], tmp_path, {}, lambda: False)
