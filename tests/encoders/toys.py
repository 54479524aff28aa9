"""Encoders without weights, and small files of every modality."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import soundfile
from PIL import Image

from coterie._errors import InputError

Floats = npt.NDArray[np.float32]


class ToyTexts:
    """Shares of a few letters; counts what it embeds in this process."""

    name = "toy-texts"
    modality = "text"
    licence = "MIT"
    source = "counts letters"
    language = "English"
    letters = "abcdefgh"
    embedded: ClassVar[list[str]] = []

    def __init__(self, version: str = "1") -> None:
        self.fingerprint = f"toy{version}"
        self.width = len(self.letters)

    def embed(self, batch: Sequence[str]) -> Floats:
        if "refuse" in batch:
            raise InputError("it is refused")
        self.embedded.extend(batch)
        return np.array([[text.count(one) / len(text) for one in self.letters] for text in batch], np.float32)


class LoggedTexts(ToyTexts):
    """Writes each text to a file once its vector is there; each batch takes a while."""

    def __init__(self, log: str, seconds: float = 0.0) -> None:
        super().__init__()
        self.log = log
        self.seconds = seconds

    def embed(self, batch: Sequence[str]) -> Floats:
        found = super().embed(batch)
        time.sleep(self.seconds)
        with open(self.log, "a") as file:
            file.write("".join(f"{text}\n" for text in batch))
        return found


class ToyPictures:
    """Mean colours of four quarters."""

    name = "toy-pictures"
    modality = "image"
    licence = "MIT"
    source = "averages colours"
    fingerprint = "toypictures"
    width = 12

    def embed(self, batch: Sequence[Any]) -> Floats:
        return np.stack([np.asarray(one.resize((2, 2)), np.float32).ravel() / 255 for one in batch])


class ToySounds:
    """Length and volume."""

    name = "toy-sounds"
    modality = "sound"
    licence = "MIT"
    source = "measures"
    fingerprint = "toysounds"
    width = 2

    def embed(self, batch: Sequence[Any]) -> Floats:
        return np.array(
            [[len(one.samples) / one.rate, np.abs(one.samples).mean()] for one in batch], np.float32
        )


TOYS = {"toy-texts": ToyTexts, "toy-pictures": ToyPictures, "toy-sounds": ToySounds}

FRUITS = [f"a cab had a bag {'a' * (n % 5)} and the cab was {n}" for n in range(20)]
FISHES = [f"he fed the fish {'h' * (n % 5)} in the ditch he had {n}" for n in range(20)]


def write_pictures(folder: Path, n: int = 12, side: int = 40) -> npt.NDArray[np.int64]:
    """Noisy red and blue pictures, n of them; their classes."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    classes = np.arange(n) % 2
    for number, own in enumerate(classes):
        pixels = rng.integers(0, 60, size=(side, side, 3)).astype(np.uint8)
        pixels[..., 2 * own] += 150
        Image.fromarray(pixels).save(folder / f"{number:03}.png")
    return classes


def write_sounds(folder: Path, n: int = 6, rate: int = 8000) -> None:
    """Tones, n of them."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(n):
        wave = 0.3 * np.sin(np.arange(rate) * (0.1 + 0.3 * (number % 2)))
        soundfile.write(folder / f"{number}.wav", wave, rate)
