"""Rows in files of their own: decoded when drawn, ahead of time, and kept up to a bound."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import coterie
from coterie import ADC, DDC, InputError
from coterie.data import ReadOptions, Samples, file_rows, read_samples
from coterie.data.file_rows import FileRows
from coterie.engine.sharing import read_shared, write_shared

N = 40


@dataclass
class Counting:
    """Decodes a number in a file's name, and counts how often."""

    seen: list[int] = field(default_factory=list)
    threads: set[int] = field(default_factory=set)

    def __call__(self, path: Path) -> npt.NDArray[np.int64]:
        self.seen.append(int(path.name))
        self.threads.add(threading.get_ident())
        return np.full((2, 3), int(path.name))


def rows_of(decode: Any, n: int = N, kept: int = 10) -> FileRows:
    return FileRows(
        Path("/none"), [str(number) for number in range(n)], decode, np.zeros((2, 3), np.int64), 48 * kept
    )


def test_they_look_like_an_array() -> None:
    rows, array = rows_of(Counting()), np.repeat(np.arange(N), 6).reshape(N, 2, 3)
    assert (rows.shape, rows.dtype, rows.ndim, len(rows)) == (array.shape, array.dtype, 3, N)
    for chosen in (
        slice(None),
        slice(3, 9, 2),
        slice(-4, None),
        np.array([5, 5, 0, 39]),
        np.array([], np.int64),
        7,
        -1,
    ):
        np.testing.assert_array_equal(rows[chosen], array[chosen])
    np.testing.assert_array_equal(rows[np.arange(N) % 3 == 0], array[::3])


@given(drawn=st.lists(st.lists(st.integers(0, N - 1), max_size=12), max_size=12), ahead=st.booleans())
def test_any_draws_give_their_rows_and_keep_a_bounded_number(drawn: list[list[int]], ahead: bool) -> None:
    rows = rows_of(Counting())
    for numbers, following in zip(drawn, [*drawn[1:], []], strict=False):
        if ahead:
            rows.expect(np.array(following, np.int64))
        np.testing.assert_array_equal(rows[np.array(numbers, np.int64)][:, 0, 0], numbers)
        assert len(rows._kept) <= 10
        assert sum(map(len, rows._coming)) <= 24


def test_what_is_kept_or_expected_is_decoded_once() -> None:
    decode = Counting()
    rows = rows_of(decode)
    rows[:10], rows[:10]
    assert sorted(decode.seen) == list(range(10))
    rows.expect(np.arange(20, 25))
    rows[20:25]
    assert sorted(decode.seen) == [*range(10), *range(20, 25)]
    assert threading.get_ident() not in decode.threads
    for number in (0, 1):  # there is no room for them, and others are expected now
        rows.expect(np.array([number]))
    rows[20:25]
    assert len(decode.seen) == 20


def test_a_copy_for_another_process_begins_with_nothing(tmp_path: Path) -> None:
    rows = rows_of(Counting())
    rows[:]
    write_shared(rows, tmp_path)
    again = read_shared(tmp_path)
    assert not again._kept
    np.testing.assert_array_equal(again[3:5], rows[3:5])


def pictures(folder: Path) -> Path:
    """Pictures of two classes, of several sizes."""
    rng = np.random.default_rng(0)
    for number in range(N):
        values = rng.integers(0, 60, (12, 14, 3)) + np.array([150, 0, 0]) * (number % 2)
        image = Image.fromarray(values.astype(np.uint8)).resize((10 + number % 5, 12))
        image.save(folder / f"{number:02}.png")
    return folder


def sounds(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    for number in range(N):
        tone = np.sin(np.arange(2_000) * (0.1 + 0.5 * (number % 2))) + rng.normal(0, 0.1, 2_000)
        soundfile.write(folder / f"{number:02}.wav", 0.5 * tone, 8_000)
    return folder


def read(folder: Path, monkeypatch: pytest.MonkeyPatch, *, lazy: bool) -> Samples:
    """A folder, read as if it were large: with room for a fifth of the decoded samples."""
    with monkeypatch.context() as patch:
        if lazy:
            patch.setattr(file_rows, "EAGER_BYTES", 0)
        samples = read_samples(folder)
    assert isinstance(samples.X, FileRows) == lazy
    if isinstance(samples.X, FileRows):
        samples.X._cache = samples.X._cache[: N // 5]
    return samples


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("write", [pictures, sounds])
def test_a_folder_too_large_to_hold_is_clustered_like_one_that_is_held(
    write: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write(tmp_path)
    eager, lazy = (read(folder, monkeypatch, lazy=each) for each in (False, True))
    assert (lazy.ids, lazy.reading, lazy.modality) == (eager.ids, eager.reading, eager.modality)
    np.testing.assert_array_equal(lazy.X[:], eager.X)
    found = []
    for samples in (eager, lazy):
        model: Any = DDC(n_clusters=2, n_restarts=2, max_steps=12, batch_size=16, random_state=0)
        model.set_params(over_clustering=True).fit(samples)
        found.append((model.predict_proba(samples), model.labels_, model.history_))
    np.testing.assert_array_equal(found[0][0], found[1][0])
    np.testing.assert_array_equal(found[0][1], found[1][1])
    assert found[0][2] == found[1][2]
    assert isinstance(lazy.X, FileRows)
    assert len(lazy.X._kept) <= N // 5


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_views_and_checkpoints_take_such_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pictures").mkdir()
    lazy = read(pictures(tmp_path / "pictures"), monkeypatch, lazy=True)
    model = ADC(n_clusters=2, n_restarts=1, max_steps=9, batch_size=16, random_state=0, over_clustering=True)
    first = model.set_params(checkpoint_dir=tmp_path / "run").fit(lazy).labels_
    np.testing.assert_array_equal(model.fit(lazy).labels_, first)
    coterie.save(model, tmp_path / "model")
    np.testing.assert_array_equal(coterie.load(tmp_path / "model").predict(lazy), first)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_broken_picture_is_named_before_training_or_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.open(pictures(tmp_path) / "07.png").save(tmp_path / "07.bmp")
    (tmp_path / "07.png").unlink()
    whole = (tmp_path / "07.bmp").read_bytes()
    (tmp_path / "07.bmp").write_bytes(whole[: len(whole) // 2])
    lazy = read(tmp_path, monkeypatch, lazy=True)
    model = DDC(n_clusters=2, n_restarts=1, max_steps=2, over_clustering=True)
    with pytest.raises(InputError, match=r"07\.bmp \(.*\) cannot be read; --skip-broken leaves it out"):
        model.fit(lazy)
    monkeypatch.setattr(file_rows, "EAGER_BYTES", 0)
    rest = read_samples(tmp_path, ReadOptions(skip_broken=True))
    assert (len(rest.X), len(rest.ids or ()), rest.left_out) == (N - 1, N - 1, ("07.bmp",))
    assert model.set_params(random_state=0).fit(rest).labels_.shape == (N - 1,)


def test_a_file_that_changes_is_named(tmp_path: Path) -> None:
    def decode(path: Path) -> npt.NDArray[np.int64]:
        return np.zeros((2, 4), np.int64)

    with pytest.raises(InputError, match="3 has changed since the folder was read"):
        rows_of(decode)[3]
