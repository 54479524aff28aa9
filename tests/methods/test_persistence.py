"""Saved models: what comes back, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.cluster import KMeans
from sklearn.exceptions import NotFittedError
from torch import nn

import coterie
from coterie import CCN, DamagedFileError, InputError, InputTypeError
from coterie.engine.storage import read_tensors, write_tensors

X = np.random.default_rng(0).normal(size=(40, 6))
Y = np.arange(40) % 3


def quick(**params: Any) -> CCN:
    return CCN(**({"n_clusters": 3, "n_restarts": 1, "max_steps": 3, "over_clustering": True} | params))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "model"
    coterie.save(quick(random_state=0).fit(X, Y), path)
    return path


def test_what_the_caller_gave_in_other_types(tmp_path: Path) -> None:
    model = quick(
        n_clusters=np.int64(3),
        margin=np.float32(1.5),
        random_state=np.int64(4),
        checkpoint_dir=tmp_path / "checkpoint",
        augment=lambda x, generator: x,
        device=torch.device("cpu"),
    ).fit(X, Y)
    coterie.save(model, tmp_path / "model")
    loaded = coterie.load(tmp_path / "model")
    params = loaded.get_params()
    assert (params["n_clusters"], params["margin"], params["random_state"]) == (3, 1.5, 4)
    assert (params["augment"], params["device"]) == ("auto", "cpu")
    assert params["checkpoint_dir"] == str(tmp_path / "checkpoint")
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))


def test_a_generator_is_not_kept(tmp_path: Path) -> None:
    coterie.save(quick(random_state=np.random.RandomState(0)).fit(X, Y), tmp_path / "model")
    assert coterie.load(tmp_path / "model").random_state is None


@pytest.mark.parametrize("labels", [["a", "b", "c"], [0.5, 1.5, 2.5], [True, False, True], [7, 8, 9]])
def test_classes_come_back_in_their_type(tmp_path: Path, labels: list[Any]) -> None:
    model = quick().fit(X, np.array(labels)[Y])
    coterie.save(model, tmp_path / "model")
    loaded: Any = coterie.load(tmp_path / "model")
    assert loaded.classes_.dtype == model.classes_.dtype
    assert loaded.classes_.tolist() == model.classes_.tolist()


def test_classes_that_json_cannot_hold(tmp_path: Path) -> None:
    dates = np.array(["2020-01-01", "2021-01-01", "2022-01-01"], dtype="M8[D]")
    with pytest.raises(InputTypeError, match="classes_ must hold numbers or strings"):
        coterie.save(quick().fit(X, dates[Y]), tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_feature_names_come_back(tmp_path: Path) -> None:
    frame = pd.DataFrame(X, columns=list("abcdef"))
    coterie.save(quick().fit(frame, Y), tmp_path / "model")
    loaded: Any = coterie.load(tmp_path / "model")
    assert loaded.feature_names_in_.tolist() == list("abcdef")
    with pytest.raises(InputError, match="X: The feature names should match"):
        loaded.predict(frame[list("fedcba")])


def test_images_with_convolutions(tmp_path: Path) -> None:
    images = np.random.default_rng(0).random((20, 16, 16))
    model = quick().fit(images, Y[:20])
    coterie.save(model, tmp_path / "model")
    loaded = coterie.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict_proba(images), model.predict_proba(images))


@pytest.mark.parametrize("as_callable", [False, True])
def test_a_network_of_one_s_own_is_asked_for(tmp_path: Path, as_callable: bool) -> None:
    def make() -> nn.Module:
        return nn.Linear(6, 5)

    model = quick(backbone=make if as_callable else make()).fit(X, Y)
    coterie.save(model, tmp_path / "model")
    with pytest.raises(InputError, match=r"backbone is required: .*load\(path, backbone=...\)"):
        coterie.load(tmp_path / "model")
    for backbone in (make, make()):
        loaded = coterie.load(tmp_path / "model", backbone=backbone)
        np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    for wrong in (nn.Linear(6, 4), nn.Linear(7, 5), nn.Sequential(nn.Linear(6, 5)), "nonsense"):
        with pytest.raises(InputError, match="backbone"):
            coterie.load(tmp_path / "model", backbone=wrong)


def test_damaged_and_foreign_files(file: Path, tmp_path: Path) -> None:
    content = file.read_bytes()
    broken = tmp_path / "broken"
    for damaged in (b"", content[:100], content[:-1], content[:-9] + b"x" + content[-8:], b"text" * 99):
        broken.write_bytes(damaged)
        with pytest.raises(DamagedFileError, match=str(broken)):
            coterie.load(broken)
    for place in (tmp_path, tmp_path / "missing"):
        with pytest.raises(DamagedFileError, match=str(place)):
            coterie.load(place)


@pytest.mark.parametrize("lost", ["method", "params", "sample_shape", "loss_"])
def test_a_file_that_lacks_something_is_named(file: Path, lost: str) -> None:
    tensors, meta = read_tensors(file, "model")
    write_tensors(file, "model", tensors, {name: value for name, value in meta.items() if name != lost})
    with pytest.raises(DamagedFileError, match=f"{file} lacks '{lost}'"):
        coterie.load(file)


def test_a_file_of_an_unknown_method_is_named(file: Path) -> None:
    tensors, meta = read_tensors(file, "model")
    write_tensors(file, "model", tensors, meta | {"method": "later"})
    with pytest.raises(InputError, match=f"{file} .*'later', which is not installed"):
        coterie.load(file)


def test_a_parameter_of_another_version_is_named(file: Path) -> None:
    tensors, meta = read_tensors(file, "model")
    params = meta["params"] | {"added_later": 1}
    write_tensors(file, "model", tensors, meta | {"params": params})
    with pytest.raises(DamagedFileError, match=f"{file} .*added_later"):
        coterie.load(file)


def test_a_device_that_is_not_here(file: Path) -> None:
    tensors, meta = read_tensors(file, "model")
    write_tensors(file, "model", tensors, meta | {"params": meta["params"] | {"device": "nonsense"}})
    with pytest.warns(UserWarning, match="device: the model was fitted on 'nonsense'"):
        loaded = coterie.load(file)
    assert loaded.device == "auto"


def test_only_fitted_estimators_of_ours_are_saved(tmp_path: Path) -> None:
    with pytest.raises(NotFittedError):
        coterie.save(quick(), tmp_path / "model")
    foreign: Any = KMeans()
    with pytest.raises(InputTypeError, match=r"estimator must be of a known method .* got KMeans"):
        coterie.save(foreign, tmp_path / "model")


def test_a_folder_is_no_place_for_a_model(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"{tmp_path} is a directory"):
        coterie.save(quick().fit(X, Y), tmp_path)


FORGED: list[dict[str, Any]] = [
    {"method": ["ccn"]},
    {"params": 3},
    {"params": [["a", 1]]},
    {"sample_shape": 6},
    {"sample_shape": []},
    {"sample_shape": [10**6, 10**6]},
    {"sample_shape": ["6"]},
    {"members": 0},
    {"members": "1"},
    {"members": 10**9},
    {"n_outputs_": 10**12},
    {"n_outputs_": 3.0},
    {"n_outputs_": -1},
    {"loss_": "low"},
    {"loss_": float("nan")},
    {"history_": {}},
    {"runs_": [1]},
    {"n_clusters_estimate_": 4},
    {"classes_": 3},
    {"classes_": {"values": [1, "a", [2]], "dtype": "<i8"}},
    {"classes_": {"values": [1], "dtype": "nonsense"}},
    {"classes_": {"values": [1], "dtype": {"names": 1}}},
    {"feature_names_in_": [1]},
]


@pytest.mark.parametrize("forged", FORGED, ids=str)
def test_forged_fields_with_a_right_checksum_are_refused(file: Path, forged: dict[str, Any]) -> None:
    tensors, meta = read_tensors(file, "model")
    write_tensors(file, "model", tensors, meta | forged)
    with pytest.raises(DamagedFileError, match=str(file)):
        coterie.load(file)


@pytest.mark.parametrize(
    "forged",
    [{"backbone": 3}, {"backbone": "nonsense"}, {"backbone": ["mlp"]}, {"device": 3}, {"device": {}}],
    ids=str,
)
def test_forged_parameters_are_refused(file: Path, forged: dict[str, Any]) -> None:
    tensors, meta = read_tensors(file, "model")
    write_tensors(file, "model", tensors, meta | {"params": meta["params"] | forged})
    with pytest.raises(DamagedFileError, match=str(file)):
        coterie.load(file)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_weights_have_to_be_finite(file: Path, value: float) -> None:
    tensors, meta = read_tensors(file, "model")
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and tensor.numel():
            wrong = tensor.clone()
            wrong.view(-1)[-1] = value
            write_tensors(file, "model", tensors | {name: wrong}, meta)
            with pytest.raises(DamagedFileError, match=f"{file} .* {name} must be finite"):
                coterie.load(file)


@pytest.mark.parametrize("name", ["labels", "offset", "factor", "network/head.weight"])
@pytest.mark.parametrize(
    "wrong",
    [torch.zeros(0), torch.zeros(2, 2), torch.full((3,), -1), torch.full((3,), 7), torch.ones(2) * 1j],
    ids=str,
)
def test_forged_tensors_are_refused(file: Path, name: str, wrong: torch.Tensor) -> None:
    tensors, meta = read_tensors(file, "model")
    assert name in tensors
    write_tensors(file, "model", tensors | {name: wrong}, meta)
    with pytest.raises(DamagedFileError, match=str(file)):
        coterie.load(file)


@pytest.mark.parametrize("text", ["[" * 100_000, "[]", "3", "{", ""])
def test_forged_json_is_refused(file: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tensors, _ = read_tensors(file, "model")
    monkeypatch.setattr("coterie.engine.storage.json.dumps", lambda meta: text)
    write_tensors(file, "model", tensors, {})
    with pytest.raises(DamagedFileError, match=str(file)):
        coterie.load(file)
