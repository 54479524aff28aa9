"""Data frames and files of tables as X: encoded alike in fit and predict, and kept in the model."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from coterie import CCN, DDC, L2C, InputError, InputTypeError, load, save
from coterie.data import ReadOptions, read_samples

RNG = np.random.default_rng(0)
KINDS: list[Any] = [CCN, DDC]


def mixed(n: int = 60) -> pd.DataFrame:
    """A table of numbers, some missing, words, flags and dates."""
    group = np.arange(n) % 2
    size = np.where(np.arange(n) % 9 == 4, np.nan, 10.0 * group + RNG.normal(size=n))
    return pd.DataFrame(
        {
            "size": size,
            "colour": np.where(group, "red", "blue"),
            "used": np.where(group, "yes", "no"),
            "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(np.arange(n), unit="D"),
        }
    )


def fitted(kind: Any, X: Any, **params: Any) -> Any:
    fixed = {"n_clusters": 2, "n_restarts": 1, "max_steps": 3, "random_state": 0, "over_clustering": True}
    known = {"y": np.arange(len(X) if not hasattr(X, "X") else len(X.X)) % 2} if kind is CCN else {}
    return kind(**fixed | params).fit(X, **known)


@pytest.mark.filterwarnings("default::UserWarning")
@pytest.mark.parametrize("kind", KINDS)
def test_a_frame_is_encoded_alike_in_fit_predict_and_the_saved_model(kind: Any, tmp_path: Path) -> None:
    frame = mixed()
    model = fitted(kind, frame)
    assert model.n_features_in_ == 4
    assert model.feature_names_in_.tolist() == list(frame.columns)
    assert model.sample_shape_ == (6,)
    assert model.modality_ == "table"
    save(model, tmp_path / "model")
    loaded: Any = load(tmp_path / "model")
    for one in (model, loaded):
        np.testing.assert_array_equal(one.predict(frame), model.labels_)
        np.testing.assert_array_equal(one.predict(frame.iloc[[5]]), model.labels_[[5]])
        np.testing.assert_array_equal(one.predict(pl.from_pandas(frame)), model.labels_)


@pytest.mark.filterwarnings("default::UserWarning")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("suffix", ["csv", "parquet", "jsonl", "tsv.gz"])
def test_a_file_gives_what_its_frame_gives(kind: Any, suffix: str, tmp_path: Path) -> None:
    frame = mixed()
    file = tmp_path / f"t.{suffix}"
    if suffix == "parquet":
        frame.to_parquet(file)
    elif suffix == "jsonl":
        frame.assign(day=frame["day"].astype(str)).to_json(file, orient="records", lines=True)
    else:
        frame.to_csv(file, index=False, sep="\t" if "tsv" in suffix else ",")
    samples = read_samples(file)
    of_file, of_frame = fitted(kind, samples), fitted(kind, frame)
    assert of_file.n_features_in_ == 4
    np.testing.assert_array_equal(of_file.transform(samples), of_frame.transform(frame))
    np.testing.assert_array_equal(of_file.predict(frame), of_frame.labels_)
    np.testing.assert_array_equal(of_file.predict(frame[frame.columns[::-1]]), of_frame.labels_)
    with pytest.raises(InputError, match="must have the columns size, colour, used, day, as in fit, got"):
        of_file.predict(frame.rename(columns={"size": "height"}))


def test_what_is_done_is_said() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fitted(DDC, mixed())
    texts = [str(one.message) for one in caught]
    assert [text.partition(":")[0] for text in texts] == ["X"] * 4
    assert "column 'size': 7 of 60 values are missing: set to the median, and marked" in texts[0]
    assert "column 'colour': 2 words became columns of 0 and 1 (blue, red)" in texts[1]


def test_numbers_stay_as_they_are() -> None:
    """A frame of numbers gives what its array gives, and nothing is said."""
    frame = pd.DataFrame(RNG.normal(size=(40, 3)).astype(np.float32), columns=["a", "b", "c"])
    of_frame, of_array = fitted(DDC, frame), fitted(DDC, frame.to_numpy())
    np.testing.assert_array_equal(of_frame.transform(frame), of_array.transform(frame.to_numpy()))
    pixels = pd.DataFrame(RNG.integers(0, 256, (40, 3)), dtype=np.uint8)
    of_frame, of_array = fitted(DDC, pixels), fitted(DDC, pixels.to_numpy())
    np.testing.assert_array_equal(of_frame.transform(pixels), of_array.transform(pixels.to_numpy()))


@pytest.mark.filterwarnings("default::UserWarning")
def test_missing_values_at_predict_become_the_median_of_the_fit() -> None:
    frame = pd.DataFrame({"a": RNG.normal(size=40), "b": RNG.normal(size=40)})
    model = fitted(DDC, frame)
    new = pd.DataFrame({"a": [np.nan, 0.5], "b": [0.1, np.nan]})
    filled = new.fillna(frame.median())
    np.testing.assert_array_equal(model.transform(new), model.transform(filled))


@pytest.mark.filterwarnings("default::UserWarning")
def test_other_columns_are_refused(tmp_path: Path) -> None:
    frame = mixed()
    model = fitted(DDC, frame)
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame.rename(columns={"size": "height"}))
    with pytest.raises(InputError, match="row 1, column 'size': must be a number, as in the fit, got 'x'"):
        model.predict(frame.iloc[:2].assign(size=["1", "x"]))
    plain = fitted(DDC, RNG.normal(size=(40, 4)))
    with pytest.raises(InputError, match="X: must hold only numbers, as in fit"):
        plain.predict(frame)
    frame.iloc[:40].to_csv(tmp_path / "t.csv", index=False)
    frame.assign(colour="green").to_csv(tmp_path / "new.csv", index=False)
    read = read_samples(tmp_path / "t.csv")
    of_file = fitted(DDC, read)
    with pytest.raises(
        InputError, match=r"X must be read as the samples of fit were: .*like=samples\.reading"
    ):
        of_file.predict(read_samples(tmp_path / "new.csv"))
    again = read_samples(tmp_path / "new.csv", ReadOptions(like=read.reading))
    assert len(of_file.predict(again)) == 60


def test_what_no_column_can_be(tmp_path: Path) -> None:
    with pytest.raises(InputTypeError, match="X: column 'a' must hold numbers, words or dates, got dict"):
        fitted(DDC, pd.DataFrame({"a": [{}] * 20}))
    with pytest.raises(InputError, match="X: row 3, column 'a': must be finite, got inf"):
        fitted(DDC, pd.DataFrame({"a": [1.0, 2, np.nan, np.inf] * 5}).assign(b="x"))


@pytest.mark.filterwarnings("default::UserWarning")
def test_the_model_for_tables_takes_words() -> None:
    frame = mixed()
    model = L2C.from_pretrained("tables")
    group = np.arange(60) % 2
    encoded = np.c_[1 - group, group, group]
    np.testing.assert_array_equal(model.predict(frame[["colour", "used"]]), model.predict(encoded))


@pytest.mark.filterwarnings("default::UserWarning")
def test_a_frame_after_an_array_and_back() -> None:
    model = DDC(n_clusters=2, n_restarts=1, max_steps=2, random_state=0, over_clustering=True)
    assert model.fit(mixed()).n_features_in_ == 4
    X = RNG.normal(size=(30, 5))
    assert model.fit(X).n_features_in_ == 5
    assert model.table_steps_ is None
    assert not hasattr(model, "feature_names_in_")
    assert model.predict(X).shape == (30,)
