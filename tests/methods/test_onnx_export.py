"""What onnxruntime makes of an exported model is what the model predicts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from torch import Tensor, nn

from coterie import ADC, CCN, DDC, L2C, InputError, InputTypeError, SimilarityNetwork, export_onnx
from coterie.data.arrays import Scaling
from coterie.methods.onnx_export import PortableClusterer, input_type
from coterie.metrics import vote_shares
from coterie.nn import ClusterNetwork, build_network

QUICK: dict[str, Any] = {"n_clusters": 10, "max_steps": 10, "over_clustering": True, "random_state": 0}


def as_images(X: Any) -> Any:
    return (X * 15).reshape(-1, 8, 8).astype(np.uint8)


def as_far_vectors(X: Any) -> Any:
    """Features that only their scaling makes comparable."""
    return (X * np.logspace(-2, 2, 64) + 3.0).astype(np.float32)


# three networks of ADC for images are in the graph of its vote
@pytest.mark.parametrize(
    ("model", "shaped"),
    [
        (CCN(n_restarts=1, **QUICK), as_far_vectors),
        (CCN(n_restarts=1, **QUICK), as_images),
        (DDC(n_restarts=4, vote=3, **QUICK), as_far_vectors),
        (DDC(n_restarts=4, vote=3, **QUICK), as_images),
        (ADC(n_restarts=3, vote=3, **QUICK), as_far_vectors),
        (ADC(n_restarts=3, vote=3, **QUICK | {"max_steps": 3}), as_images),
        (ADC(n_restarts=1, **QUICK), as_far_vectors),
    ],
    ids=["ccn", "ccn-images", "ddc-vote", "ddc-vote-images", "adc-vote", "adc-vote-images", "adc"],
)
def test_onnxruntime_predicts_the_same(model: Any, shaped: Any, digits: Any, tmp_path: Path) -> None:
    X, y, model = shaped(digits[0]), digits[1], clone(model)  # one case's backbone is not another's
    if X.ndim > 2 and isinstance(model, CCN):
        model.set_params(backbone="lenet-code")
    model.fit(X, y)
    written = export_onnx(model, tmp_path / "new" / "model.onnx", X)
    assert (written.input_type, written.n_measured) == ("float32", 150)
    assert written.max_error < 1e-5
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["model.onnx"]
    session = onnxruntime.InferenceSession(tmp_path / "new" / "model.onnx")
    for n in (1, 7, 150):
        probability, label = session.run(None, {"X": X[:n].astype(np.float32)})
        np.testing.assert_allclose(probability, model.predict_proba(X[:n]), atol=1e-5)
        np.testing.assert_array_equal(label, model.predict(X[:n]))
        assert (probability.dtype, label.dtype) == (np.float32, np.int64)


@pytest.mark.parametrize(("offset", "spread"), [(1e6, 1.0), (1.7e9, 86_400.0), (-1e12, 10.0)])
def test_a_large_offset_keeps_its_digits(offset: float, spread: float, digits: Any, tmp_path: Path) -> None:
    X, y = digits[0][:, 20:40] * (spread / 7) + offset, digits[1]
    model = CCN(n_restarts=1, **QUICK | {"max_steps": 100}).fit(X, y)
    drawn = export_onnx(model, tmp_path / "model.onnx")
    own = export_onnx(model, tmp_path / "model.onnx", X)
    assert (drawn.input_type, drawn.n_measured) == ("float64", 100)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    probability, label = session.run(None, {"X": X})
    np.testing.assert_array_equal(label, model.labels_)
    error = np.abs(probability - model.predict_proba(X)).max()
    assert own.max_error == pytest.approx(error, abs=1e-9)
    assert max(own.max_error, drawn.max_error) < 1e-5


@given(st.floats(-1e15, 1e15), st.floats(1e-6, 1e6))
def test_the_type_of_the_input_keeps_what_distinguishes_samples(offset: float, deviation: float) -> None:
    scaling = Scaling(np.array([0.0, offset]), np.array([1.0, 1 / deviation]))
    X = np.array([offset, offset + deviation / 3, offset + deviation])
    scaled, kept = (
        (values.astype(np.float64) - offset) / deviation for values in (X, X.astype(input_type(scaling)))
    )
    assert np.abs(scaled - kept).max() < 1.1e-4


def test_a_graph_that_is_far_from_its_model_is_said(
    digits: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    X, y = digits
    X = X + 1e9
    model = CCN(n_restarts=1, **QUICK | {"max_steps": 100}).fit(X, y)
    monkeypatch.setattr("coterie.methods.onnx_export.input_type", lambda scaling: "float32")
    with pytest.warns(UserWarning, match=r"a probability of the ONNX graph differs by 0\.\d+ from predict"):
        assert export_onnx(model, tmp_path / "model.onnx", X).max_error > 0.01


class Chooser(nn.Module):
    """Takes one of two ways by what it sees, which a graph cannot."""

    def forward(self, x: Tensor) -> Tensor:
        return x if float(x.sum()) > 0 else -x


def test_a_network_that_no_graph_can_express(digits: Any, tmp_path: Path) -> None:
    X, y = digits
    model = CCN(n_restarts=1, backbone=Chooser(), **QUICK).fit(X, y)
    with pytest.raises(InputError, match="backbone cannot be exported to ONNX"):
        export_onnx(model, tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


def test_export_refuses(tmp_path: Path, digits: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.onnx"
    for other in (L2C(), SimilarityNetwork(), object()):
        with pytest.raises(
            InputTypeError, match=r"estimator must assign single samples, as CCN, DDC and ADC do, got "
        ):
            export_onnx(other, path)  # type: ignore[arg-type]
    with pytest.raises(NotFittedError):
        export_onnx(CCN(), path)
    model = CCN(n_restarts=1, **QUICK).fit(*digits)
    with pytest.raises(InputError, match="is a directory"):
        export_onnx(model, tmp_path)
    monkeypatch.setattr("coterie.methods.onnx_export.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"onnx, onnxscript, onnxruntime, not .* '\.\[onnx\]'"):
        export_onnx(model, path)


def test_ties_of_a_vote_go_to_the_best(digits: Any) -> None:
    networks: list[ClusterNetwork] = [build_network("mlp", (64,), 4, seed).eval() for seed in range(4)]
    portable = PortableClusterer(networks, Scaling(np.zeros(()), np.asarray(0.1)), 4)
    X = torch.from_numpy(digits[0]).float()
    with torch.no_grad():
        prob, label = portable(X)
        votes = [network(X * 0.1)[1].argmax(dim=1).numpy() for network in networks]
    shares = vote_shares(votes, 4)
    np.testing.assert_allclose(prob, shares, atol=1e-6)
    np.testing.assert_array_equal(label, shares.argmax(axis=1))
    assert (np.sort(shares, axis=1)[:, -1] - np.sort(shares, axis=1)[:, -2] < 1e-6).any()
