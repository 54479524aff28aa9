"""X in any accepted form as rows of scaled float32 tensors on the training device."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from scipy.sparse import issparse
from torch import Tensor

from coterie._errors import InputError, InputTypeError
from coterie._types import Rows
from coterie.data.file_rows import FileRows
from coterie.data.pixels import BYTES, FLOATS, depth_of, has_colour, is_picture, picture_array
from coterie.data.records import record_values, sample_columns

Array = npt.NDArray[Any]
CHUNK_BYTES = 64 * 2**20
# of a piece in a pass over all rows; larger ones do not fit into a core's cache, and are no faster
PASS_BYTES = 8 * 2**20
RESIDENT_BYTES = 4 * 2**30
SCALED_BYTES = 16 * 2**20
FLOAT32_RANGE = (1e-30, 1e30)  # within which neither a scaled value nor its parts overflow or lose digits


class Dataset(Protocol):
    """A map-style data set: a length, and a sample (or a tuple that begins with it) for each number."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> Any: ...


class DatasetRows:
    """A map-style data set behind the few array habits that the library needs.

    Parameters
    ----------
    dataset : Dataset
        Samples are arrays, tensors or pillow images of one shape; of tuples the first entry is taken, of
        mappings (Hugging Face) the columns that `sample_columns` names.
    """

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        given = dataset[0]
        self._columns = sample_columns(given) if isinstance(given, Mapping) else ()
        value = self._value(0)
        self._colour = is_picture(value) and has_colour(value)
        self._depth = depth_of(value) if is_picture(value) else BYTES
        first = self._item(0)
        self.dtype = first.dtype
        self.shape = (len(dataset), *first.shape)
        self.ndim = len(self.shape)

    def __len__(self) -> int:
        return int(self.shape[0])

    def __getitem__(self, rows: Rows | slice) -> Array:
        numbers = range(*rows.indices(len(self))) if isinstance(rows, slice) else rows
        return np.stack([self._checked(int(number)) for number in numbers])

    def _checked(self, number: int) -> Array:
        sample = self._item(number)
        if sample.shape != self.shape[1:]:
            raise InputError(
                f"X: sample {number} has shape {sample.shape}, sample 0 has {self.shape[1:]}; they must agree"
            )
        if sample.dtype.kind == "f" and not np.isfinite(sample).all():
            raise InputError(f"X must be finite, but sample {number} contains NaN or infinity")
        return sample

    def _value(self, number: int) -> Any:
        sample = self._dataset[number]
        if isinstance(sample, Mapping):
            return record_values(sample, self._columns)
        return sample[0] if isinstance(sample, tuple | list) else sample

    def _item(self, number: int) -> Array:
        value = self._value(number)
        if is_picture(value):
            self._refuse_depth(number, depth_of(value))
            return picture_array(value, None, self._colour, self._depth)
        return np.asarray(from_tensor(value))

    def _refuse_depth(self, number: int, depth: int) -> None:
        """Raise where some images hold floats and others do not: their ranges mean different things."""
        if (depth == FLOATS) != (self._depth == FLOATS):
            raise InputError(
                f"X must hold images of one depth, but sample {number} has {depth} bits per value and "
                f"sample 0 has {self._depth}; convert them to one depth"
            )


SampleArray = Array | DatasetRows | FileRows


def is_dataset(X: object) -> bool:
    """Whether X is a map-style data set rather than an array, a frame or a list."""
    listed = hasattr(X, "__getitem__") and hasattr(X, "__len__") and not issparse(X)
    return listed and not hasattr(X, "__array__") and not isinstance(X, list | tuple | str | bytes | dict)


def from_tensor(X: object) -> Any:
    """A torch tensor as an array that shares its memory where it can; anything else unchanged."""
    if not isinstance(X, Tensor):
        return X
    if X.layout != torch.strided:
        raise InputTypeError("X must be a dense tensor, got a sparse one; call X.to_dense() first")
    if X.device.type == "meta":
        raise InputTypeError("X must be a tensor with values, got one on the device 'meta'")
    X = X.detach().cpu()
    return X.float().numpy() if X.dtype == torch.bfloat16 else X.numpy()  # numpy has no bfloat16


def read_dataset(dataset: Dataset) -> DatasetRows:
    """Wrap a map-style data set, with its first sample checked.

    Raises
    ------
    InputError
        It is empty, or its samples are single numbers.
    InputTypeError
        Its samples are no arrays of real numbers.
    """
    if len(dataset) == 0:
        raise InputError("X must hold at least one sample, got an empty data set")
    rows = DatasetRows(dataset)
    if rows.dtype.kind not in "biuf":
        raise InputTypeError(
            f"X must hold arrays or tensors of real numbers, got samples of type {rows.dtype}"
        )
    if rows.ndim < 2:
        raise InputError("X must hold samples of one or more axes, got a data set of single numbers")
    return rows


def rows_in_memory(sample_shape: Sequence[int], most: int | None = None) -> int:
    """Rows of float64 that are held at a time, at least one; at most `most`.

    Examples
    --------
    >>> rows_in_memory((3, 32, 32)), rows_in_memory((4,), most=1000)
    (2730, 1000)
    """
    bounded = _rows_within(CHUNK_BYTES, sample_shape)
    return bounded if most is None else min(most, bounded)


def _rows_within(n_bytes: int, sample_shape: Sequence[int]) -> int:
    """Rows of float64 that so many bytes hold, at least one."""
    return max(1, n_bytes // max(1, math.prod(sample_shape) * 8))


def parts_in_memory(n: int, sample_shape: Sequence[int], most: int | None = None) -> Iterator[slice]:
    """Slices of n rows in order, of `rows_in_memory` each."""
    together = rows_in_memory(sample_shape, most)
    for start in range(0, n, together):
        yield slice(start, min(start + together, n))


def row_parts(rows: Rows, sample_shape: Sequence[int], most: int | None = None) -> Iterator[Rows]:
    """Numbers of rows in parts of which each fits into memory."""
    return (rows[part] for part in parts_in_memory(len(rows), sample_shape, most))


def chunks(samples: SampleArray, part: slice | None = None) -> Iterator[Array]:
    """The rows in order as float64, in pieces of bounded size: a memmap never lies in memory whole."""
    size = _rows_within(PASS_BYTES, samples.shape[1:])
    first, end, _ = (part or slice(None)).indices(len(samples))
    for start in range(first, end, size):
        yield samples[start : min(start + size, end)].astype(np.float64)


class Team(Protocol):
    """Who shares a pass over the rows."""

    def part(self, total: int) -> slice:
        """The rows that are looked at here."""
        ...

    def sum(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The sum over all who share the pass."""
        ...


class Alone:
    """Nobody else: all rows are looked at here."""

    def part(self, total: int) -> slice:
        """All of them."""
        return slice(0, total)

    def sum(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The values themselves."""
        return values


@dataclass(frozen=True)
class Scaling:
    """x -> (x - offset) * factor, with shapes that broadcast over a batch.

    Attributes
    ----------
    offset, factor : float64 arrays
        Of shape (d,) for vectors, (c, 1, 1) for images, () for one value.
    """

    offset: npt.NDArray[np.float64]
    factor: npt.NDArray[np.float64]


def fit_scaling(samples: SampleArray, standardise: bool, team: Team | None = None) -> Scaling:
    """Statistics of the training data.

    Floats are standardised per feature (vectors) or per channel (images); uint8 is divided by 255 and then
    standardised, over all features at once for vectors, whose columns are pixels.

    Parameters
    ----------
    samples : array or DatasetRows of shape (n, ...)
    standardise : bool
        False: floats as they are, uint8 by 255 only.
    team : Team, optional
        Processes of which each looks at a part of the rows; the result is that of one, to rounding.

    Raises
    ------
    InputError
        Values are so large that their variance overflows, or a sample of a data set is not finite.
    """
    is_bytes = samples.dtype == np.uint8
    if not standardise:
        return Scaling(np.zeros(()), np.asarray(1 / 255 if is_bytes else 1.0))
    axes = _reduced_axes(len(samples.shape), is_bytes)
    count = int(np.prod([samples.shape[axis] for axis in axes]))
    # sums of differences from a typical value: those of the values themselves lose digits to a large offset
    near = samples[:1].astype(np.float64).mean(axis=axes, keepdims=True)
    team = Alone() if team is None else team
    part, none = team.part(len(samples)), np.zeros_like(near)
    with np.errstate(over="ignore", invalid="ignore"):
        sums = sum((_total(each - near, axes) for each in chunks(samples, part)), none)
        mean = near + team.sum(sums) / count
        squares = sum((_total((each - mean) ** 2, axes) for each in chunks(samples, part)), none)
        variance = team.sum(squares) / count
    if not np.isfinite(variance).all():
        raise InputError("X must be small enough that squares do not overflow; divide it by a constant first")
    deviation = np.sqrt(variance)
    # a constant feature carries nothing and its rounding error must not be blown up to unit variance
    constant = deviation <= 1e-12 * np.maximum(np.abs(mean), 1e-300)
    offset = np.squeeze(mean, axis=0)
    return Scaling(
        offset, np.squeeze(np.where(constant, 1.0, 1.0 / np.where(constant, 1.0, deviation)), axis=0)
    )


def _reduced_axes(ndim: int, is_bytes: bool) -> tuple[int, ...]:
    """Axes over which statistics are taken: rows, and the pixels of images or of byte vectors."""
    if ndim == 2:
        return (0, 1) if is_bytes else (0,)
    return (0, *range(2, ndim)) if ndim > 3 else (0, 1, 2)


def _total(chunk: Array, axes: tuple[int, ...]) -> Any:
    return chunk.sum(axis=axes, keepdims=True)


def _exceeds_float32(dtype: np.dtype[Any]) -> bool:
    """Whether values of a type may not fit float32 before their mean is taken off."""
    return dtype.itemsize > (4 if dtype.kind == "f" else 2)


def _keeps_digits(scaling: Scaling) -> bool:
    """Whether offset and factor lie well inside the range of float32, and so do their products."""
    offset, factor = np.abs(scaling.offset), np.abs(scaling.factor)
    low, high = FLOAT32_RANGE
    return bool((offset < high).all() and (factor > low).all() and (factor < high).all())


def _for_torch(raw: Array) -> Array:
    """The values as an array that torch takes: contiguous, writable, of this machine's byte order."""
    dtype = np.dtype(np.float64) if raw.dtype == np.longdouble else raw.dtype.newbyteorder("=")
    if any(step < 0 for step in raw.strides):
        # along an axis of length 1 numpy calls it contiguous, and torch refuses it
        return np.array(raw, dtype, order="C")
    return np.require(raw, dtype, ["C", "W"])


def room_for_data(device: torch.device) -> int:
    """Bytes of data that may lie on an accelerator: half of what is free, the rest is for the steps.

    Of a kind of device that does not say how much is free, `RESIDENT_BYTES`.
    """
    return torch.cuda.mem_get_info(device)[0] // 2 if device.type == "cuda" else RESIDENT_BYTES


def onto(values: Tensor, device: torch.device) -> Tensor:
    """Values of the CPU on a device; to a GPU from pinned memory, so that no one waits for the copy.

    Examples
    --------
    >>> onto(torch.arange(3), torch.device("cpu"))
    tensor([0, 1, 2])
    """
    if device.type != "cuda":
        return values.to(device)
    return values.pin_memory().to(device, non_blocking=True)


class ScaledSource:
    """Rows of X as scaled float32 tensors on a device.

    Parameters
    ----------
    samples : array or DatasetRows of shape (n, ...)
    scaling : Scaling
    device : torch.device
    """

    def __init__(self, samples: SampleArray, scaling: Scaling, device: torch.device) -> None:
        self._items = samples
        self._device = device
        exact = _exceeds_float32(samples.dtype) or not _keeps_digits(scaling)
        self._work = torch.float64 if exact else torch.float32
        self._offset = torch.from_numpy(np.asarray(scaling.offset)).to(device, self._work)
        self._factor = torch.from_numpy(np.asarray(scaling.factor)).to(device, self._work)
        self._resident = self._make_resident()

    def __len__(self) -> int:
        return len(self._items)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one row."""
        return tuple(self._items.shape[1:])

    def _make_resident(self) -> Tensor | None:
        """On an accelerator, data that fits lives there: copying each batch costs more than the step."""
        if self._device.type == "cpu" or not isinstance(self._items, np.ndarray):
            return None
        if self._items.nbytes > room_for_data(self._device):
            return None
        return torch.from_numpy(_for_torch(self._items)).to(self._device)

    @cached_property
    def _scaled(self) -> Tensor | None:
        """On a CPU, few data are scaled once, when rows are first drawn at random: steps are short there."""
        is_small = self._device.type == "cpu" and 4 * math.prod(self._items.shape) <= SCALED_BYTES
        return self.take(slice(None)) if is_small and isinstance(self._items, np.ndarray) else None

    @property
    def reads_ahead(self) -> bool:
        """Whether it helps to say with `expect` which rows are drawn next."""
        return isinstance(self._items, FileRows)

    def expect(self, rows: Rows | slice) -> None:
        """Begin to read rows that are drawn soon."""
        if isinstance(self._items, FileRows):
            self._items.expect(rows)

    def take(self, rows: Rows | slice) -> Tensor:
        """Scaled rows, float32 of shape (len(rows), ...)."""
        if not isinstance(rows, slice) and self._scaled is not None:
            return self._scaled[torch.from_numpy(rows)]
        if self._resident is not None:
            index = rows if isinstance(rows, slice) else onto(torch.from_numpy(rows), self._device)
            raw = self._resident[index].to(self._work, copy=True)
        else:
            values = _for_torch(self._items[rows])
            shared = not isinstance(self._items, np.ndarray) or np.may_share_memory(values, self._items)
            raw = onto(torch.from_numpy(values), self._device).to(self._work, copy=shared)
        return raw.sub_(self._offset).mul_(self._factor).float()


def count_distinct(samples: SampleArray, enough: int) -> int:
    """Number of distinct rows, counted until there are `enough`."""
    seen: set[bytes] = set()
    for part in parts_in_memory(len(samples), samples.shape[1:], most=1024):
        for row in np.ascontiguousarray(samples[part]):
            seen.add(row.tobytes())
            if len(seen) >= enough:
                return len(seen)
    return len(seen)


def data_digest(*arrays: SampleArray | None) -> str:
    """A hash of arrays' shapes, types and content; of very large ones, of evenly spaced rows."""
    digest = hashlib.sha256()
    for samples in arrays:
        if samples is None:
            digest.update(b"none")
            continue
        digest.update(f"{samples.shape}{samples.dtype}".encode())
        row_bytes = max(1, int(np.prod(samples.shape[1:])) * samples.dtype.itemsize)
        stride = max(1, len(samples) * row_bytes // (4 * CHUNK_BYTES))
        rows = np.arange(0, len(samples), stride)
        for part in row_parts(rows, samples.shape[1:], most=4096):
            digest.update(np.ascontiguousarray(samples[part]).tobytes())
    return digest.hexdigest()
