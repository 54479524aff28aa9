"""Log-mel spectrograms against librosa 0.11.0's numbers, which were computed elsewhere and copied here."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from coterie._errors import InputError, InputTypeError
from coterie.data.audio import hz_to_mel, log_mel, mel_matrix, mel_to_hz

# every 13th row and 5th column of power_to_db of melspectrogram, as in the first test below
LIBROSA = [
    [-3.096638198424, 17.864274507543, -12.684952355519, -19.985096545075],
    [-61.005163881776, -61.005163881776, -61.005163881776, -20.657115194053],
    [-61.005163881776, -61.005163881776, -61.005163881776, -27.609100872107],
    [-61.005163881776, -61.005163881776, -61.005163881776, -31.702519901709],
]


def chirp() -> torch.Tensor:
    time = np.arange(2000)
    return torch.from_numpy(np.sin(time * time / 20000))


def test_log_mel_equals_librosa() -> None:
    found = log_mel(chirp(), 8000, n_fft=256, hop=128, n_mels=40)
    assert found.shape == (40, 16)
    np.testing.assert_allclose(found[::13, ::5], LIBROSA, rtol=0, atol=2e-6)


def test_mel_matrix_equals_librosa() -> None:
    filters = mel_matrix(8000, 256, 40)
    sums = filters[[0, 20, 39]].sum(axis=1)
    np.testing.assert_allclose(sums, [0.031722637564, 0.031462120996, 0.031919589271], rtol=1e-9)
    expected = [0.005470074412, 0.011584537875, 0.010085927854, 0.004321580856]
    np.testing.assert_allclose(filters[20][filters[20] > 0], expected, rtol=1e-8)


def test_mel_scale_is_its_own_inverse() -> None:
    hertz = np.array([0, 440, 999, 1000, 1001, 8000.0])
    np.testing.assert_allclose(mel_to_hz(hz_to_mel(hertz)), hertz, rtol=1e-12)


def test_a_batch_is_its_rows_and_silence_is_finite() -> None:
    waves = torch.stack([chirp(), torch.zeros(2000, dtype=torch.float64)]).float()
    found = log_mel(waves, 8000)
    assert torch.equal(found[0], log_mel(waves[0], 8000))
    assert (found[1] == -100).all()
    assert found.dtype == torch.float32


@pytest.mark.parametrize(
    ("waves", "error", "words"),
    [
        (torch.zeros(0), InputError, r"waves must have shape \(t,\) or \(b, t\), got shape \(0,\)"),
        (torch.zeros(2, 3, 4), InputError, r"got shape \(2, 3, 4\)"),
        (
            torch.zeros(9, dtype=torch.int16),
            InputTypeError,
            "waves must be float32 or float64, got torch.int16",
        ),
    ],
)
def test_log_mel_refuses(waves: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        log_mel(waves, 8000)
