"""Time on the command line: how long a fit takes, limits, a first look."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import coterie

Call = Callable[..., tuple[int, str, str]]
FEW = ["--n-clusters", "3", "--random-state", "0", "--over-clustering", "true", "--n-jobs", "1"]


@pytest.fixture
def points(folder: Path) -> Path:
    np.save(folder / "points.npy", np.random.default_rng(0).normal(size=(60, 6)))
    return folder


def test_a_fit_says_how_long_it_takes(points: Path, call: Call) -> None:
    code, _, err = call(*("fit", "points.npy", "--method", "ddc", "--out", "run", "--max-steps", "40"), *FEW)
    assert code == 0, err
    assert (
        len(re.findall(r"^coterie: about \d+ (?:s|min) \(20 starts of 40 steps\)$", err, re.MULTILINE)) == 1
    )


@pytest.mark.filterwarnings("default::UserWarning")
def test_it_names_the_size_of_images(folder: Path, call: Call) -> None:
    (folder / "images").mkdir()
    for number, row in enumerate(np.random.default_rng(0).integers(0, 256, (12, 40, 48), dtype=np.uint8)):
        Image.fromarray(row).save(folder / "images" / f"{number}.png")
    words = [
        *("fit", "images", "--method", "ddc", "--out", "run"),
        *("--max-steps", "9", "--n-restarts", "1", "--encoder", "none"),
    ]
    code, _, err = call(*words, *FEW)
    assert code == 0, err
    assert "(1 start of 9 steps, 40x48 averaged to 20x24)" in err


def test_a_first_look_is_a_limit(points: Path, call: Call) -> None:
    words = ["fit", "points.npy", "--method", "ddc", "--max-steps", "9", "--n-restarts", "2", *FEW]
    code, _, err = call(*words, "--out", "quick", "--quick")
    assert code == 0, err
    assert coterie.load("quick/model").runs_[0]["time_limit"] == 40.0
    code, _, err = call(*words, "--out", "both", "--quick", "--time-limit", "5min")
    assert (code, err.strip()) == (
        2,
        "coterie fit: error: --quick and --time-limit must not be combined; give one of them",
    )
    assert not Path("both").exists()


def test_a_limit_is_kept_and_checked_before_anything_is_read(points: Path, call: Call) -> None:
    words: list[Any] = ["fit", "points.npy", "--method", "ddc", "--max-steps", "9", "--n-restarts", "1", *FEW]
    code, _, err = call(*words, "--out", "run", "--time-limit", "10min")
    assert code == 0, err
    assert coterie.load("run/model").runs_[0]["time_limit"] == 600.0
    code, _, err = call(*("fit", "missing.npy", "--method", "ddc", "--out", "no", "--time-limit", "soon"))
    assert code == 2
    assert (
        "--time-limit must be a time above 0 such as '90s', '10min', '1.5h' or 90, or None, got 'soon'" in err
    )
