"""Hugging Face data sets by what they can do: samples are mappings; images are pillow's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from coterie import CCN, Pairs
from coterie._errors import InputError
from coterie.data.arrays import is_dataset, read_dataset
from coterie.data.records import sample_columns


class Records:
    """Behaves as datasets.Dataset does where the library touches it."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, number: int) -> dict[str, Any]:
        return self.rows[number]


def test_columns_that_make_an_item() -> None:
    assert sample_columns({"label": 1, "vector": np.zeros(3), "text": "x"}) == ("vector",)
    assert sample_columns({"a": np.zeros(3), "image": torch.zeros(2, 2)}) == ("image",)
    assert sample_columns({"a": 1, "flag": True, "b": 2.5, "y": 0}) == ("a", "b")
    with pytest.raises(InputError, match=r"must have one column of vectors, .* got a, b"):
        sample_columns({"a": [1.0], "b": [2.0]})
    with pytest.raises(InputError, match="must have a column of numbers, got text, label"):
        sample_columns({"text": "x", "label": 3})


def test_pictures_of_one_kind() -> None:
    grey, red = Image.new("L", (3, 2), 7), Image.new("RGB", (3, 2), (9, 0, 0))
    found = read_dataset(Records([{"img": grey, "label": 0}, {"img": red, "label": 1}]))
    assert found.shape == (2, 2, 3)
    assert found.dtype == np.uint8
    colour = read_dataset(Records([{"img": red}, {"img": grey}]))[np.array([0, 1])]
    assert colour.shape == (2, 3, 2, 3)
    assert colour[:, 0, 0, 0].tolist() == [9, 7]
    assert colour[:, 1, 0, 0].tolist() == [0, 7]


def test_numbers_become_vectors() -> None:
    found = read_dataset(Records([{"a": 1, "b": 2.5, "label": 1}, {"a": 3, "b": 4, "label": 0}]))
    assert found[slice(0, 2)].tolist() == [[1, 2.5], [3, 4]]


def test_a_fit_from_records_equals_one_from_an_array(digits: Any) -> None:
    X, y = digits
    records = Records(
        [{"embedding": row.tolist(), "label": int(label)} for row, label in zip(X, y, strict=True)]
    )
    assert is_dataset(records)
    params: dict[str, Any] = {"n_clusters": 10, "n_restarts": 1, "max_steps": 30, "random_state": 0}
    params |= {"over_clustering": True}
    pairs = Pairs.from_labels(y, 200, random_state=0)
    first, second = (CCN(**params).fit(given, pairs=pairs) for given in (X, records))
    np.testing.assert_array_equal(first.labels_, second.labels_)
