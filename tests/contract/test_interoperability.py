"""Every method in scikit-learn's tools, and frames of other libraries by what they can do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from coterie.methods.base import NeuralClusterer
from coterie.methods.registry import METHODS
from coterie.metrics import clustering_accuracy

Digits = Any


@pytest.fixture(params=sorted(METHODS))
def method(request: pytest.FixtureRequest) -> type[NeuralClusterer]:
    """Each method of the registry in turn."""
    return METHODS[request.param]


def make(method: type[NeuralClusterer]) -> Any:
    params: dict[str, Any] = {"n_clusters": 10, "over_clustering": True, "n_restarts": 1, "max_steps": 5}
    return method(**params, random_state=0)


def test_grid_search_over_a_pipeline(method: type[NeuralClusterer], digits: Digits) -> None:
    X, y = digits
    steps = Pipeline([("scale", StandardScaler()), ("cluster", make(method))])
    grid = {"cluster__max_steps": [1, 5]}

    def score(model: Any, X: Any, y: Any) -> float:
        return float(clustering_accuracy(y, model.predict(X)))

    search = GridSearchCV(steps, grid, scoring=score, cv=2, error_score="raise").fit(X, y)
    assert search.best_params_["cluster__max_steps"] in (1, 5)
    assert search.predict(X).shape == (150,)
    assert clone(search.best_estimator_).get_params()["cluster__n_clusters"] == 10


class Frame:
    """Behaves as a polars frame does where the library touches it."""

    def __init__(self, values: Any, columns: list[str]) -> None:
        self.values, self.columns = values, columns
        self.shape = values.shape

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, key: Any) -> Any:
        raise AssertionError("a frame is taken as an array, not row by row")

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return np.array(self.values, dtype=dtype)


def test_frames(method: type[NeuralClusterer], digits: Digits) -> None:
    X, y = digits
    columns = [f"pixel {number}" for number in range(64)]
    expected = make(method).fit(X, y).predict_proba(X)
    frame = pd.DataFrame(X, columns=columns)
    model = make(method).fit(frame, y)
    np.testing.assert_array_equal(model.predict_proba(frame), expected)
    assert model.feature_names_in_.tolist() == columns
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[columns[::-1]])
    np.testing.assert_array_equal(make(method).fit(Frame(X, columns), y).predict_proba(X), expected)
