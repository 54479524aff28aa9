"""The kind of samples: it comes with what a reader read, and chooses views, network and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from PIL import Image
from torch import Generator, Tensor

from coterie import ADC, CCN, DDC, L2C, InputError, load, save
from coterie.cli.open.library import FOLDER, Content, Library
from coterie.cli.open.prepare import prepare
from coterie.cli.run_folder import write_metadata
from coterie.data import ReadOptions, Samples, modality, read_samples
from coterie.data.augment_sounds import SoundViews
from coterie.data.modality import Modality, find_modality, register_modality
from coterie.data.readers.registry import Reader, ending_in, register_reader
from coterie.report.html import ReportInput, render_report
from coterie.report.renderers import pictures_of, register_renderer

Array = Any
RNG = np.random.default_rng(0)


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    """A folder of twelve tones of two pitches."""
    folder = tmp_path / "sounds"
    folder.mkdir()
    for number in range(12):
        wave = np.sin(np.arange(4000) * (0.1 if number % 2 else 1.5) + number)
        soundfile.write(folder / f"{number:02}.wav", wave, 8000)
    return folder


def small(kind: Any, **params: Any) -> Any:
    fixed = {"n_clusters": 2, "n_restarts": 1, "max_steps": 2, "random_state": 0, "over_clustering": True}
    return kind(**fixed | params)


def test_what_is_read_says_what_it_is(tmp_path: Path, sounds: Path) -> None:
    (tmp_path / "images").mkdir()
    Image.new("L", (9, 8)).save(tmp_path / "images" / "a.png")
    np.save(tmp_path / "vectors.npy", np.zeros((3, 4)))
    np.save(tmp_path / "images.npy", np.zeros((3, 4, 5)))
    pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]}).to_csv(tmp_path / "t.csv", index=False)
    names = {
        "images": "image",
        "sounds": "sound",
        "vectors.npy": "vectors",
        "images.npy": "image",
        "t.csv": "table",
    }
    found = {name: read_samples(tmp_path / name).modality for name in names}
    assert found == names
    assert read_samples(sounds).reading["modality"] == "sound"


@pytest.mark.parametrize("kind", [ADC, CCN, DDC])
def test_it_travels_into_fit_and_the_saved_model(kind: Any, sounds: Path, tmp_path: Path) -> None:
    samples = read_samples(sounds)
    y = {"y": np.arange(12) % 2} if kind is CCN else {}
    model = small(kind).fit(samples, **y)
    assert model.modality_ == "sound"
    save(model, tmp_path / "model")
    loaded: Any = load(tmp_path / "model")
    assert loaded.modality_ == "sound"
    np.testing.assert_array_equal(loaded.predict(samples), model.labels_)
    np.testing.assert_array_equal(loaded.predict(samples.X), model.labels_)


def test_arrays_and_frames_say_what_they_are() -> None:
    frame = pd.DataFrame(RNG.normal(size=(20, 3)), columns=["a", "b", "c"])
    assert small(DDC).fit(frame).modality_ == "table"
    assert small(DDC).fit(frame.to_numpy()).modality_ == "vectors"
    assert small(DDC).fit(RNG.normal(size=(20, 8, 8))).modality_ == "image"


def test_samples_of_another_kind_are_refused(sounds: Path) -> None:
    samples = read_samples(sounds)
    model = small(DDC).fit(samples)
    with pytest.raises(InputError, match="X must hold sounds, as in fit, got images"):
        model.predict(Samples(samples.X, modality="image"))
    with pytest.raises(InputError, match="modality='smell' must be one of image, sound"):
        small(DDC).fit(Samples(samples.X, modality="smell"))


def test_spectrograms_are_neither_turned_nor_cropped(sounds: Path) -> None:
    samples = read_samples(sounds)
    assert small(ADC).fit(samples)._views() == SoundViews()
    assert small(ADC).fit(samples.X)._views() != SoundViews()
    assert small(ADC, augment="digits").fit(samples)._views() != SoundViews()
    assert small(ADC, augment="sounds").fit(samples.X)._views() == SoundViews()
    assert small(CCN).fit(samples, np.arange(12) % 2)._choose_augment(True) == SoundViews()
    assert small(DDC, balance=True).fit(samples)._choose_augment(False) == SoundViews()


def test_counting_clusters_keeps_the_kind(sounds: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    views = ADC._views

    def watched(model: ADC) -> Any:
        seen.append(model.modality_)
        return views(model)

    monkeypatch.setattr(ADC, "_views", watched)
    small(ADC, n_clusters="auto").fit(read_samples(sounds))
    assert set(seen) == {"sound"}
    assert len(seen) > 1


def test_sets_take_samples_too() -> None:
    model = L2C(max_clusters=2, set_size=10, max_steps=2, random_state=0)
    X = RNG.normal(size=(40, 2))
    model.fit(Samples(X, modality="table"), np.repeat(np.arange(4), 10))
    assert model.modality_ == "table"
    shipped = L2C.from_pretrained("tables")
    np.testing.assert_array_equal(shipped.predict(Samples(X)), shipped.predict(X))


def test_low_pitches_are_shown_below(sounds: Path) -> None:
    spectrogram = np.zeros((1, 4, 6))
    spectrogram[:, 0] = 1.0
    assert pictures_of("sound", spectrogram) == pictures_of("image", spectrogram[:, ::-1])
    assert pictures_of("sound", spectrogram) != pictures_of("image", spectrogram)
    assert pictures_of("vectors", spectrogram) is None


# ------------------------------------------------------------------ a kind of one's own, in one file


@pytest.fixture
def walks() -> str:
    """Walks: files of numbers that end in .walk, read, varied and drawn by functions of their own."""

    def read(folder: Path, files: Sequence[Path], options: ReadOptions) -> Samples:
        values = np.stack([np.loadtxt(file, dtype=np.float32) for file in files])
        return Samples(values[:, None, :], tuple(file.name for file in files), {"steps": 1}, modality="walk")

    def backwards(x: Tensor, generator: Generator) -> Tensor:
        return x.flip(-1)

    def draw(values: Array, side: int) -> list[str]:
        return [f"data:image/svg+xml,walk-{value.size}-{side}" for value in values]

    register_modality(Modality("walk", "walks", views=lambda shape: backwards, backbone="mlp"))
    register_reader(Reader("walks", ending_in(".walk"), read_folder=read, modality="walk"))
    register_renderer("walk", draw)
    return "walk"


@pytest.fixture
def folder_of_walks(tmp_path: Path) -> Path:
    folder = tmp_path / "walks"
    folder.mkdir()
    for number in range(20):
        np.savetxt(folder / f"{number:02}.walk", np.cumsum(RNG.normal(size=70) + number % 2))
    return folder


def test_a_kind_of_one_s_own_is_read_fitted_saved_and_shown(
    walks: str, folder_of_walks: Path, tmp_path: Path
) -> None:
    samples = read_samples(folder_of_walks)
    assert (samples.modality, samples.X.shape) == ("walk", (20, 1, 70))
    model = small(ADC).fit(samples)
    assert model._views()(torch.arange(3.0)[None], Generator()).tolist() == [[2.0, 1.0, 0.0]]
    assert type(model.network_.backbone).__name__ == "MLP"
    save(model, tmp_path / "model")
    loaded: Any = load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict(samples), model.labels_)
    page = render_report(ReportInput(loaded, samples.X, samples.names))
    assert "walk-70-56" in page
    with pytest.raises(InputError, match="must hold images, as in the fit; it holds walks"):
        read_samples(folder_of_walks, ReadOptions(like={"modality": "image"}))


def test_pages_show_a_kind_of_one_s_own(walks: str, folder_of_walks: Path, tmp_path: Path) -> None:
    samples = read_samples(folder_of_walks)
    run = tmp_path / "run"
    run.mkdir()
    save(small(ADC).fit(samples), run / "model")
    write_metadata(run, {"data": str(folder_of_walks), "reading": dict(samples.reading)})
    prepare(run, None)
    library = Library(run / FOLDER)
    assert library.pictorial
    for shown in (library.thumbnail(3), library.original(19)):
        assert shown == Content("image/svg+xml", b"walk-70-240")


def test_a_model_of_an_unknown_kind_says_what_to_do(
    folder_of_walks: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(modality, "_KNOWN", dict(modality._KNOWN))
        register_modality(Modality("walk", "walks"))
        model = small(DDC).fit(Samples(RNG.normal(size=(20, 3)), modality="walk"))
        save(model, tmp_path / "model")
    with pytest.raises(
        InputError, match="model of the modality 'walk', which is not registered; import the package"
    ):
        load(tmp_path / "model")


def test_names_of_kinds_are_taken_once() -> None:
    register_modality(find_modality("sound"))
    with pytest.raises(InputError, match="name='sound' must not be that of a known modality"):
        register_modality(Modality("sound", "noises"))
