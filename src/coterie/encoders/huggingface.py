"""Any vision, text or audio model of transformers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, partial
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from coterie.encoders.extras import need
from coterie.encoders.fingerprints import weights_fingerprint
from coterie.encoders.hub import EXTRA, from_hub
from coterie.encoders.pictures import pixels
from coterie.encoders.probing import width_of
from coterie.encoders.protocol import Sound
from coterie.encoders.waves import at_rate

# what configurations of models of sounds and of pictures have, and others lack
_OF_SOUNDS = ("num_mel_bins", "conv_dim", "feat_extract_norm")
_OF_PICTURES = ("image_size", "num_channels")
_MOST_TOKENS = 512
_RATE = 16_000


def from_name(model: str = "") -> Transformer:
    """The encoder of a folder or of a name on the hub, of the modality of its model."""
    config = from_hub(
        f"transformers:{model}",
        model,
        lambda local: need("transformers", EXTRA).AutoConfig.from_pretrained(model, local_files_only=local),
    )
    if any(hasattr(config, name) for name in _OF_SOUNDS):
        return TransformerSounds(model)
    return (TransformerPictures if any(hasattr(config, name) for name in _OF_PICTURES) else TransformerTexts)(
        model
    )


class Transformer:
    """What models of transformers share: the mean of the last layer over places, tokens or moments.

    Parameters
    ----------
    model : str
        A folder, or a name on the hub.
    """

    modality: str = ""
    licence = "that of the model"
    # what turns samples into the model's input, by its class in transformers
    _reader_class: ClassVar[str] = ""

    def __init__(self, model: str) -> None:
        self.model = model
        self.name = f"transformers:{model}"
        self.source = f"the model {model} of transformers"

    def _load(self, kind: str) -> Any:
        load = getattr(need("transformers", EXTRA), kind).from_pretrained
        return from_hub(self.name, self.model, lambda local: load(self.model, local_files_only=local))

    @cached_property
    def _network(self) -> Any:
        return self._load("AutoModel").eval()

    @cached_property
    def _reader(self) -> Any:
        return self._load(self._reader_class)

    @cached_property
    def width(self) -> int:
        return width_of(self)

    @cached_property
    def fingerprint(self) -> str:
        return weights_fingerprint(self._network.state_dict(), self.modality, repr(self._reader))

    def embed(self, batch: Sequence[Any]) -> npt.NDArray[np.float32]:
        """Vectors of samples, float32 of shape (len(batch), width)."""
        import torch

        with torch.inference_mode():
            inputs = self._inputs(batch)
            states = self._network(**inputs).last_hidden_state.float()
            found: npt.NDArray[np.float32] = _mean(states, inputs.get("attention_mask")).numpy()
        return found

    def _inputs(self, batch: Sequence[Any]) -> dict[str, Any]:
        raise NotImplementedError

    def __getstate__(self) -> dict[str, Any]:
        return {"model": self.model, "name": self.name, "source": self.source}


class TransformerPictures(Transformer):
    """Pictures, at the size and with the colours' mean and deviation that the model states."""

    modality = "image"

    @cached_property
    def _reader(self) -> dict[str, Any]:
        """What the model's folder says of pictures; transformers' own reading may need torchvision."""
        found = from_hub(
            self.name,
            self.model,
            partial(_preprocessing, need("transformers", EXTRA), self.model),
        )
        size = self._network.config.image_size
        side = int(size if isinstance(size, int) else max(size))
        kept = {name: found.get(name, [0.5] * 3) for name in ("image_mean", "image_std")}
        return {"side": side, **kept}

    def _inputs(self, batch: Sequence[Any]) -> dict[str, Any]:
        import torch

        values = pixels(batch, self._reader["side"]) / np.float32(255)
        mean, deviation = (np.array(self._reader[name], np.float32) for name in ("image_mean", "image_std"))
        channels = np.ascontiguousarray(((values - mean) / deviation).transpose(0, 3, 1, 2))
        return {"pixel_values": torch.from_numpy(channels)}


class TransformerTexts(Transformer):
    """Texts, cut after 512 tokens or where the model's positions end."""

    modality = "text"
    _reader_class = "AutoTokenizer"

    def _inputs(self, batch: Sequence[Any]) -> dict[str, Any]:
        most = getattr(self._network.config, "max_position_embeddings", _MOST_TOKENS)
        return dict(
            self._reader(
                list(batch),
                padding=True,
                truncation=True,
                max_length=min(most, _MOST_TOKENS),
                return_tensors="pt",
            )
        )


class TransformerSounds(Transformer):
    """Sounds one by one, at the rate of the model: a mean over silence would depend on the others."""

    modality = "sound"
    _reader_class = "AutoFeatureExtractor"

    def embed(self, batch: Sequence[Sound]) -> npt.NDArray[np.float32]:
        """Vectors of sounds, float32 of shape (len(batch), width)."""
        return np.concatenate([super(TransformerSounds, self).embed([sound]) for sound in batch])

    def _inputs(self, batch: Sequence[Sound]) -> dict[str, Any]:
        rate = int(getattr(self._reader, "sampling_rate", _RATE))
        (wave,) = (at_rate(sound, rate) for sound in batch)
        found = self._reader(wave, sampling_rate=rate, return_tensors="pt")
        return {name: value for name, value in found.items() if name != "attention_mask"}


def _preprocessing(library: Any, model: str, local: bool) -> dict[str, Any]:
    found, _ = library.image_processing_utils.BaseImageProcessor.get_image_processor_dict(
        model, local_files_only=local
    )
    return dict(found)


def _mean(states: Any, mask: Any) -> Any:
    """The mean over all axes but the first and that of the features; masked places do not count."""
    if states.dim() == 4:  # of convolutions: (b, channels, h, w)
        return states.mean(dim=(2, 3))
    if mask is None:
        return states.mean(dim=1)
    counted = mask.unsqueeze(-1).to(states)
    return (states * counted).sum(dim=1) / counted.sum(dim=1).clamp_min(1)
