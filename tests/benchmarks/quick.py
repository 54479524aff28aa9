"""A suite in a few steps, and data in the files of MNIST."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import record, run


def write_idx(path: Path, values: np.ndarray[Any, np.dtype[np.uint8]]) -> None:
    header = struct.pack(f">I{values.ndim}I", 0x0800 + values.ndim, *values.shape)
    path.write_bytes(gzip.compress(header + values.tobytes()))


def quick(suite: str, out: Path, *more: str) -> list[dict[str, Any]]:
    assert run.main([suite, "--quick", "--out", str(out), "--draws", "3", *more]) == 0
    return record.read_all(out)
