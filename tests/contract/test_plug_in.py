"""A method from another package arrives everywhere by its entry point, and a faulty one is told why not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import coterie
from coterie import DDC, InputError, InputTypeError
from coterie.methods import registry
from coterie.testing import check_method

ROOT = Path(__file__).parents[2]
METADATA = (
    "Metadata-Version: 2.1\nName: coterie-information\nVersion: 1.0\nSummary: Clusters by information.\n"
)
ENTRY_POINT = "[coterie.methods]\ninformation = information:Information\n"


class Other(DDC):
    """A method of the caller's own."""


class Forgetful(DDC):
    """A method whose labels are not what it predicts."""

    def _describe(self, samples: Any) -> None:
        super()._describe(samples)
        self.labels_ = self.labels_[::-1].copy()


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder that holds the package of examples/add_a_method.py as pip would install it."""
    folder = tmp_path / "site"
    metadata = folder / "coterie_information-1.0.dist-info"
    metadata.mkdir(parents=True)
    shutil.copy(ROOT / "examples" / "add_a_method.py", folder / "information.py")
    (metadata / "METADATA").write_text(METADATA)
    (metadata / "entry_points.txt").write_text(ENTRY_POINT)
    return folder


def call(site: Path | None, *words: str) -> subprocess.CompletedProcess[str]:
    paths = [str(ROOT / "src"), *([] if site is None else [str(site)])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "coterie", *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_an_installed_method_is_listed_without_its_import(installed: Path) -> None:
    (installed / "information.py").write_text("raise RuntimeError('imported')\n")
    listed = call(installed, "methods")
    lines = " ".join(listed.stdout.split())
    assert "information Clusters by information. (package coterie-information)" in lines
    assert listed.returncode == 0
    assert "information" not in call(None, "methods").stdout


def test_a_registered_method_keeps_the_contract() -> None:
    coterie.register("other", Other)
    coterie.register("other", Other)
    check_method(Other, max_steps=5)
    assert registry.find_method("other") is Other
    with pytest.raises(InputError, match=r"name='ddc' is already used by coterie\.methods\.ddc\.DDC"):
        coterie.register("ddc", Other)
    with pytest.raises(InputTypeError, match="derived from NeuralClusterer, got <class 'dict'>"):
        coterie.register("dict", dict)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"got 'othr'; did you mean 'other'\?"):
        registry.find_method("othr")


def test_a_method_that_breaks_the_contract_is_told_which_point(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_REGISTERED", {"forgetful": Forgetful})
    with pytest.raises(AssertionError, match="Forgetful: labels_ must be what predict gives"):
        check_method(Forgetful, max_steps=5)


def test_an_unknown_method_cannot_be_saved(tmp_path: Path) -> None:
    model = Other(n_clusters=2, n_restarts=1, max_steps=2).fit(np.random.default_rng(0).normal(size=(20, 3)))
    with pytest.raises(
        InputTypeError, match=r"got Other; coterie\.register gives a method of your own a name"
    ):
        coterie.save(model, tmp_path / "model")


def test_a_model_of_an_older_format_is_refused() -> None:
    path = ROOT / "tests" / "methods" / "saved" / "ddc-format-1.safetensors"
    with pytest.raises(coterie.DamagedFileError, match="has format coterie-1, this version of coterie reads"):
        coterie.load(path)
