"""Bad input is refused by name: the argument, what came, what is expected."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.sparse import csr_array, csr_matrix
from torch import nn

from coterie import CCN, ConflictError, InputError, InputTypeError, Pairs

X = np.random.default_rng(0).normal(size=(40, 6))
Y = np.arange(40) % 3
ODD = [[["a", 1.0, 2.0]], X.tolist()]


def quick(**params: Any) -> CCN:
    return CCN(**({"n_clusters": 3, "n_restarts": 1, "max_steps": 3, "over_clustering": True} | params))


def with_value(value: float) -> np.ndarray[Any, Any]:
    wrong = X.copy()
    wrong[7, 2] = value
    return wrong


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (with_value(np.nan), "X: Input X contains NaN"),
        (with_value(np.inf), "X: Input X contains infinity"),
        (np.zeros((0, 6)), r"X: Found array with 0 sample\(s\)"),
        (np.zeros((40, 0)), r"X: Found array with 0 feature\(s\)"),
        (X[:1], "n_samples=1 must be >= 2"),
        (X[:, 0], "X: Expected 2D array, got 1D"),
        (np.full((40, 2), "a"), "X: .*strings"),
        (np.array([["a", 1]] * 40, dtype=object), "X: could not convert string to float"),
        ([[1], [1, 2]], "X: .*inhomogeneous"),
        (X + 1j, "X: Complex data not supported"),
        (X * 1e300, "X must be small enough"),
        (torch.full((40, 6), torch.nan), "X: Input X contains NaN"),
        (pd.DataFrame(X, columns=list("abcdef")).assign(text=["a", *"1" * 39]), "X: row 0, column 'text'"),
    ],
)
def test_x(wrong: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        quick().fit(wrong, Y)


@pytest.mark.parametrize("wrong", [csr_array(X), csr_matrix(X), torch.eye(40).to_sparse()])
def test_sparse_x_names_the_way_out(wrong: Any) -> None:
    with pytest.raises(InputTypeError, match=r"X.*(toarray|to_dense)\(\)"):
        quick().fit(wrong, Y)


@pytest.mark.parametrize("wrong", [None, 3.0, {"a": 1}])
def test_x_that_is_no_array(wrong: Any) -> None:
    with pytest.raises(InputTypeError, match="X: "):
        quick().fit(wrong, Y)


@pytest.mark.parametrize(
    ("shape", "new", "message"),
    [
        ((40, 6), (5, 7), "X has 7 features, but CCN is expecting 6 features as input"),
        ((40, 6), (5, 6, 1), r"X must hold samples of shape \(6,\), as in fit, got \(6, 1\)"),
        ((40, 2, 3), (5, 3, 2), r"X must hold samples of shape \(2, 3\), as in fit, got \(3, 2\)"),
        ((40, 2, 3), (5, 6), r"X must hold samples of shape \(2, 3\), as in fit, got \(6,\)"),
        ((40, 1, 2, 3), (5, 2, 3), r"X must hold samples of shape \(1, 2, 3\), as in fit, got \(2, 3\)"),
    ],
)
def test_another_shape_at_predict(shape: tuple[int, ...], new: tuple[int, ...], message: str) -> None:
    model = quick().fit(X.reshape(shape), Y)
    for use in (model.predict, model.predict_proba, model.transform):
        with pytest.raises(InputError, match=message):
            use(np.zeros(new))


def test_nan_and_nothing_at_predict() -> None:
    model = quick().fit(X, Y)
    with pytest.raises(InputError, match="X: Input X contains NaN"):
        model.predict(with_value(np.nan))
    with pytest.raises(InputError, match="X: Found array with 0 sample"):
        model.predict(X[:0])


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([-1] * 40, "y must have at least one known label, but all 40 are unknown"),
        (Y[:-1], "y must have one label per row of X, n_samples=40, got 39"),
        (np.where(Y == 0, np.inf, Y), "Input y contains infinity"),
        (np.c_[Y, Y], r"got ndarray .*\(40, 2\)"),
        ([1] + [-1] * 39, "at least 2 known"),
        (Pairs([0], [1], [1]), "y must hold one label per row of X, .* got Pairs"),
        (None, "requires y to be passed, but the target y is None"),
    ],
)
def test_y(y: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        quick().fit(X, y)


def test_one_source_of_similarity_is_expected() -> None:
    pairs = Pairs([0], [1], [1])
    with pytest.raises(InputError, match="fit takes one of y and pairs"):
        quick().fit(X, Y, pairs=pairs)
    with pytest.raises(
        InputError, match="cross_entropy_weight above 0 needs labels of some rows, got y=None"
    ):
        quick(cross_entropy_weight=1.0).fit(X, pairs=pairs)
    with pytest.raises(InputError, match="n_clusters=2 must be >= 3, the number of classes of y"):
        quick(cross_entropy_weight=1.0, n_clusters=2).fit(X, Y)


@pytest.mark.parametrize(
    "pairs",
    [([0], [1], [1]), [(0, 1, 1)], np.array([[0, 1, 1]]), pd.DataFrame({"i": [0], "j": [1], "same": [1]})],
)
def test_pairs_of_another_type(pairs: Any) -> None:
    with pytest.raises(InputTypeError, match=rf"pairs must be coterie.Pairs, .* got {type(pairs).__name__}"):
        quick().fit(X, pairs=pairs)


def test_pairs_past_the_rows_are_named() -> None:
    with pytest.raises(InputError, match=r"rows 0\.\.39 of 40 samples; pair \(3, 40\)"):
        quick().fit(X, pairs=Pairs([0, 3], [1, 40], [1, 1]))


def test_contradictions_are_named_unless_uncertain() -> None:
    contradiction = [4, 5, 4], [5, 9, 9], [1, 1, -1]
    with pytest.raises(ConflictError, match=r"samples 4 and 9 .*4 ~ 5 ~ 9"):
        quick().fit(X, pairs=Pairs(*contradiction))
    quick().fit(X, pairs=Pairs(*contradiction, hard=False))


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("n_clusters", [0, -1, 41]),
        ("loss", ["typo", None, "CCL"]),
        ("margin", [0, -1, float("nan"), float("inf")]),
        ("pair_weight", ["x", 1]),
        ("cross_entropy_weight", [-0.1, float("nan")]),
        ("n_restarts", [0, -3]),
        ("n_jobs", [0]),
        ("backbone", ["lenett", "lenet", nn.Linear(3, 2), lambda width: nn.Linear(6, width), lambda: None]),
        ("preset", ["typo", None]),
        ("batch_size", [0, 1]),
        ("learning_rate", [0, -1e-3, float("nan"), float("inf")]),
        ("max_epochs", [0]),
        ("max_steps", [0]),
        ("augment", ["x", None, 5]),
        ("scale", ["x", None, 2]),
        ("threads", [0]),
        ("device", ["gpu", "cuda:77", ""]),
        ("random_state", ["x", -1, 2.5, np.random.PCG64(0)]),
    ],
)
def test_values(name: str, values: list[Any]) -> None:
    for value in values:
        with pytest.raises(InputError, match=rf"^{name}(:|=\S+ must be| must be) "):
            quick(**{name: value}).fit(X, Y)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("n_clusters", [2.5, True, "10", None]),
        ("margin", ["a", None, True]),
        ("cross_entropy_weight", ["a", None]),
        ("n_restarts", ["x", None, 1.5, True]),
        ("n_jobs", ["all", 1.5, True]),
        ("backbone", [5, None]),
        ("batch_size", [2.5, "x"]),
        ("learning_rate", ["x", True]),
        ("max_epochs", [1.5]),
        ("max_steps", [1.5, "x"]),
        ("threads", ["x", None]),
        ("device", [None, 5, 2.5]),
        ("checkpoint_dir", [5, True]),
    ],
)
def test_types(name: str, values: list[Any]) -> None:
    for value in values:
        with pytest.raises(InputTypeError, match=rf"^{name}(:|=\S+ must be| must be) "):
            quick(**{name: value}).fit(X, Y)


def test_a_checkpoint_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(InputError, match=f"checkpoint_dir: {place}"):
            quick(checkpoint_dir=str(place)).fit(X, Y)


def test_a_checkpoint_of_another_fit_is_refused(tmp_path: Path) -> None:
    settings = {"checkpoint_dir": str(tmp_path), "random_state": 0}
    quick(**settings).fit(X, Y)
    others: list[tuple[Any, Any, dict[str, Any]]] = [
        (X + 1e-9, Y, {}),
        (X, Y + 1, {"n_clusters": 4}),
        (X, np.roll(Y, 1), {}),
        (X, Y, {"max_steps": 4}),
        (X, Y, {"learning_rate": 0.5}),
        (X, Y, {"random_state": 1}),
        (X, Y, {"backbone": "mlp"}),
    ]
    for other_x, other_y, changes in others:
        with pytest.raises(InputError, match=r"checkpoint_dir: .* belongs to a fit with other"):
            quick(**(settings | changes)).fit(other_x, other_y)
    quick(**settings).fit(X, Y)


def test_divergence_is_an_error() -> None:
    with pytest.raises(InputError, match=r"all 1 restarts diverged.* scale of X"):
        quick(scale=False).fit(X * 1e300, Y)
