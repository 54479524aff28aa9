"""The suites of L2C run end to end on a few sets."""

from __future__ import annotations

import dataclasses
import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from benchmarks.datasets import DataMissingError
from benchmarks.suites.base import Options, Suite
from benchmarks.suites.l2c_unseen import (
    CHARACTERS,
    COIL,
    L2C_CHARACTERS,
    L2C_IMAGES,
    L2C_SPEAKERS,
    L2C_VOICES,
    SOURCES,
    SPEECH,
    OneView,
    TimeShift,
    any_view,
)
from benchmarks.table_laws import SEPARATIONS, gaussian_mixture

from benchmarks import datasets, figures, record, run, table_laws, tables


def test_sets_of_points(tmp_path: Path) -> None:
    assert run.main(["l2c", "--quick", "--only", "n72", "--draws", "3", "--out", str(tmp_path)]) == 0
    records = record.read_all(tmp_path)
    assert {found["method"] for found in records} == {"l2c", "kmeans", "dbscan", "hdbscan", "spectral"}
    scores = {found["method"]: found["metrics"]["test_nmi_geometric"] for found in records}
    assert scores["l2c"] > 0.8
    (ours,) = (found for found in records if found["method"] == "l2c")
    assert ours["metrics"]["nmi_change_by_order"] < 0.02
    assert ours["departures"]
    assert "NMI .993, MR .004" in tables.page(records)
    (figure,) = figures.draw(tmp_path, tmp_path / "figures")
    assert figure.name == "l2c-clusterings.png"


@pytest.mark.parametrize("suite", [L2C_IMAGES, L2C_SPEAKERS, L2C_VOICES, L2C_CHARACTERS])
def test_images_and_speech_need_their_data(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COTERIE_DATA", raising=False)
    case = suite.make_cases(Options(quick=True))[0]
    with pytest.raises(DataMissingError, match="COTERIE_DATA is not set"):
        suite.run_case(case)


def far_apart(_: int, speed: float = 1.0) -> tuple[Any, Any]:
    """Fourteen groups of six pictures, each group of its own brightness."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(14), 6)
    level = 10.0 * speed * groups[:, None, None]
    return (level + rng.normal(size=(84, 16, 16))).astype(np.float32), groups


def test_unseen_groups_beside_agglomerative_clustering(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = dataclasses.replace(SPEECH, load=far_apart, n_source=6, n_validation=4)
    monkeypatch.setitem(SOURCES, "l2c-speakers", small)
    words = ["l2c-speakers", "--quick", "--methods", "l2c", "--draws", "3", "--out", str(tmp_path)]
    assert run.main([*words, "--set", "max_steps=2", "--set", "batch_size=4"]) == 0
    (found,) = record.read_all(tmp_path)
    assert found["metrics"]["agglomerative_nmi_with_k_told"] > 0.7
    assert found["metrics"]["agglomerative_cut"] > 0
    assert any("trained afresh" in departure for departure in found["departures"])
    page = tables.page([found])
    assert "TIMIT: NMI .928, MR .060" in page
    assert "Ward's trees of l2c's features" in page


def in_color(side: int, speed: float = 1.0) -> tuple[Any, Any]:
    """The groups of `far_apart` as color images."""
    grey, groups = far_apart(side, speed)
    return grey[:, None].repeat(3, axis=1).clip(0, 255).astype(np.uint8), groups


def test_photos_of_unseen_objects_beside_the_paper_s_distances_and_chance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(
        SOURCES, "l2c-images", dataclasses.replace(COIL, load=in_color, n_source=6, n_validation=4)
    )
    words = ["l2c-images", "--quick", "--methods", "l2c,l2c-lstm-full,random", "--draws", "3"]
    steps = ["--set", "max_steps=2", "--set", "batch_size=4"]
    assert run.main([*words, *steps, "--out", str(tmp_path)]) == 0
    found = {one["method"]: one for one in record.read_all(tmp_path)}
    assert found["l2c-lstm-full"]["settings"]["parameters"]["distance"] == "full"
    assert found["random"]["metrics"]["test_nmi_geometric"] < found["l2c"]["metrics"]["nmi_with_k_told"]
    assert "NMI .346, MR .435" in tables.page(list(found.values()))
    (figure,) = figures.draw(tmp_path, tmp_path / "figures")
    assert figure.name == "l2c-photos.png"


def test_characters_of_other_alphabets_are_for_the_test_in_every_draw() -> None:
    groups = np.repeat(np.arange(970), 2)
    for draw in (3, 4):
        trained, validated, tested = CHARACTERS.split(groups, draw)
        assert (trained.sum(), validated.sum(), tested.sum()) == (1800, 128, 12)
        assert groups[tested].min() == datasets.N_BACKGROUND
        assert np.all(trained + validated + tested == 1)
    assert not np.array_equal(trained, CHARACTERS.split(groups, 3)[0])


def test_any_view_of_an_item_may_be_the_first() -> None:
    views = torch.arange(12.0).reshape(1, 4, 3).expand(200, 4, 3)
    drawn = any_view(views, torch.Generator().manual_seed(0))
    assert drawn.shape == views.shape
    assert {tuple(row) for row in OneView(3)(drawn).tolist()} == {tuple(row) for row in views[0].tolist()}
    assert torch.equal(OneView(3)(views.unsqueeze(1)), views[:, 0])


def test_time_shift_turns_each_spectrogram_and_leaves_a_band_out() -> None:
    frames = torch.arange(1.0, 41.0).expand(3, 16, 40)
    views = TimeShift()(frames, torch.Generator().manual_seed(0))
    kept = views.amax(dim=2) > 0
    assert bool((kept.sum(dim=1) >= 14).all())
    for view, rows in zip(views, kept, strict=True):
        steps = view[rows].diff(dim=1)
        assert bool(((steps == 1) | (steps == -39)).all())
    assert len(set(views[:, kept.all(dim=0)][:, 0, 0].tolist())) == 3


def test_speech_is_read_from_its_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where = tmp_path / "speechocean762_subset"
    where.mkdir()
    with zipfile.ZipFile(where / "speech_flac.zip", "w") as archive:
        for speaker, hertz in (("0007", 300.0), ("0003", 3000.0)):
            stream = io.BytesIO()
            wave = 0.5 * np.sin(2 * np.pi * hertz * np.arange(22_400) / datasets.SPEECH_RATE)
            soundfile.write(stream, wave, datasets.SPEECH_RATE, format="FLAC")
            archive.writestr(f"{speaker}/1.flac", stream.getvalue())
    monkeypatch.setenv(datasets.VARIABLE, str(tmp_path))
    datasets.speakers.cache_clear()
    pictures, codes = datasets.speakers(32)
    assert pictures.shape == (2, 32, 22)
    assert codes.tolist() == [0, 1]
    high, low = pictures.mean(axis=2).argmax(axis=1)
    assert high > low
    faster, _ = datasets.speakers(32, 1.5)
    datasets.speakers.cache_clear()
    assert faster.shape == pictures.shape
    assert (faster.mean(axis=2).argmax(axis=1) > (high, low)).all()


def test_explicit_distances(tmp_path: Path) -> None:
    words = ["l2c-metrics", "--quick", "--methods", "implicit,full", "--draws", "3", "--out", str(tmp_path)]
    assert run.main(words) == 0
    records = record.read_all(tmp_path)
    assert {found["method"] for found in records} == {"implicit", "full"}
    assert all(0 <= found["metrics"]["test_nmi_geometric"] <= 1 for found in records)
    assert "NMI .740, MR .165" in tables.page(records)


def test_tables_without_k(tmp_path: Path) -> None:
    arguments = ["l2c-tables", "--quick", "--only", "mixtures-2d-easy", "--out", str(tmp_path)]
    assert run.main(arguments) == 0
    records = record.read_all(tmp_path)
    assert {found["method"] for found in records} == {"l2c", "kmeans", "hdbscan", "gmm-bic"}
    assert all(found["metrics"]["ari"] > 0.9 for found in records if found["method"] == "kmeans")
    (ours,) = (found for found in records if found["method"] == "l2c")
    assert 0 <= ours["metrics"]["calibration_error"] <= 1
    assert "calibration error of P(k)" in tables.page(records)


@pytest.mark.parametrize("difficulty", sorted(SEPARATIONS))
@pytest.mark.parametrize("seed", range(5))
def test_the_worst_pair_is_as_far_apart_as_stated(difficulty: str, seed: int) -> None:
    X, y = gaussian_mixture(np.random.default_rng(seed), 20_000, 2, difficulty)
    assert len(np.unique(y)) == y.max() + 1 <= 10
    assert np.bincount(y).min() >= 0.25 * len(y) / (y.max() + 1)
    found = []
    for a in range(y.max() + 1):
        for b in range(a):
            line = X[y == a].mean(axis=0) - X[y == b].mean(axis=0)
            length = np.linalg.norm(line)
            found.append(length / sum((X[y == c] @ line / length).std() for c in (a, b)))
    assert min(found) == pytest.approx(SEPARATIONS[difficulty], rel=0.05)


def test_embeddings_of_other_groups(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(table_laws, "BUILD", tmp_path)
    monkeypatch.setattr(table_laws, "coil100", far_apart)
    monkeypatch.setattr(table_laws, "KNOWN", {"coil100": 3})
    monkeypatch.setattr(table_laws, "CLASSIFIER_STEPS", 2)
    drawn = list(table_laws.embedded_tables("coil100", 3, draw=0))
    assert all(len(X) == len(y) == 6 * (y.max() + 1) for X, y in drawn)
    assert all(3 <= y.max() + 1 <= 10 for _, y in drawn)
    monkeypatch.delattr(table_laws, "_train_embedding")
    again = list(table_laws.embedded_tables("coil100", 3, draw=0))
    assert all(np.array_equal(X, other) for (X, _), (other, _) in zip(drawn, again, strict=True))
