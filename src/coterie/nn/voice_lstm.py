"""The network of Resemblyzer's weights: three LSTM layers over mel frames (Wan et al., arXiv:1710.10467)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

MEL_CHANNELS, WIDTH, LAYERS = 40, 256, 3


class VoiceLSTM(nn.Module):
    """Windows of mel frames as vectors of length 1 whose entries are at least 0."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(MEL_CHANNELS, WIDTH, LAYERS, batch_first=True)
        self.linear = nn.Linear(WIDTH, WIDTH)

    def forward(self, frames: Tensor) -> Tensor:
        """Vectors of windows.

        Parameters
        ----------
        frames : float32 tensor of shape (b, t, 40)

        Returns
        -------
        float32 tensor of shape (b, 256)
        """
        _, (hidden, _) = self.lstm(frames)
        return nn.functional.normalize(torch.relu(self.linear(hidden[-1])), dim=1)
