"""Encoders by name: what is listed, what is missing, and what other packages bring."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest
from tests.encoders.toys import ToyTexts

from coterie import InputError
from coterie.encoders import Encoder, find_encoder, list_encoders, register_encoder, registry
from coterie.encoders.choice import choose_encoder


def test_listing_imports_no_torch_and_no_encoder() -> None:
    code = (
        "import sys; from coterie.cli import main; main(['encoders'])\n"
        "heavy = {'torch', 'transformers', 'timm', 'tokenizers', 'efficientnet_lite_pytorch', 'PIL'}\n"
        "assert not heavy & sys.modules.keys(), heavy & sys.modules.keys()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for one in list_encoders():
        assert one.name in done.stdout
        assert one.licence in done.stdout


def test_each_of_the_library_says_its_licence_and_source() -> None:
    for one in list_encoders():
        assert one.licence, one.name
        assert one.source, one.name
        assert one.install.startswith("'coterie["), one.name
    (pictures,) = (one for one in list_encoders() if one.name == "efficientnet-lite0")
    assert pictures.source.startswith("ImageNet-supervised")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("wordlama", "encoder must be auto, none or one of .* did you mean 'wordllama'"),
        ("efficientnet-lite0:huge", "side=huge must be a number of pixels in 32..1024"),
        ("efficientnet-lite0:5", "side=5 must be a number of pixels"),
        ("wordllama:5", "encoder='wordllama:5' must have no colon, since it has no variants"),
    ],
)
def test_wrong_names(name: str, expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        find_encoder(name)


PACKAGES = {
    "efficientnet-lite0": "photos",
    "wordllama": "texts",
    "minilm": "sentences",
    "voices": "voices",
    "transformers:x": "hub",
    "sentence-transformers:x": "hub",
    "timm:x": "timm",
}


@pytest.mark.parametrize("name", PACKAGES)
def test_a_missing_package_is_named_with_its_command(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(distribution: str) -> None:
        raise importlib.metadata.PackageNotFoundError(distribution)

    monkeypatch.setattr(importlib.metadata, "files", absent)
    for module in (
        "efficientnet_lite_pytorch",
        "tokenizers",
        "transformers",
        "sentence_transformers",
        "timm",
    ):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=rf"pip install 'coterie\[{PACKAGES[name]}\]'"):
        _ = find_encoder(name).fingerprint


@pytest.mark.parametrize(("modality", "extra"), [("image", "photos"), ("text", "texts"), ("sound", "voices")])
def test_auto_without_any(modality: str, extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_is_there", lambda need: False)
    with pytest.raises(InputError, match=rf"encoder='auto': none for .* pip install 'coterie\[{extra}\]'"):
        choose_encoder("auto", modality)


@pytest.mark.usefixtures("toys")
def test_an_encoder_of_another_modality() -> None:
    with pytest.raises(InputError, match="encoder='toy-texts' takes texts, but X holds images"):
        choose_encoder("toy-texts", "image")
    assert isinstance(choose_encoder(ToyTexts(), "text"), Encoder)


@pytest.mark.usefixtures("toys")
def test_registered_names() -> None:
    assert find_encoder("toy-texts").fingerprint == "toy1"
    assert find_encoder("toy-texts:7").fingerprint == "toy7"
    for name in ("wordllama", "auto", "timm", "a:b"):
        with pytest.raises(InputError, match="must be a new name without a colon"):
            register_encoder(name, ToyTexts)


def test_an_entry_point_of_a_package(tmp_path: Path) -> None:
    info = tmp_path / "animals-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: animals\nVersion: 1.0\nSummary: Of animals\n"
    )
    (info / "entry_points.txt").write_text("[coterie.encoders]\nanimals = tests.encoders.toys:ToyTexts\n")
    code = (
        "from coterie.encoders import find_encoder, list_encoders\n"
        "(one,) = (one for one in list_encoders() if one.name == 'animals')\n"
        "assert (one.source, one.install) == ('Of animals', 'animals'), one\n"
        "assert find_encoder('animals:3').fingerprint == 'toy3'"
    )
    root = Path(__file__).parents[2]
    path = f"{tmp_path}:{root}:{root / 'src'}"
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": path}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
