"""The network of silero-vad's weights for 16 kHz: whether pieces of a sound are speech."""

from __future__ import annotations

import torch
from torch import Tensor, nn

# samples of a piece, those before it that are seen with it, and those after it, which are mirrored
PIECE, BEFORE, BEHIND = 512, 64, 64
N_FFT, HOP, BINS = 256, 128, 129
# pieces that are taken through the convolutions at a time
AT_A_TIME = 4096


class SpeechLSTM(nn.Module):
    """Probability that 32 ms are speech: convolutions over the spectrum of a piece, an LSTM over pieces."""

    def __init__(self) -> None:
        super().__init__()
        self.stft_conv = nn.Conv1d(1, 2 * BINS, N_FFT, HOP, bias=False)
        self.conv1 = nn.Conv1d(BINS, 128, 3, padding=1)
        self.conv2 = nn.Conv1d(128, 64, 3, stride=2, padding=1)
        self.conv3 = nn.Conv1d(64, 64, 3, stride=2, padding=1)
        self.conv4 = nn.Conv1d(64, 128, 3, padding=1)
        self.lstm = nn.LSTM(128, 128, batch_first=True)
        self.final_conv = nn.Conv1d(128, 1, 1)

    def forward(self, wave: Tensor) -> Tensor:
        """Probabilities of the pieces of one sound, the last of which is filled up with silence.

        Parameters
        ----------
        wave : float32 tensor of shape (t,), t >= 1
            16,000 samples a second, in [-1, 1].

        Returns
        -------
        float32 tensor of shape (ceil(t / 512),), in [0, 1]

        Examples
        --------
        >>> SpeechLSTM()(torch.zeros(1000)).shape
        torch.Size([2])
        """
        filled = nn.functional.pad(wave, (BEFORE, -len(wave) % PIECE))
        pieces = filled.unfold(0, BEFORE + PIECE, PIECE)
        starts = range(0, len(pieces), AT_A_TIME)
        features = torch.cat([self._features(pieces[start : start + AT_A_TIME]) for start in starts])
        states, _ = self.lstm(features.unsqueeze(0))
        found: Tensor = torch.sigmoid(self.final_conv(torch.relu(states).transpose(1, 2)))
        return found.flatten()

    def _features(self, pieces: Tensor) -> Tensor:
        """Vectors (n, 128) of pieces with the samples before them (n, 576)."""
        mirrored = nn.functional.pad(pieces.unsqueeze(1), (0, BEHIND), mode="reflect")
        real, imaginary = self.stft_conv(mirrored).split(BINS, dim=1)
        values = torch.sqrt(real**2 + imaginary**2)
        for layer in (self.conv1, self.conv2, self.conv3, self.conv4):
            values = torch.relu(layer(values))
        return values.squeeze(2)
