"""What an encoder is: something that turns pictures, sounds or texts into vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Sound:
    """A sound of one channel.

    Attributes
    ----------
    samples : float32 array of shape (t,), t >= 1
    rate : int
        Samples a second.
    """

    samples: npt.NDArray[np.float32]
    rate: int


@runtime_checkable
class Encoder(Protocol):
    """Turns samples of one modality into vectors of one width; it is not trained.

    Attributes
    ----------
    name : str
        The name under which `find_encoder` gives it again.
    modality : str
        "image", "sound" or "text".
    licence : str
        That of the weights.
    source : str
        Where the weights come from, and with what labels they were trained.
    fingerprint : str
        A digest of the weights and of all that is done to a sample: equal fingerprints, equal vectors.
    width : int
        Numbers in a vector.
    """

    name: str
    modality: str
    licence: str
    source: str

    @property
    def fingerprint(self) -> str: ...

    @property
    def width(self) -> int: ...

    def embed(self, batch: Sequence[Any]) -> npt.NDArray[np.float32]:
        """Vectors of some samples.

        Parameters
        ----------
        batch : sequence of PIL.Image.Image (RGB), Sound or str
            As the modality says; at least one.

        Returns
        -------
        float32 array of shape (len(batch), width)
        """
        ...


def metadata_of(encoder: Encoder) -> dict[str, Any]:
    """What a run and a saved model remember of an encoder, as JSON."""
    return {
        "name": encoder.name,
        "modality": encoder.modality,
        "licence": encoder.licence,
        "source": encoder.source,
        "fingerprint": encoder.fingerprint,
        "width": encoder.width,
    }


def described(metadata: Mapping[str, Any]) -> str:
    """An encoder in words, from its metadata."""
    return f"{metadata['name']} ({metadata['licence']}; {metadata['source']})"
