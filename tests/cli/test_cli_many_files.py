"""A folder that is larger than memory: no command draws many of its samples at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from coterie.cli import main
from coterie.data import arrays, file_rows
from coterie.data.file_rows import FileRows
from coterie.methods import forward

SIDE, FILES = 16, 60
# of float64: a quarter of the folder
BOUND = FILES // 4 * 3 * SIDE**2 * 8


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "pictures"
    place.mkdir()
    rng = np.random.default_rng(0)
    for number in range(FILES):
        values = rng.integers(0, 60, (SIDE, SIDE, 3)) + [0, 80, 160][number % 3]
        Image.fromarray(values.astype(np.uint8)).save(place / f"{number:03}.png")
    return place


@pytest.mark.filterwarnings("ignore:.*clusters are used:UserWarning")  # three steps may leave one empty
def test_commands_draw_bounded_parts(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn: list[int] = []
    draw = FileRows.__getitem__

    def noted(self: FileRows, rows: Any) -> Any:
        found = draw(self, rows)
        drawn.append(8 * found.size)
        return found

    monkeypatch.setattr(file_rows, "EAGER_BYTES", 0)
    for bound in ("CHUNK_BYTES", "PASS_BYTES"):
        monkeypatch.setattr(arrays, bound, BOUND)
    monkeypatch.setattr(forward, "rows_at_once", lambda shape: 8)
    monkeypatch.setattr(FileRows, "__getitem__", noted)
    run = tmp_path / "run"
    words = "--n-clusters 3 --encoder none --method ddc --batch-size 12 --n-jobs 1 --n-restarts 1"
    assert main(["fit", str(folder), "--out", str(run), *words.split(), "--max-steps", "3"]) == 0
    assert main(["predict", str(run), str(folder), "--out", str(tmp_path / "labels.csv")]) == 0
    assert main(["report", str(run)]) == 0
    assert 0 < max(drawn) <= BOUND
    assert len((tmp_path / "labels.csv").read_text().splitlines()) == 1 + FILES
