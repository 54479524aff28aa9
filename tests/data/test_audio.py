"""Log-mel spectrograms: published mel frequencies, tones where they belong, bad input."""

from __future__ import annotations

import numpy as np
import pytest

from coterie import InputError, InputTypeError
from coterie.data.audio import log_mel, mel_filters, mel_frequencies

RATE = 16_000


def tone(hertz: float, samples: int = 8000) -> np.ndarray:
    return np.sin(2 * np.pi * hertz * np.arange(samples) / RATE)


def test_mel_frequencies_equal_librosa_s() -> None:
    found = mel_frequencies(40, 11_025.0)
    published = {
        0: 0.0,
        1: 85.317,
        4: 341.269,
        11: 938.49,
        12: 1024.856,
        20: 2071.84,
        30: 4994.285,
        39: 11025.0,
    }
    for number, hertz in published.items():
        assert found[number] == pytest.approx(hertz, abs=5e-4)


def test_filters_have_one_area() -> None:
    filters = mel_filters(RATE, 4096, 40)
    areas = filters.sum(axis=1) * RATE / 4096
    np.testing.assert_allclose(areas, 1.0, rtol=0.02)


@pytest.mark.parametrize("hertz", [300.0, 1000.0, 3000.0])
def test_a_tone_is_loudest_in_its_band(hertz: float) -> None:
    image = log_mel([tone(hertz)], RATE, n_mels=64)[0]
    centres = mel_frequencies(66, RATE / 2)[1:-1]
    assert abs(int(image[:, 25].argmax()) - int(np.abs(centres - hertz).argmin())) <= 1


def test_values_lie_in_0_to_1_and_do_not_depend_on_loudness() -> None:
    waves = np.random.default_rng(0).normal(size=(2, 4000))
    image = log_mel(waves, RATE)
    assert image.shape == (2, 128, 26)
    assert float(image.min()) >= 0
    assert float(image.max()) == 1
    np.testing.assert_allclose(log_mel(100 * waves, RATE), image, atol=1e-4)


def test_silence_is_finite() -> None:
    assert np.isfinite(log_mel(np.zeros((1, 2000)), RATE)).all()


def test_bad_input() -> None:
    with pytest.raises(InputError, match=r"waves: shape \(8000,\)"):
        log_mel(tone(500), RATE)
    with pytest.raises(InputError, match="more than window // 2 = 512 samples"):
        log_mel([tone(500, 500)], RATE)
    with pytest.raises(InputError, match="NaN"):
        log_mel([np.full(2000, np.nan)], RATE)
    with pytest.raises(InputError, match="sampling_rate"):
        log_mel([tone(500)], -1.0)
    with pytest.raises(InputTypeError, match="n_mels"):
        log_mel([tone(500)], RATE, n_mels=2.5)  # type: ignore[arg-type]
