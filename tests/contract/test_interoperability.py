"""Every method in scikit-learn's tools, and the frames of pandas and polars."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from coterie.methods.clusterer import NeuralClusterer
from coterie.methods.registry import find_method
from coterie.metrics import clustering_accuracy, nmi

Digits = Any


@pytest.fixture(params=["adc", "ccn", "ddc"])
def method(request: pytest.FixtureRequest) -> type[NeuralClusterer]:
    """Each method of the registry in turn."""
    return find_method(request.param)


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
    other = pl.DataFrame(X, schema=columns)
    np.testing.assert_array_equal(make(method).fit(other, y).predict_proba(other), expected)


@pytest.mark.parametrize(("name", "kind"), [("pandas", pd.DataFrame), ("polars", pl.DataFrame)])
def test_embeddings_as_frames(method: type[NeuralClusterer], digits: Digits, name: str, kind: Any) -> None:
    X, y = digits
    model = make(method).set_output(transform=name).fit(X, y)
    found: Any = model.transform(X[:20])
    assert type(found) is kind
    assert list(found.columns) == model.get_feature_names_out().tolist()
    assert found.columns[0] == f"{method.__name__.lower()}0"
    np.testing.assert_array_equal(found.to_numpy(), model.set_output(transform="default").transform(X[:20]))


def test_an_embedding_feeds_another_estimator(method: type[NeuralClusterer], digits: Digits) -> None:
    X, y = digits
    steps = Pipeline([("embed", make(method)), ("cluster", KMeans(10, n_init=1, random_state=0))])
    labels = steps.set_output(transform="pandas").fit(X, y).predict(X)
    expected = KMeans(10, n_init=1, random_state=0).fit(make(method).fit(X, y).transform(X)).labels_
    assert nmi(labels, expected) > 0.99


def test_joblib_keeps_models(method: type[NeuralClusterer], digits: Digits, tmp_path: Path) -> None:
    X, y = digits
    model = make(method).fit(X, y)
    joblib.dump(model, tmp_path / "model")
    np.testing.assert_array_equal(joblib.load(tmp_path / "model").predict_proba(X), model.predict_proba(X))
