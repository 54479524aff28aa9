"""The speech in a sound, without its silence and noise, by the weights file that silero-vad brings."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import maximum_filter1d

from coterie._errors import InputError
from coterie.encoders.extras import weights_file
from coterie.encoders.fingerprints import file_fingerprint

PACKAGE, FILE = "silero-vad", "silero_vad_16k.safetensors"
# what is speech, and so many pieces of 32 ms on both sides of it, which hold soft beginnings and ends
THRESHOLD = 0.5
MARGIN = 3


class Speech:
    """Finds speech; the package itself is not imported.

    Parameters
    ----------
    install : str
        What installs it, for the error where it is missing.
    """

    def __init__(self, install: str) -> None:
        self._install = install

    @cached_property
    def fingerprint(self) -> str:
        return file_fingerprint(self._weights(), f"threshold={THRESHOLD}", f"margin={MARGIN}")

    def _weights(self) -> Any:
        return weights_file(PACKAGE, FILE, self._install)

    @cached_property
    def _network(self) -> Any:
        from safetensors.torch import load_file

        from coterie.nn.speech_lstm import SpeechLSTM

        made = SpeechLSTM()
        saved = {_own_name(name): value for name, value in load_file(self._weights()).items()}
        made.load_state_dict(saved)
        return made.eval()

    def alone(self, wave: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """The samples that belong to speech, in order.

        Parameters
        ----------
        wave : float32 array of shape (t,), t >= 1
            16,000 samples a second.

        Raises
        ------
        InputError
            There is none.
        """
        import torch

        from coterie.nn.speech_lstm import PIECE

        with torch.inference_mode():
            is_speech = self._network(torch.from_numpy(wave)).numpy() >= THRESHOLD
        if not is_speech.any():
            raise InputError("no speech is found in it")
        near = maximum_filter1d(is_speech.astype(np.uint8), 2 * MARGIN + 1) > 0
        found: npt.NDArray[np.float32] = wave[np.repeat(near, PIECE)[: len(wave)]]
        return found


def _own_name(name: str) -> str:
    """The name of a weight in our network.

    >>> _own_name("lstm_cell.bias_hh"), _own_name("conv1.bias")
    ('lstm.bias_hh_l0', 'conv1.bias')
    """
    return name.replace("lstm_cell.", "lstm.") + "_l0" if name.startswith("lstm_cell.") else name
