"""Any model of timm."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from coterie._errors import InputError
from coterie.encoders.extras import need
from coterie.encoders.fingerprints import weights_fingerprint
from coterie.encoders.hub import check_network
from coterie.encoders.pictures import pixels
from coterie.encoders.probing import width_of

_EXTRA = "'coterie[timm]'"


class TimmModel:
    """Pictures as a model of timm gives them before its classes, prepared as the model states.

    Parameters
    ----------
    model : str
        Its name in timm.
    """

    modality = "image"
    licence = "that of the model"

    def __init__(self, model: str = "") -> None:
        self.model = model
        self.name = f"timm:{model}"
        self.source = f"the model {model} of timm"

    @cached_property
    def _network(self) -> Any:
        timm = _timm()
        if not timm.is_model(self.model):
            raise InputError(f"encoder={self.name!r} must name a model of timm; timm.list_models() has them")

        check_network(self.name)
        return timm.create_model(self.model, pretrained=True, num_classes=0).eval()

    @cached_property
    def _form(self) -> dict[str, Any]:
        """Size, mean and deviation of the pictures."""
        found = _timm().data.resolve_model_data_config(self._network)
        return {name: list(found[name]) for name in ("input_size", "mean", "std")}

    @cached_property
    def width(self) -> int:
        return width_of(self)

    @cached_property
    def fingerprint(self) -> str:
        return weights_fingerprint(self._network.state_dict(), repr(self._form))

    def embed(self, batch: Sequence[Any]) -> npt.NDArray[np.float32]:
        """Vectors of RGB pictures, float32 of shape (len(batch), width)."""
        import torch

        mean, deviation = (np.array(self._form[name], np.float32) for name in ("mean", "std"))
        values = (pixels(batch, self._form["input_size"][-1]) / np.float32(255) - mean) / deviation
        with torch.inference_mode():
            channels = torch.from_numpy(np.ascontiguousarray(values.transpose(0, 3, 1, 2)))
            found: npt.NDArray[np.float32] = self._network(channels).float().numpy()
        return found

    def __getstate__(self) -> dict[str, Any]:
        return {"model": self.model, "name": self.name, "source": self.source}


def _timm() -> Any:
    try:
        return need("timm", _EXTRA)
    except RuntimeError as error:  # of torchvision, where it was built for another PyTorch
        raise ImportError(
            f"encoder: timm cannot be imported ({error}); torch and torchvision must be of the same "
            "build, as from pip install torch torchvision --index-url https://download.pytorch.org/whl/cpu"
        ) from error
