"""Folders of images: every mode and size, turned, broken, absurd."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image

from coterie._errors import InputError
from coterie.data import ReadOptions, read_samples

GREY = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20


def save(folder: Path, name: str, values: Any, mode: str | None = None, **options: Any) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(values)
    (image if mode is None else image.convert(mode)).save(folder / name, **options)


def test_grey_images_in_the_order_of_their_paths(tmp_path: Path) -> None:
    for number, name in enumerate(["b.png", "a/z.PNG", "a/b.bmp", ".hidden.png"]):
        save(tmp_path, name, GREY + np.uint8(number), format="PNG")
    samples = read_samples(tmp_path)
    assert samples.ids == ("a/b.bmp", "a/z.PNG", "b.png")
    assert isinstance(samples.X, np.ndarray)
    assert samples.X.dtype == np.uint8
    np.testing.assert_array_equal(samples.X, [GREY + 2, GREY + 1, GREY])
    assert samples.how == {"size": [3, 4], "colour": False, "depth": 8}


def test_one_colour_image_makes_all_colour(tmp_path: Path) -> None:
    save(tmp_path, "grey.png", GREY)
    save(tmp_path, "red.png", np.stack([GREY, 0 * GREY, 0 * GREY], axis=2))
    samples: Any = read_samples(tmp_path).X
    assert samples.shape == (2, 3, 3, 4)
    np.testing.assert_array_equal(samples[0], [GREY] * 3)
    np.testing.assert_array_equal(samples[1], [GREY, 0 * GREY, 0 * GREY])


@pytest.mark.parametrize(
    ("mode", "suffix"), [("1", "png"), ("P", "gif"), ("CMYK", "tiff"), ("YCbCr", "jpg"), ("LAB", "tiff")]
)
def test_modes(tmp_path: Path, mode: str, suffix: str) -> None:
    flat = np.full((3, 4, 3), 255, dtype=np.uint8)
    image = Image.fromarray(flat)
    if mode == "LAB":
        image = Image.merge("LAB", [Image.new("L", (4, 3), value) for value in (255, 128, 128)])
    image.convert(mode).save(tmp_path / f"x.{suffix}")
    samples: Any = read_samples(tmp_path).X
    assert samples.dtype == np.uint8
    assert samples.min() >= 253


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_transparent_is_white(tmp_path: Path, mode: str) -> None:
    values = np.zeros((2, 2, 4), dtype=np.uint8)
    values[0, 0] = (0, 0, 0, 255)
    suffix = "tiff" if mode == "PA" else "png"
    image = Image.fromarray(values)
    image = image.convert("LA") if mode == "LA" else image
    image.save(tmp_path / f"x.{suffix}")
    samples: Any = read_samples(tmp_path).X
    assert samples.reshape(-1, 4)[0].tolist() == [0, 255, 255, 255]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([[0, 65535, 257]], dtype=np.uint16), [0, 255, 1]),
        (np.array([[0, 65535, 300]], dtype=np.uint16), [0, 255, 300 / 257]),
        (np.array([[0, 65535, 514]], dtype=np.int32), [0, 255, 2]),
        (np.array([[0, 1, 0.2]], dtype=np.float32), [0, 1, 0.2]),
        (np.array([[-3, 255, 12]], dtype=np.float32), [-3, 255, 12]),
    ],
)
def test_wide_grey_values(tmp_path: Path, values: Any, expected: list[int]) -> None:
    save(tmp_path, "x.tiff", values)
    samples: Any = read_samples(tmp_path).X
    assert samples.dtype == np.float32
    np.testing.assert_allclose(samples, [[expected]], rtol=1e-6)


def test_a_folder_has_one_range(tmp_path: Path) -> None:
    """What is as bright is as bright in each image, whatever else the image holds."""
    for name, largest in (("a.tiff", 0.99), ("b.tiff", 1.01)):
        save(tmp_path / "old", name, np.array([[0, 0.5, largest]], dtype=np.float32))
    save(tmp_path / "new", "c.tiff", np.array([[0, 0.5, 40]], dtype=np.float32))
    old = read_samples(tmp_path / "old")
    new: Any = read_samples(tmp_path / "new", ReadOptions(like=old.reading)).X
    found: Any = np.concatenate([np.asarray(old.X), new])
    assert found[:, 0, 1].tolist() == [0.5, 0.5, 0.5]
    np.testing.assert_allclose(found[:, 0, 2], [0.99, 1.01, 40])


def test_16_and_8_bits_share_a_range(tmp_path: Path) -> None:
    save(tmp_path / "old", "wide.png", np.array([[0, 65535, 300]], dtype=np.uint16))
    save(tmp_path / "old", "bytes.png", np.array([[0, 255, 7]], dtype=np.uint8))
    save(tmp_path / "new", "bytes.png", np.array([[0, 255, 9]], dtype=np.uint8))
    save(tmp_path / "bytes", "bytes.png", np.array([[0, 255, 9]], dtype=np.uint8))
    old = read_samples(tmp_path / "old")
    expected: Any = [[0, 255, 7], [0, 255, 300 / 257]]
    np.testing.assert_allclose(np.asarray(old.X)[:, 0], expected, rtol=1e-6)
    new: Any = read_samples(tmp_path / "new", ReadOptions(like=old.reading)).X
    assert (new.dtype, new.tolist()) == (np.float32, [[[0, 255, 9]]])
    of_bytes = read_samples(tmp_path / "bytes").reading
    wide: Any = read_samples(tmp_path / "old", ReadOptions(like=of_bytes)).X
    assert (wide.dtype, wide[:, 0].tolist()) == (np.uint8, [[0, 255, 7], [0, 255, 1]])


def test_floats_beside_others_are_refused(tmp_path: Path) -> None:
    save(tmp_path, "a.png", np.array([[0, 255]], dtype=np.uint8))
    of_bytes = read_samples(tmp_path).reading
    save(tmp_path, "b.tiff", np.array([[0, 1]], dtype=np.float32))
    with pytest.raises(
        InputError, match=r"a\.png has whole numbers and others, or the fit, have floats.*; convert"
    ):
        read_samples(tmp_path)
    with pytest.raises(InputError, match=r"b\.tiff has floats.* and others, or the fit, have whole numbers"):
        read_samples(tmp_path, ReadOptions(like=of_bytes))


@pytest.mark.parametrize("suffix", ["jfif", "jpe"])
def test_other_names_of_jpeg(tmp_path: Path, suffix: str) -> None:
    Image.new("L", (8, 8)).save(tmp_path / f"a.{suffix}", "JPEG")
    assert read_samples(tmp_path).ids == (f"a.{suffix}",)


@pytest.mark.parametrize("suffix", ["png", "wav"])
def test_pipes_and_sockets_are_never_opened(tmp_path: Path, suffix: str) -> None:
    good = tmp_path / f"a.{suffix}"
    if suffix == "png":
        Image.new("L", (8, 8)).save(good)
    else:
        soundfile.write(good, np.zeros(4000), 8000)
    os.mkfifo(tmp_path / f"pipe.{suffix}")
    with pytest.raises(InputError, match=rf"pipe\.{suffix} \(it must be a regular file, got a pipe"):
        read_samples(tmp_path)
    with pytest.warns(UserWarning, match="regular file"):
        assert read_samples(tmp_path, ReadOptions(skip_broken=True)).ids == (good.name,)


@pytest.mark.parametrize("name", ["x.csv", "x.npy", "x.jsonl"])
def test_a_pipe_as_data_is_refused(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(InputError, match=f"{name} cannot be read: it must be a regular file, got a pipe"):
        read_samples(tmp_path / name)


def test_names_that_are_no_text(tmp_path: Path) -> None:
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    os.rename(tmp_path / "a.png", os.fsencode(tmp_path) + b"/\xff.png")
    Image.new("L", (8, 8)).save(tmp_path / "b.png")
    with pytest.raises(InputError, match=r"\\udcff\.png \(its name must be UTF-8; rename it\)"):
        read_samples(tmp_path)
    with pytest.warns(UserWarning, match="they are ignored"):
        assert read_samples(tmp_path, ReadOptions(skip_broken=True)).ids == ("b.png",)


def test_exif_turns(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    save(tmp_path, "turned.png", GREY, exif=exif)
    save(tmp_path, "upright.png", np.rot90(GREY, -1).copy())
    samples: Any = read_samples(tmp_path).X
    assert samples.shape == (2, 4, 3)
    np.testing.assert_array_equal(samples[0], samples[1])


def test_several_sizes_are_resized_with_a_word_or_refused(tmp_path: Path) -> None:
    for number, side in enumerate((100, 100, 200)):
        save(tmp_path, f"{number}.png", np.zeros((side, 2 * side), dtype=np.uint8))
    with pytest.warns(UserWarning, match=r"3 of 3 images were resized to 32x64 \(height x width\)"):
        assert read_samples(tmp_path).X.shape == (3, 32, 64)
    with pytest.raises(
        InputError, match="all images must have the size 32x64 with --strict, but 3 of 3 differ"
    ):
        read_samples(tmp_path, ReadOptions(strict=True))
    asked = read_samples(tmp_path, ReadOptions(strict=True, image_size=(5, 6)))
    assert asked.X.shape == (3, 5, 6)


def test_new_images_take_the_form_of_the_old(tmp_path: Path) -> None:
    save(tmp_path / "old", "a.png", GREY)
    save(tmp_path / "new", "a.png", np.dstack([GREY[:2, :2]] * 3))
    old = read_samples(tmp_path / "old")
    new = read_samples(tmp_path / "new", ReadOptions(like=old.reading))
    assert new.X.shape == old.X.shape


def test_broken_files_are_named_and_skipped_only_when_asked(tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "c.jpg"):
        save(tmp_path, name, np.random.default_rng(0).integers(0, 255, (40, 40), dtype=np.uint8))
    (tmp_path / "b.png").write_bytes((tmp_path / "b.png").read_bytes()[:-300])
    (tmp_path / "d.png").write_text("no image")
    (tmp_path / "e.gif").write_bytes(b"")
    with pytest.raises(
        InputError, match=r"3 of 5 files cannot be read: b.png \(.*trunc.*d.png \(it is not an image\), e.gif"
    ):
        read_samples(tmp_path)
    with pytest.warns(UserWarning, match=r"3 of 5 files cannot be read: b.png .*; they are ignored"):
        samples = read_samples(tmp_path, ReadOptions(skip_broken=True))
    assert samples.ids == ("a.png", "c.jpg")
    assert len(samples.X) == 2


def test_decompression_bombs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path, "bomb.png", np.zeros((50, 50), dtype=np.uint8))
    for limit in (2000, 1000):  # over the limit pillow warns, over twice the limit it raises
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        with pytest.raises(InputError, match=r"bomb.png \(it has more pixels than an image should have\)"):
            read_samples(tmp_path)


def test_folders_that_hold_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(
        InputError,
        match="a folder of images or of sounds or of texts, but it holds 0 files, none of which can be",
    ):
        read_samples(tmp_path)
    save(tmp_path, "a.png", GREY)
    (tmp_path / "a.wav").write_bytes(b"")
    with pytest.raises(
        InputError,
        match="a folder of images or of sounds or of texts, but it holds 1 images and 1 sounds",
    ):
        read_samples(tmp_path)
    (tmp_path / "a.wav").rename(tmp_path / "a.txt")
    with pytest.warns(UserWarning, match="1 files of other kinds are ignored"):
        assert read_samples(tmp_path).ids == ("a.png",)


def test_reading_leaves_the_caller_s_warning_filters_alone(tmp_path: Path) -> None:
    save(tmp_path, "a.png", GREY)
    before = list(warnings.filters)
    read_samples(tmp_path)
    assert warnings.filters == before
