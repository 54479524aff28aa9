"""Speech in a sound: silero-vad's own weights on generated sound, and what is said where it has none."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter
from tests.encoders.test_offline import voices as voices
from tests.encoders.test_online import _check

from coterie import InputError
from coterie.encoders import Sound, find_encoder
from coterie.encoders.speech import MARGIN, Speech
from coterie.encoders.voices import RATE, Voices
from coterie.nn.speech_lstm import PIECE, SpeechLSTM
from coterie.nn.voice_lstm import VoiceLSTM

Wave = npt.NDArray[np.float32]
# frequencies and widths in hertz of the resonances of a mouth that says "ee"
EE = ((300, 80), (2300, 90), (3000, 120))


def say(seconds: float, pitch: float = 160.0) -> Wave:
    """A voice that says "ee" in syllables: pulses of a throat through the resonances of a mouth."""
    t = np.arange(round(seconds * RATE)) / RATE
    turns = np.cumsum(pitch * (1 + 0.1 * np.sin(2 * np.pi * 2.3 * t))) / RATE
    wave = np.diff(np.floor(turns), prepend=0.0)
    for hertz, width in EE:
        radius = np.exp(-np.pi * width / RATE)
        wave = lfilter([1], [1, -2 * radius * np.cos(2 * np.pi * hertz / RATE), radius**2], wave)
    wave *= 0.5 + 0.5 * np.sin(2 * np.pi * 4 * t)
    return np.asarray(0.3 * wave / np.abs(wave).max(), dtype=np.float32)


def silence(seconds: float) -> Wave:
    return np.zeros(round(seconds * RATE), np.float32)


def noise(seconds: float) -> Wave:
    return np.random.default_rng(0).normal(scale=0.1, size=round(seconds * RATE)).astype(np.float32)


def tone(seconds: float) -> Wave:
    return (0.3 * np.sin(np.arange(round(seconds * RATE)) / 5)).astype(np.float32)


@pytest.fixture(scope="module")
def speech() -> Speech:
    return Speech("silero-vad")


def test_speech_is_found_between_silence(speech: Speech) -> None:
    voice = say(2.0)
    found = speech.alone(np.concatenate([silence(1.0), voice, silence(1.0)]))
    more = (2 * MARGIN + 8) * PIECE  # at both ends, and while the network still hears what has just ended
    assert len(voice) * 0.9 <= len(found) <= len(voice) + more
    assert (found**2).sum() > 0.99 * (voice**2).sum()


@pytest.mark.parametrize("other", [silence, noise, tone])
def test_no_speech(other: Callable[[float], Wave], speech: Speech) -> None:
    with pytest.raises(InputError, match="no speech is found in it"):
        speech.alone(other(1.5))


@settings(max_examples=5, deadline=None)
@given(length=st.integers(1, 3000), scale=st.floats(0, 1, width=32))
def test_pieces_do_not_depend_on_what_follows(length: int, scale: float) -> None:
    torch.manual_seed(0)
    network = SpeechLSTM().eval()
    wave = torch.randn(length) * scale
    with torch.inference_mode():
        found = network(wave)
        assert found.shape == (-(-length // PIECE),)
        assert ((found >= 0) & (found <= 1)).all()
        whole = length // PIECE * PIECE
        if whole:
            torch.testing.assert_close(network(wave[:whole]), found[: whole // PIECE], rtol=1e-4, atol=1e-5)


def test_long_sounds_are_taken_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    network, wave = SpeechLSTM().eval(), torch.randn(20 * PIECE)
    with torch.inference_mode():
        expected = network(wave)
        monkeypatch.setattr("coterie.nn.speech_lstm.AT_A_TIME", 3)
        torch.testing.assert_close(network(wave), expected, rtol=1e-4, atol=1e-5)


def test_voices_of_speech_alone(voices: VoiceLSTM, speech: Speech) -> None:
    voice = say(2.0)
    padded = np.concatenate([silence(1.0), voice, silence(1.0)])
    encoder = find_encoder("voices:speech")
    sounds = [Sound(padded, RATE), Sound(say(1.5, 200.0), RATE), Sound(say(1.0, 120.0)[::2], RATE // 2)]
    _check(encoder, "sound", sounds, 256)
    loud = padded * np.float32(max(1, 10**-1.5 / np.sqrt(np.mean(padded**2))))
    expected = Voices().embed([Sound(speech.alone(loud), RATE)])
    np.testing.assert_allclose(encoder.embed(sounds[:1]), expected, rtol=1e-4, atol=1e-6)
    assert encoder.fingerprint != find_encoder("voices").fingerprint
    assert "silero-vad" in encoder.source
    assert "MIT" in encoder.licence
    assert Voices().source.startswith("Resemblyzer, trained")


def test_another_part(voices: VoiceLSTM) -> None:
    with pytest.raises(InputError, match="encoder='voices:music' must be 'voices' or 'voices:speech'"):
        find_encoder("voices:music")


def test_a_missing_package_is_named(voices: VoiceLSTM, monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.metadata.files

    def files(distribution: str) -> Any:
        if distribution == "silero-vad":
            raise importlib.metadata.PackageNotFoundError(distribution)
        return found(distribution)

    monkeypatch.setattr(importlib.metadata, "files", files)
    said = r"the package silero-vad is not installed; install it with: pip install 'silero-vad>=6\.2\.1'"
    with pytest.raises(ImportError, match=said):
        find_encoder("voices:speech").embed([Sound(say(1.0), RATE)])
    with pytest.raises(ImportError, match=said):
        _ = find_encoder("voices:speech").fingerprint
    assert find_encoder("voices").embed([Sound(say(1.0), RATE)]).shape == (1, 256)


def test_a_sound_without_speech_is_named_by_its_file(voices: VoiceLSTM, tmp_path: Path) -> None:
    import soundfile

    from coterie.data.readers import read_items
    from coterie.encoders.embedding import embed_items

    folder = tmp_path / "sounds"
    folder.mkdir()
    soundfile.write(folder / "a.wav", say(1.0), RATE)
    soundfile.write(folder / "b.wav", noise(1.0), RATE)
    items = read_items(folder)
    assert items is not None
    with pytest.raises(InputError, match=r"1 of 2 sounds .*: b\.wav \(no speech is found in it\)"):
        embed_items(items, find_encoder("voices:speech"))
