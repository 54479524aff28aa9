"""A small run on digits, as images and as rows of a table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

from coterie import CCN


@pytest.fixture(scope="session")
def small_run() -> tuple[Any, Any, Any]:
    """A model of 150 digits as uint8 images, the images and their classes."""
    X, y = load_digits(return_X_y=True)
    images = (X[:150].reshape(-1, 8, 8) * 15).astype(np.uint8)
    params: dict[str, Any] = {"n_clusters": 12, "n_restarts": 2, "max_steps": 80, "over_clustering": True}
    model = CCN(**params, random_state=0).fit(images, y[:150])
    return model, images, y[:150]
