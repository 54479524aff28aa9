"""Values that nobody expects, for files and for arguments."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse
import torch

_PLAIN: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1,
    2,
    3,
    7,
    10**6,
    10**12,
    2**63,
    -(2**70),
    0.0,
    -0.5,
    0.3,
    1.5,
    1e300,
    float("nan"),
    float("inf"),
    "",
    "x",
    "auto",
    "mlp",
    "ccn",
    "\x00",
    "\ud800",
    "é" * 50,
    [],
    {},
    [1],
    ["a"],
    [[0, 1], [1, 0]],
    {"a": 1},
    {"values": [1], "dtype": "<i8"},
)


def odd_value(chance: random.Random, like: Any = None) -> Any:
    """A value as JSON knows them: any, or one that is near what stands there."""
    near: list[Any] = []
    if isinstance(like, bool):
        near = [not like, int(like)]
    elif isinstance(like, int | float):
        near = [like + 1, like - 1, -like, like * 1000, float(like), str(like), [like]]
    elif isinstance(like, str):
        near = [like + "x", like[:-1], like.upper(), [like]]
    elif isinstance(like, list):
        near = [like[:-1], like + like, like[::-1], [like], dict(enumerate(like))]
    elif isinstance(like, dict):
        near = [list(like), list(like.items()), {**like, "x": 1}]
    return chance.choice(near if near and chance.random() < 0.5 else _PLAIN)


def odd_argument(chance: random.Random) -> Any:
    """A value that a caller may give: as in a file, or an object of Python, numpy, torch, pandas, scipy."""
    return odd_value(chance) if chance.random() < 0.4 else chance.choice(_ARGUMENTS)()


def _arrays() -> list[Callable[[], Any]]:
    shapes: tuple[tuple[int, ...], ...] = ((0,), (1,), (3,), (24,), (0, 3), (3, 0), (3, 3), (24, 6), (24, 1))
    shapes += ((4, 5, 6), (2, 2, 2, 2), ())
    dtypes: tuple[Any, ...] = (
        float,
        np.float32,
        np.float16,
        int,
        np.uint8,
        bool,
        complex,
        object,
        "U3",
        "M8[D]",
        ">f8",
    )
    made: list[Callable[[], Any]] = [partial(_array, shape, dtype) for shape in shapes for dtype in dtypes]
    made += [partial(np.full, (24, 6), far) for far in (np.nan, np.inf, 1e308, -1e308, 1e-320, 0.0)]
    made += [
        lambda: np.ones((24, 6))[::-1],
        lambda: np.asfortranarray(np.eye(6)),
        lambda: np.ma.ones((24, 6)),
    ]
    return made


def _array(shape: tuple[int, ...], dtype: Any) -> Any:
    return np.arange(math.prod(shape)).reshape(shape).astype(dtype)


def _tensors() -> list[Callable[[], Any]]:
    shapes: tuple[tuple[int, ...], ...] = ((0,), (3,), (24,), (24, 3), (24, 6), (24, 24), (2, 3, 4), ())
    dtypes = (torch.float32, torch.float64, torch.float16, torch.int64, torch.bool, torch.complex64)
    made: list[Callable[[], Any]] = [
        partial(torch.ones, shape, dtype=dtype) for shape in shapes for dtype in dtypes
    ]
    made += [lambda: torch.eye(24).to_sparse(), lambda: torch.ones(24, 6, device="meta")]
    return [*made, lambda: torch.full((24, 3), float("nan")), lambda: torch.ones(24, 3, requires_grad=True)]


_ARGUMENTS: list[Callable[[], Any]] = [
    *_arrays(),
    *_tensors(),
    *3
    * [
        lambda: scipy.sparse.csr_array(np.eye(24)),
        lambda: pd.DataFrame({"a": range(24), "b": ["x"] * 24}),
        lambda: pd.Series(range(24), index=range(5, 29)),
        lambda: pd.DataFrame(),
        lambda: (number for number in range(24)),
        lambda: range(24),
        lambda: {1, 2},
        lambda: b"bytes",
        lambda: Path("/nonexistent/file"),
        lambda: object(),
        lambda: len,
        lambda: int,
        lambda: lambda *given: given,
        lambda: np.int64(3),
        lambda: np.float32("nan"),
        lambda: np.random.default_rng(0),
        lambda: Fraction(1, 3),
        lambda: torch.nn.Linear(6, 3),
        lambda: torch.nn.Linear(5, 3),
        lambda: [1, [2, 3]],
        lambda: [None] * 24,
        lambda: ["a"] * 24,
    ],
]
