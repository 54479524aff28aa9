"""Folders of sounds: rates, lengths, channels, broken files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from coterie._errors import InputError, ReadingNote
from coterie.data import ReadOptions, read_samples
from coterie.data.readers import sounds


def tone(hertz: float, rate: int, seconds: float) -> Any:
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(rate * seconds)) / rate)


def test_sounds_become_pictures(tmp_path: Path) -> None:
    for name, hertz in (("low.wav", 200), ("high.flac", 3000)):
        soundfile.write(tmp_path / name, tone(hertz, 8000, 0.5), 8000)
    read = read_samples(tmp_path)
    samples: Any = read.X
    assert read.ids == ("high.flac", "low.wav")
    assert samples.shape == (2, 40, 32)
    assert samples.dtype == np.float32
    high, low = samples.mean(axis=2).argmax(axis=1)
    assert high > 30 > 10 > low
    assert read.how == {"rate": 8000, "length": 4000}


def test_rates_and_lengths_are_brought_together_with_a_word(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(500, 8000, 0.5), 8000)
    soundfile.write(tmp_path / "b.wav", tone(500, 16000, 0.5), 16000)
    stereo = np.stack([tone(500, 8000, 0.8)] * 2, axis=1)
    soundfile.write(tmp_path / "c.wav", stereo, 8000)
    words = (
        "sounds last 0.5 to 0.8 s; each is cut at both ends, or filled up with silence, to the median of "
        "0.5 s; rates of 8000 to 16000 Hz become 8000 Hz"
    )
    with pytest.warns(ReadingNote, match=words):
        samples: Any = read_samples(tmp_path).X
    assert np.abs(samples[0] - samples[1])[:36, 2:-2].max() < 12  # the same tone; only what is faint differs
    assert (samples.mean(axis=2).argmax(axis=1) == samples[0].mean(axis=1).argmax()).all()
    with pytest.raises(InputError, match=f"all sounds must be alike with --strict, but {words}"):
        read_samples(tmp_path, ReadOptions(strict=True))


def test_long_sounds_keep_at_most_64_frames(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(500, 8000, 3.0), 8000)
    assert read_samples(tmp_path).X.shape[1:] == (40, 62)


def test_new_sounds_take_the_form_of_the_old(tmp_path: Path) -> None:
    for folder, seconds in (("old", 0.5), ("new", 0.2)):
        (tmp_path / folder).mkdir()
        soundfile.write(tmp_path / folder / "a.wav", tone(500, 8000, seconds), 8000)
    old = read_samples(tmp_path / "old")
    assert read_samples(tmp_path / "new", ReadOptions(like=old.reading)).X.shape == old.X.shape
    with pytest.raises(InputError, match="must hold images, as in the fit; it holds sounds"):
        read_samples(
            tmp_path / "old", ReadOptions(like={"modality": "image", "size": [3, 4], "colour": False})
        )


def test_broken_sounds(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(500, 8000, 0.5), 8000)
    (tmp_path / "b.wav").write_bytes(b"RIFF")
    with pytest.raises(InputError, match=r"1 of 2 files cannot be read: b.wav \(.*\); --skip-broken"):
        read_samples(tmp_path)
    with pytest.warns(UserWarning, match="b.wav .*; they are ignored"):
        assert read_samples(tmp_path, ReadOptions(skip_broken=True)).ids == ("a.wav",)
    (tmp_path / "a.wav").unlink()
    with pytest.raises(InputError, match="1 of 1 files cannot be read"):
        read_samples(tmp_path, ReadOptions(skip_broken=True))


def test_many_lengths_are_told_in_one_line(tmp_path: Path) -> None:
    for number in range(60):
        soundfile.write(tmp_path / f"{number}.wav", tone(500, 8000, 0.2 + 0.01 * number), 8000)
    with pytest.warns(ReadingNote) as told:
        read_samples(tmp_path)
    (note,) = told
    assert "sounds last 0.2 to 0.79 s" in str(note.message)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_sounds_that_are_not_finite(tmp_path: Path, value: float) -> None:
    soundfile.write(tmp_path / "a.wav", tone(500, 8000, 0.5), 8000)
    wrong = tone(500, 8000, 0.5)
    wrong[7] = value
    soundfile.write(tmp_path / "b.wav", wrong, 8000, subtype="FLOAT")
    with pytest.raises(
        InputError, match=r"1 of 2 files cannot be read: b.wav \(its samples must be finite\)"
    ):
        read_samples(tmp_path)


@pytest.mark.parametrize("rate", [8009, 44101, 191_999, 2_000_000_011])
def test_rates_without_a_common_divisor(tmp_path: Path, rate: int) -> None:
    """Resampling takes little memory whatever the rates, and a tone keeps its pitch."""
    soundfile.write(tmp_path / "a.wav", tone(500, 8000, 0.5), 8000)
    soundfile.write(tmp_path / "b.wav", tone(500, rate, min(0.5, 10**6 / rate)), rate)
    with pytest.warns(ReadingNote, match=f"rates of 8000 to {rate} Hz become 8000 Hz"):
        samples: Any = read_samples(tmp_path, ReadOptions()).X
    assert np.isfinite(samples).all()
    if rate < 10**6:
        assert abs(int(samples[0].mean(axis=1).argmax()) - int(samples[1].mean(axis=1).argmax())) <= 0


@settings(deadline=None)
@given(own=st.integers(1, 10**6), rate=st.integers(1, 10**6))
def test_resampling_factors_are_small_and_near(own: int, rate: int) -> None:
    up, down = sounds._resampling_factors(own, rate)
    assert max(up, down) <= max(sounds.MOST_STEPS, max(own, rate) / min(own, rate) + 1)
    assert abs(up * own / (down * rate) - 1) < 1e-4
