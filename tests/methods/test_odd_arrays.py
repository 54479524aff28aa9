"""Arrays as they come: strides, byte order, masks, dates, extreme scales and axes in another order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from coterie import CCN, L2C, InputError, InputTypeError, SimilarityNetwork
from coterie.data.arrays import ScaledSource, fit_scaling

X = np.random.default_rng(0).normal(size=(40, 6))
Y = np.arange(40) % 3
DAYS = pd.date_range("2020-01-01", periods=40)
SPANS = pd.timedelta_range("1D", periods=40)


def quick(**params: Any) -> CCN:
    defaults = {"n_clusters": 3, "n_restarts": 1, "max_steps": 3, "over_clustering": True, "random_state": 0}
    return CCN(**(defaults | params))


def test_a_negative_stride_on_an_axis_of_length_one() -> None:
    model = quick().fit(X, Y)
    assert model.predict(X[::-1][:1]).tolist() == model.predict(X[-1:]).tolist()
    assert model.predict(X[:, ::-1][:1]).shape == (1,)
    one = np.random.default_rng(0).normal(size=(1001, 1))
    labels = np.arange(1001) % 3
    backwards, copied = quick().fit(one[::-1], labels), quick().fit(one[::-1].copy(), labels)
    assert backwards.labels_.tolist() == copied.labels_.tolist()


@settings(deadline=None)
@given(
    st.tuples(*[st.integers(-3, 3).filter(bool)] * 2),
    st.tuples(*[st.integers(1, 7)] * 2),
    st.sampled_from(["<f4", ">f4", "<f8", ">f8", ">i2", "<i8", "u1"]),
    st.sampled_from("CF"),
)
def test_no_stride_byte_order_or_type_changes_the_values(
    steps: tuple[int, int], shape: tuple[int, int], dtype: str, order: Any
) -> None:
    values = (np.arange(24 * 24).reshape(24, 24) % 251).astype(dtype, order=order)
    odd = values[:: steps[0], :: steps[1]][: shape[0], : shape[1]]
    plain = np.array(odd.tolist(), dtype=np.dtype(dtype).newbyteorder("="))
    device = torch.device("cpu")
    found, expected = (
        ScaledSource(array, fit_scaling(array, True), device).take(slice(None)) for array in (odd, plain)
    )
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)


def test_masked_entries_are_refused_and_an_empty_mask_is_none() -> None:
    with pytest.raises(
        InputError, match=r"X must have a value in each entry, got 2 masked entries\. X\.filled"
    ):
        quick().fit(np.ma.masked_array(X, np.isin(X, X.flat[:2])), Y)
    plain = quick().fit(X, Y)
    assert quick().fit(np.ma.masked_array(X), Y).labels_.tolist() == plain.labels_.tolist()
    with pytest.raises(InputError, match="X must have a value in each entry"):
        plain.predict(np.ma.masked_array(X, X > 1))
    with pytest.raises(InputError, match=r"sets\[1\]: X must have a value in each entry"):
        L2C().fit_sets([(X, Y), (np.ma.masked_array(X, X > 1), Y)])


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (
            np.array(DAYS).reshape(-1, 1),
            r"X must hold numbers, got dtype datetime64.* \(x - start\) / .* gives days",
        ),
        (np.array(SPANS).reshape(-1, 1), "X must hold numbers, got dtype timedelta64.* x / .* gives days"),
    ],
)
def test_dates_and_durations_are_refused_by_name(wrong: Any, words: str) -> None:
    with pytest.raises(InputTypeError, match=words):
        quick().fit(wrong, Y)


@pytest.mark.parametrize("scale", [1e-42, 1e-38, 1e37])
def test_a_float32_column_of_extreme_scale(scale: float) -> None:
    odd = X.astype(np.float32)
    odd[:, 0] *= np.float32(scale)
    labels = quick().fit(odd, Y).labels_
    assert labels.tolist() == quick().fit(odd.astype(np.float64), Y).labels_.tolist()


@pytest.mark.parametrize("scale", [1e40, 1e300])
def test_values_that_overflow_at_predict_are_refused(scale: float) -> None:
    model = quick().fit(X, Y)
    large = np.r_[X[:5], X[5:] * scale]
    for use in (model.predict, model.predict_proba, model.transform):
        with pytest.raises(InputError, match="X must be on the scale of the samples in fit; row 5 gives"):
            use(large)
    other = SimilarityNetwork(max_steps=3, random_state=0).fit(X, Y)
    with pytest.raises(InputError, match="row 5 gives values beyond float32"):
        other.predict_proba_pairs(large, [0], [1])


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_channels_last_are_refused_with_the_remedy(channels: int) -> None:
    images = np.random.default_rng(0).integers(0, 255, (40, 10, 12, channels), dtype=np.uint8)
    for form in (images, torch.from_numpy(images), list(images)):
        with pytest.raises(InputError, match=r"channels last: np\.moveaxis\(X, -1, 1\) moves them"):
            quick().fit(form, Y)
    assert quick().fit(np.moveaxis(images, -1, 1), Y).sample_shape_ == (channels, 10, 12)


def test_a_generator_as_random_state() -> None:
    first, second, other = (
        quick(random_state=np.random.default_rng(seed)).fit(X, Y).predict_proba(X) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other)
