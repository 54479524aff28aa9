"""Voices as vectors that tell speakers apart, by the weights file that Resemblyzer brings."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from coterie._errors import InputError
from coterie.encoders.extras import weights_file
from coterie.encoders.fingerprints import file_fingerprint
from coterie.encoders.protocol import Sound
from coterie.encoders.speech import Speech
from coterie.encoders.waves import at_rate

if TYPE_CHECKING:
    from torch import Tensor

_INSTALL = "'coterie[voices]' (or, without packages that are not used: pip install --no-deps resemblyzer)"
_INSTALL_SPEECH = "'silero-vad>=6.2.1'"
RATE = 16_000
SPEECH = "speech"
SPEECH_LICENCE = "Apache-2.0 and MIT"
SPEECH_SOURCE = "Resemblyzer, as voices, on what silero-vad finds to be speech"
# of the spectrograms with which the weights were trained: 25 ms windows every 10 ms, 1.6 s at a time
N_FFT, HOP, WINDOW = 400, 160, 160
STEP = WINDOW // 2
# a last window that holds less than this share is left out, unless it is the only one
LEAST_SHARE = 0.75
# quieter sounds are raised to this root mean square, -30 decibels below the largest
LEAST_VOLUME = 10 ** (-30 / 20)


class Voices:
    """256 numbers a sound: the mean over windows of 1.6 s of a network that was trained to tell speakers.

    Resemblyzer itself is not imported: its weights, and nothing else, are read.

    Parameters
    ----------
    part : {"", "speech"}
        "speech" leaves out what silero-vad finds to be no speech; "" takes the whole sound.

    Raises
    ------
    InputError
        There is no such part.
    """

    modality = "sound"
    licence = "Apache-2.0"
    source = "Resemblyzer, trained to tell speakers apart with their names"
    width = 256

    def __init__(self, part: str = "") -> None:
        if part not in ("", SPEECH):
            raise InputError(f"encoder='voices:{part}' must be 'voices' or 'voices:{SPEECH}'")
        self.part = part
        self.name = "voices" + (f":{part}" if part else "")
        self._speech = None
        if part:
            self._speech = Speech(_INSTALL_SPEECH)
            self.licence, self.source = SPEECH_LICENCE, SPEECH_SOURCE

    @cached_property
    def fingerprint(self) -> str:
        settings = () if self._speech is None else (self._speech.fingerprint,)
        return file_fingerprint(self._weights(), *settings)

    def _weights(self) -> Any:
        return weights_file("resemblyzer", "pretrained.pt", _INSTALL)

    @cached_property
    def _network(self) -> Any:
        import torch

        from coterie.nn.voice_lstm import VoiceLSTM

        saved = torch.load(self._weights(), map_location="cpu", weights_only=True)["model_state"]
        made = VoiceLSTM()
        made.load_state_dict({name: saved[name] for name in made.state_dict()})
        return made.eval()

    def embed(self, batch: Sequence[Sound]) -> npt.NDArray[np.float32]:
        """Vectors of sounds, float32 of shape (len(batch), 256), of length 1."""
        import torch

        windows = [_windows(self._heard(sound)) for sound in batch]
        with torch.inference_mode():
            parts = self._network(torch.cat(windows)).split([len(own) for own in windows])
            means = torch.stack([part.mean(dim=0) for part in parts])
            found: npt.NDArray[np.float32] = torch.nn.functional.normalize(means, dim=1).numpy()
        return found

    def _heard(self, sound: Sound) -> npt.NDArray[np.float32]:
        """The samples of a sound that count, at the rate and the volume of the training."""
        wave = _raised(at_rate(sound, RATE))
        return wave if self._speech is None else self._speech.alone(wave)

    def __reduce__(self) -> tuple[type[Voices], tuple[str]]:
        return type(self), (self.part,)


def _windows(wave: npt.NDArray[np.float32]) -> Tensor:
    """Overlapping windows of the mel frames of one sound, of shape (w, 160, 40), w >= 1."""
    import torch

    from coterie.data.audio import mel_power

    frames = mel_power(torch.from_numpy(wave), RATE, n_fft=N_FFT, hop=HOP).T
    starts = [
        start
        for start in range(0, len(frames), STEP)
        if start == 0 or len(frames) - start >= LEAST_SHARE * WINDOW
    ]
    padded = torch.nn.functional.pad(frames, (0, 0, 0, WINDOW))
    return torch.stack([padded[start : start + WINDOW] for start in starts])


def _raised(wave: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """A quiet sound made louder."""
    volume = float(np.sqrt(np.mean(wave.astype(np.float64) ** 2)))
    if volume == 0:
        raise InputError("it is silent")
    return wave * np.float32(max(1.0, LEAST_VOLUME / volume))
