"""Scaling and rows: every accepted form of X gives the same float32 rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from scipy.sparse import csr_array

from coterie import InputError, InputTypeError
from coterie.data import arrays
from coterie.data.arrays import (
    DatasetRows,
    ScaledSource,
    data_digest,
    fit_scaling,
    from_tensor,
    is_dataset,
    read_dataset,
)

CPU = torch.device("cpu")
RNG = np.random.default_rng(0)


class Listed:
    """A map-style data set over rows, optionally beside a label."""

    def __init__(self, rows: Any, labelled: bool = False) -> None:
        self.rows, self.labelled = rows, labelled

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Any:
        return (self.rows[index], index) if self.labelled else self.rows[index]


def scaled(samples: Any, standardise: bool = True) -> npt.NDArray[np.float64]:
    rows = ScaledSource(samples, fit_scaling(samples, standardise), CPU).take(slice(0, len(samples)))
    assert rows.dtype == torch.float32
    return rows.numpy().astype(np.float64)


def test_float_vectors_are_standardised_per_feature() -> None:
    rows = scaled(RNG.normal([5, -3, 0], [1, 100, 1e-3], size=(500, 3)))
    np.testing.assert_allclose(rows.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(rows.std(axis=0), 1, atol=1e-6)


def test_byte_vectors_are_standardised_over_all_pixels() -> None:
    X = RNG.integers(0, 256, size=(50, 7), dtype=np.uint8)
    expected = (X - X.mean()) / X.std()
    np.testing.assert_allclose(scaled(X), expected, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_images_are_standardised_per_channel(dtype: type) -> None:
    X: Any = (RNG.random((40, 3, 5, 6)) * [[[40]], [[90]], [[250]]]).astype(dtype)
    expected = (X - X.mean(axis=(0, 2, 3), keepdims=True)) / X.std(axis=(0, 2, 3), keepdims=True)
    np.testing.assert_allclose(scaled(X), expected, atol=1e-5)


def test_grey_images_have_one_statistic() -> None:
    X = RNG.random((40, 5, 6))
    np.testing.assert_allclose(scaled(X), (X - X.mean()) / X.std(), atol=1e-6)


def test_without_standardising_bytes_become_shares() -> None:
    X = RNG.integers(0, 256, size=(9, 4), dtype=np.uint8)
    np.testing.assert_allclose(scaled(X, False), X / 255, atol=1e-7)
    Y = RNG.normal(size=(9, 4)).astype(np.float32)
    np.testing.assert_array_equal(scaled(Y, False), Y)


@pytest.mark.parametrize("value", [0.0, 0.1, -7.3, 1e8, 1e-12, 1e30])
def test_a_constant_feature_is_taken_off_and_no_more(value: float) -> None:
    X = np.c_[np.full(3001, value), RNG.normal(size=3001)]
    scaling = fit_scaling(X, True)
    assert scaling.factor[0] == 1
    np.testing.assert_allclose(scaling.offset[0], value, rtol=1e-14)
    assert abs(scaled(X)[:, 0]).max() <= 1e-6 * max(1, value * 1e-8)


def test_a_long_constant_feature_is_no_signal() -> None:
    X = np.broadcast_to(np.array([0.1, 0.7, 0.3]), (300_000, 3))
    assert fit_scaling(X, True).factor.tolist() == [1, 1, 1]


def test_a_huge_offset_does_not_drown_the_deviation() -> None:
    X = np.c_[1e8 + RNG.normal(size=4000), 1e12 + 10 * RNG.normal(size=4000)]
    rows = scaled(X)
    np.testing.assert_allclose(rows.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(rows.std(axis=0), 1, atol=1e-4)


@pytest.mark.parametrize("dtype", ["i8", "i4", "u4"])
def test_large_integers_keep_their_digits(dtype: str) -> None:
    X = (2**30 + np.arange(200)[:, None]).astype(dtype)
    rows = scaled(X)
    assert len(np.unique(rows)) == 200
    assert rows.std() == pytest.approx(1, rel=1e-6)


def test_values_whose_squares_overflow_are_named() -> None:
    with pytest.raises(InputError, match="X must be small enough"):
        fit_scaling(RNG.normal(size=(9, 2)) * 1e300, True)


@pytest.mark.parametrize("dtype", [">f4", "<f4", ">f8", ">i2", "f2", "u2", "?", "longdouble"])
def test_every_numeric_type_and_byte_order(dtype: str) -> None:
    X = (RNG.normal(size=(30, 4)) * 3 + 5).astype(dtype)
    np.testing.assert_allclose(scaled(X), scaled(X.astype(np.float64)), atol=2e-6)


def test_views_and_read_only_arrays() -> None:
    X = RNG.normal(size=(20, 6))
    expected = scaled(X)
    for same in (np.asfortranarray(X), X.copy()[:, ::-1][:, ::-1], np.repeat(X, 2, axis=0)[::2]):
        same.setflags(write=False)
        np.testing.assert_array_equal(scaled(same), expected)


def test_the_items_are_never_written_to() -> None:
    X = RNG.normal(size=(20, 6)).astype(np.float32)
    before = X.copy()
    source = ScaledSource(X, fit_scaling(X, True), CPU)
    source.take(slice(0, 20))
    source.take(np.arange(20))
    np.testing.assert_array_equal(X, before)


def test_a_memmap_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    X = RNG.normal(3, 2, size=(101, 5)).astype(np.float32)
    np.save(tmp_path / "x.npy", X)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    expected = fit_scaling(X, True)
    monkeypatch.setattr(arrays, "PASS_BYTES", 5 * 8 * 7)
    assert [len(chunk) for chunk in arrays.chunks(mapped)] == [7] * 14 + [3]
    found = fit_scaling(mapped, True)
    np.testing.assert_allclose(found.offset, expected.offset, rtol=1e-12)
    np.testing.assert_allclose(found.factor, expected.factor, rtol=1e-12)
    np.testing.assert_allclose(scaled(mapped), scaled(X), atol=1e-6)


def test_rows_in_any_order() -> None:
    X = RNG.normal(size=(20, 6))
    source = ScaledSource(X, fit_scaling(X, True), CPU)
    rows = np.array([3, 17, 0])
    assert torch.equal(source.take(rows), source.take(slice(0, 20))[rows])


@pytest.mark.parametrize("labelled", [False, True])
@pytest.mark.parametrize("as_tensor", [False, True])
def test_a_data_set_gives_what_its_array_gives(labelled: bool, as_tensor: bool) -> None:
    X = RNG.normal(size=(20, 2, 3))
    listed = Listed(torch.tensor(X, requires_grad=True) if as_tensor else X, labelled)
    rows = read_dataset(listed)
    assert (rows.shape, rows.ndim, len(rows), rows.dtype) == (X.shape, 3, 20, X.dtype)
    np.testing.assert_array_equal(rows[2:5], X[2:5])
    np.testing.assert_array_equal(scaled(rows), scaled(X))


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        ([], InputError, "X must hold at least one sample"),
        ([1.0, 2.0], InputError, "X must hold samples of one or more axes"),
        (["a", "b"], InputTypeError, "X must hold arrays or tensors of real numbers, got samples of type"),
        (
            [np.array([1j])],
            InputTypeError,
            "X must hold arrays or tensors of real numbers, got samples of type complex128",
        ),
    ],
)
def test_data_sets_that_cannot_serve(rows: list[Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        read_dataset(Listed(rows))


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        (np.ones(3), r"X: sample 1 has shape \(3,\), sample 0 has \(2,\); they must agree"),
        (np.array([1, np.nan]), "X must be finite, but sample 1 contains NaN or infinity"),
        (np.array([1, np.inf]), "X must be finite, but sample 1 contains NaN or infinity"),
    ],
)
def test_an_odd_item_is_named(sample: npt.NDArray[np.float64], message: str) -> None:
    rows = DatasetRows(Listed([np.ones(2), sample, np.ones(2)]))
    with pytest.raises(InputError, match=message):
        rows[np.array([0, 1])]


def test_what_counts_as_a_data_set() -> None:
    assert is_dataset(Listed([1]))
    arraylike: list[object] = [
        np.zeros(2),
        [1],
        (1,),
        "a",
        {"a": 1},
        csr_array(np.eye(2)),
        torch.zeros(2),
        None,
    ]
    assert not any(is_dataset(X) for X in arraylike)


def test_tensors_become_arrays() -> None:
    tensor = torch.rand(3, 2, requires_grad=True)
    assert (from_tensor(tensor) == tensor.detach().numpy()).all()
    assert from_tensor(tensor.bfloat16()).dtype == np.float32
    with pytest.raises(InputTypeError, match=r"X must be a dense tensor.*to_dense"):
        from_tensor(torch.eye(3).to_sparse())


def test_a_digest_tells_data_apart() -> None:
    X = RNG.normal(size=(20, 6))
    changed = X.copy()
    changed[7, 3] += 1e-9
    others = (changed, X.astype(np.float32), X.reshape(10, 12), X[:19], None)
    assert len({data_digest(other) for other in (X, *others)}) == 6
    assert data_digest(X) == data_digest(X.copy()) == data_digest(DatasetRows(Listed(X)))


def test_data_that_lives_on_the_device_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    X = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    source = ScaledSource(X, fit_scaling(X, True), CPU)
    expected = source.take(slice(0, 4))
    monkeypatch.setattr(source, "_resident", torch.from_numpy(X.copy()))
    for rows in (slice(0, 4), np.arange(4)):
        torch.testing.assert_close(source.take(rows), expected, rtol=0, atol=0)
        torch.testing.assert_close(source.take(rows), expected, rtol=0, atol=0)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_few_samples_are_scaled_once_to_the_same_bits(dtype: type, monkeypatch: pytest.MonkeyPatch) -> None:
    X: npt.NDArray[Any] = np.random.default_rng(0).normal(100, 30, (50, 7)).astype(dtype)
    rows = np.array([3, 3, 49, 0])
    once = ScaledSource(X, fit_scaling(X, True), CPU).take(rows)
    monkeypatch.setattr("coterie.data.arrays.SCALED_BYTES", 0)
    source = ScaledSource(X, fit_scaling(X, True), CPU)
    assert torch.equal(source.take(rows), once)
    assert source._scaled is None
