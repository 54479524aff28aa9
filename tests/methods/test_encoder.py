"""Estimators with an encoder: X may be a list of paths or of texts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.encoders.fixtures import toys as toys
from tests.encoders.toys import FISHES, FRUITS, ToyPictures, ToyTexts, write_pictures

from coterie import CCN, DDC, InputError, InputTypeError, load, save
from coterie.metrics import clustering_accuracy

pytestmark = pytest.mark.usefixtures("toys", "few_starts")
TEXTS = [*FRUITS, *FISHES]
CLASSES = np.repeat([0, 1], 20)
QUICK: dict[str, Any] = {"n_clusters": 2, "n_restarts": 1, "max_steps": 60, "random_state": 0}


def test_texts_are_clustered_and_predicted(tmp_path: Path) -> None:
    model = DDC(encoder="toy-texts", **QUICK).fit(TEXTS)
    assert clustering_accuracy(CLASSES, model.labels_) == 1
    assert model.modality_ == "text"
    assert model.encoder_ is not None
    assert model.encoder_["name"] == "toy-texts"
    assert model.encoder_["licence"] == "MIT"
    np.testing.assert_array_equal(model.predict(TEXTS), model.labels_)
    np.testing.assert_array_equal(model.predict(np.array(TEXTS, dtype=object)), model.labels_)
    np.testing.assert_array_equal(model.predict(ToyTexts().embed(TEXTS)), model.labels_)
    save(model, tmp_path / "model")
    loaded = load(tmp_path / "model")
    assert loaded.encoder_ == model.encoder_
    np.testing.assert_array_equal(loaded.predict(TEXTS), model.labels_)


@pytest.mark.parametrize("as_path", [str, Path])
def test_paths(as_path: Any, tmp_path: Path) -> None:
    classes = write_pictures(tmp_path)
    paths = [as_path(file) for file in sorted(tmp_path.iterdir())]
    model = CCN(encoder=ToyPictures(), **QUICK).fit(paths, classes)
    assert clustering_accuracy(classes, model.predict(paths)) == 1
    assert model.modality_ == "image"


def test_an_array_of_pictures_by_name() -> None:
    pictures = np.full((8, 3, 10, 10), 20, dtype=np.uint8)
    pictures[::2, 0] = 200
    model = DDC(encoder="toy-pictures", **QUICK).fit(pictures)
    assert clustering_accuracy([0, 1] * 4, model.labels_) == 1
    assert model.sample_shape_ == (12,)
    np.testing.assert_array_equal(model.predict(pictures), model.labels_)


def test_numbers_need_no_encoder() -> None:
    X = np.random.default_rng(0).normal(size=(20, 3))
    model = DDC(encoder="auto", **QUICK).fit(X)
    assert model.encoder_ is None
    with pytest.raises(InputError, match="encoder='toy-pictures' must be None or 'auto' for vectors"):
        DDC(encoder="toy-pictures", **QUICK).fit(X)
    with pytest.raises(InputError, match="X must hold numbers, as in fit, got texts"):
        model.predict(TEXTS)


def test_texts_need_one() -> None:
    with pytest.raises(InputError, match="X holds texts, which need an encoder: encoder='auto', or a name"):
        DDC(**QUICK).fit(TEXTS)
    with pytest.raises(InputError, match="encoder='toy-pictures' takes images, but X holds texts"):
        DDC(encoder="toy-pictures", **QUICK).fit(TEXTS)


@pytest.mark.parametrize("encoder", [3, "", ToyTexts])
def test_what_is_no_encoder(encoder: Any) -> None:
    with pytest.raises(InputTypeError, match="encoder must be None, 'auto', a name or an encoder"):
        DDC(encoder=encoder, **QUICK).fit(TEXTS)


def test_other_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from coterie.encoders import registry

    model = DDC(encoder="toy-texts", **QUICK).fit(TEXTS)
    save(model, tmp_path / "model")
    monkeypatch.setitem(registry._REGISTERED, "toy-texts", lambda: ToyTexts("2"))
    loaded: Any = load(tmp_path / "model")
    with pytest.raises(InputError, match="whose fingerprint is toy1, got toy2; install"):
        loaded.predict(TEXTS)


def test_an_encoder_object_is_saved_by_its_name(tmp_path: Path) -> None:
    save(DDC(encoder=ToyTexts(), **QUICK).fit(TEXTS), tmp_path / "model")
    loaded: Any = load(tmp_path / "model")
    assert loaded.encoder == "toy-texts"
    assert len(loaded.predict(TEXTS)) == 40


def test_vectors_are_kept_with_the_checkpoint(tmp_path: Path) -> None:
    DDC(encoder="toy-texts", checkpoint_dir=tmp_path, **QUICK).fit(TEXTS)
    assert sorted(ToyTexts.embedded) == sorted(TEXTS)
    ToyTexts.embedded.clear()
    DDC(encoder="toy-texts", checkpoint_dir=tmp_path, **QUICK).fit(TEXTS)
    assert not ToyTexts.embedded


def test_the_number_of_clusters_is_estimated_from_the_vectors() -> None:
    model = DDC("auto", encoder="toy-texts", n_restarts=1, max_steps=20, random_state=0, over_clustering=True)
    assert model.fit(TEXTS).n_outputs_ >= 1
    assert sorted(ToyTexts.embedded) == sorted(TEXTS)


def test_a_mixture_of_paths_and_texts(tmp_path: Path) -> None:
    write_pictures(tmp_path, 2)
    mixed = [*sorted(tmp_path.iterdir()), "a text"]
    with pytest.raises(InputError, match="paths of one kind of file, or texts; entry 2 is 'a text'"):
        DDC(encoder="auto", **QUICK).fit(mixed)
