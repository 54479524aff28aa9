"""Any ONNX file that takes pictures."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from coterie._errors import InputError
from coterie.encoders.extras import need
from coterie.encoders.fingerprints import file_fingerprint
from coterie.encoders.pictures import pixels
from coterie.encoders.probing import width_of

_EXTRA = "'coterie[onnx]'"
USUAL_SIDE = 224
# what onnxruntime raises at a file that is no model; its exceptions have no base of their own
_FAULTS = ("Fail", "InvalidArgument", "InvalidGraph", "InvalidProtobuf", "NoModel", "NotImplemented")
# of ImageNet's colours, with which most models of pictures were trained
MEAN = np.array([0.485, 0.456, 0.406], dtype=np.float32)
DEVIATION = np.array([0.229, 0.224, 0.225], dtype=np.float32)


class OnnxFile:
    """The first output of a model for pictures (n, 3, h, w), standardised by ImageNet's mean and deviation.

    An output of more than two axes is averaged: maps (n, c, h, w) over places, states (n, t, c) over tokens.

    Parameters
    ----------
    path : str
        The file.

    Raises
    ------
    InputError
        There is no such file, or it is no such model.
    """

    modality = "image"
    licence = "that of the file"

    def __init__(self, path: str = "") -> None:
        self.path = path
        self.name = f"onnx:{path}"
        self.source = f"the file {Path(path).name}"
        if not Path(path).is_file():
            raise InputError(f"encoder={self.name!r} must name an ONNX file; it does not exist")

    @cached_property
    def _session(self) -> Any:
        runtime = need("onnxruntime", _EXTRA)
        options = runtime.SessionOptions()
        options.intra_op_num_threads = 1  # the workers share the cores
        try:
            made = runtime.InferenceSession(self.path, options, providers=["CPUExecutionProvider"])
        except tuple(getattr(runtime.capi.onnxruntime_pybind11_state, name) for name in _FAULTS) as error:
            raise InputError(f"encoder={self.name!r} must name an ONNX file; {error}") from error
        inputs = made.get_inputs()
        if len(inputs) != 1 or len(inputs[0].shape) != 4:
            shapes = ", ".join(str(one.shape) for one in inputs)
            raise InputError(f"encoder={self.name!r} must take pictures (n, 3, h, w), got inputs {shapes}")
        return made

    @cached_property
    def width(self) -> int:
        return width_of(self)

    @cached_property
    def fingerprint(self) -> str:
        return file_fingerprint(Path(self.path))

    def embed(self, batch: Sequence[Any]) -> npt.NDArray[np.float32]:
        """Vectors of RGB pictures, float32 of shape (len(batch), width)."""
        given = self._session.get_inputs()[0]
        side = given.shape[2] if isinstance(given.shape[2], int) else USUAL_SIDE
        values = (pixels(batch, side) / np.float32(255) - MEAN) / DEVIATION
        channels = np.ascontiguousarray(values.transpose(0, 3, 1, 2))
        # a file may be for one picture at a time
        step = given.shape[0] if isinstance(given.shape[0], int) else len(batch)
        parts = [
            self._session.run(None, {given.name: channels[start : start + step]})[0]
            for start in range(0, len(batch), step)
        ]
        return _averaged(np.concatenate(parts)).astype(np.float32)

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "name": self.name, "source": self.source}


def _averaged(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if values.ndim == 4:
        return np.asarray(values.mean(axis=(2, 3)))
    return np.asarray(values.mean(axis=1)) if values.ndim == 3 else values.reshape(len(values), -1)
