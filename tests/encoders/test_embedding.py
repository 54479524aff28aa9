"""Items become vectors once, whatever interrupts the work, and what cannot be read is named."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.encoders.toys import (
    FISHES,
    FRUITS,
    LoggedTexts,
    ToyPictures,
    ToySounds,
    ToyTexts,
    write_pictures,
    write_sounds,
)
from tests.engine.pools import MakePool
from tests.waiting import wait_until

from coterie import InputError
from coterie.data.items import Items
from coterie.data.readers import read_items
from coterie.encoders import embedding
from coterie.encoders.embedding import embed_items
from coterie.encoders.store import Store

pytestmark = pytest.mark.usefixtures("toys")
TEXTS = [*FRUITS, *FISHES]


def texts(values: Sequence[str]) -> Items:
    return Items(list(values), "text")


def test_vectors_in_the_order_of_the_items() -> None:
    samples = embed_items(texts(TEXTS), ToyTexts())
    assert samples.X.dtype == np.float32
    np.testing.assert_array_equal(samples.X, ToyTexts().embed(TEXTS))
    assert samples.modality == "text"
    assert samples.how["encoder"] == {
        **{"name": "toy-texts", "modality": "text", "licence": "MIT", "source": "counts letters"},
        **{"fingerprint": "toy1", "width": 8},
    }


def test_each_content_is_embedded_once_and_only_new_ones_later(tmp_path: Path) -> None:
    first = embed_items(texts([*FRUITS, *FRUITS]), ToyTexts(), folder=tmp_path)
    assert sorted(ToyTexts.embedded) == sorted(FRUITS)
    ToyTexts.embedded.clear()
    second = embed_items(texts([*FISHES, *FRUITS]), ToyTexts(), folder=tmp_path)
    assert sorted(ToyTexts.embedded) == sorted(FISHES)
    np.testing.assert_array_equal(np.asarray(second.X)[20:], np.asarray(first.X)[:20])


def test_another_fingerprint_has_vectors_of_its_own(tmp_path: Path) -> None:
    embed_items(texts(FRUITS), ToyTexts(), folder=tmp_path)
    ToyTexts.embedded.clear()
    embed_items(texts(FRUITS), ToyTexts("2"), folder=tmp_path)
    assert len(ToyTexts.embedded) == len(FRUITS)


def test_a_renamed_file_is_known_by_its_content(tmp_path: Path) -> None:
    for number, text in enumerate(FRUITS[:4]):
        (tmp_path / "texts").mkdir(exist_ok=True)
        (tmp_path / "texts" / f"{number}.txt").write_text(text)
    items = read_items(tmp_path / "texts")
    assert items is not None
    embed_items(items, ToyTexts(), folder=tmp_path / "kept")
    ToyTexts.embedded.clear()
    (tmp_path / "texts" / "0.txt").rename(tmp_path / "texts" / "9.txt")
    renamed = read_items(tmp_path / "texts")
    assert renamed is not None
    samples = embed_items(renamed, ToyTexts(), folder=tmp_path / "kept")
    assert not ToyTexts.embedded
    np.testing.assert_array_equal(np.asarray(samples.X)[-1], ToyTexts().embed([FRUITS[0]])[0])


def test_what_was_done_before_a_stop_is_not_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding, "TEXT_BATCH", 4)

    class Stopped(ToyTexts):
        def embed(self, batch: Sequence[str]) -> Any:
            if len(self.embedded) >= 12:
                raise KeyboardInterrupt
            return super().embed(batch)

    with pytest.raises(KeyboardInterrupt):
        embed_items(texts(TEXTS), Stopped(), folder=tmp_path)
    before = list(ToyTexts.embedded)
    assert len(before) == 12
    samples = embed_items(texts(TEXTS), ToyTexts(), folder=tmp_path)
    assert sorted(ToyTexts.embedded) == sorted(TEXTS)  # each once in all
    np.testing.assert_array_equal(samples.X, ToyTexts().embed(TEXTS))


_KILLED = """
import sys
from pathlib import Path
from tests.encoders.toys import LoggedTexts
from coterie.data.items import Items
from coterie.encoders import embedding

embedding.TEXT_BATCH = 5
items = Items([f"a text {n}" for n in range(200)], "text")
embedding.embed_items(items, LoggedTexts(sys.argv[1], 0.3), folder=Path(sys.argv[2]), n_jobs=2)
"""


def test_nothing_that_workers_had_done_before_a_kill_is_done_twice(tmp_path: Path) -> None:
    log, kept = tmp_path / "log", tmp_path / "kept"
    log.touch()
    command = [sys.executable, "-c", _KILLED, str(log), str(kept)]
    with subprocess.Popen(command, start_new_session=True) as process:
        wait_until(lambda: log.read_text().count("\n") >= 40, "eight batches are done")
        os.killpg(process.pid, signal.SIGKILL)
    before = log.read_text().split("\n")[:-1]
    embed_items(texts([f"a text {n}" for n in range(200)]), LoggedTexts(str(log)), folder=kept)
    done = log.read_text().split("\n")[:-1]
    assert len(set(done)) == 200
    # but for a batch of each worker that was under way to where it is written
    assert len(done) - 200 <= 10 < len(before) < 200


def test_a_damaged_shard_is_embedded_again(tmp_path: Path) -> None:
    embed_items(texts(FRUITS), ToyTexts(), folder=tmp_path)
    (shard,) = tmp_path.rglob("*.npy")
    shard.write_bytes(shard.read_bytes()[:-9])
    ToyTexts.embedded.clear()
    samples = embed_items(texts(FRUITS), ToyTexts(), folder=tmp_path)
    assert len(ToyTexts.embedded) == len(FRUITS)
    np.testing.assert_array_equal(samples.X, ToyTexts().embed(FRUITS))


def test_workers_give_the_same(lasting_pool: MakePool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding, "TEXT_BATCH", 8)
    monkeypatch.setattr(embedding, "Pool", lasting_pool)
    samples = embed_items(texts(TEXTS), ToyTexts(), n_jobs=2)
    assert not ToyTexts.embedded  # all in other processes
    np.testing.assert_array_equal(samples.X, ToyTexts().embed(TEXTS))


def test_progress_says_what_is_left(capsys: pytest.CaptureFixture[str]) -> None:
    embed_items(texts(FRUITS), ToyTexts(), shown=True)
    assert "toy-texts: 20/20" in capsys.readouterr().err


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(), min_size=1, max_size=12))
def test_empty_texts_are_named_and_no_others(values: list[str]) -> None:
    empty = [row for row, text in enumerate(values) if not text.strip()]
    if not empty:
        assert len(embed_items(texts(values), _Plain()).X) == len(values)
        return
    with pytest.raises(InputError, match="the text is empty") as raised:
        embed_items(texts(values), _Plain())
    assert f"{len(empty)} of {len(values)} texts cannot be read: row {empty[0]}" in str(raised.value)


class _Plain(ToyTexts):
    language = ""


def test_broken_files_are_named_and_the_rest_is_kept(tmp_path: Path) -> None:
    write_pictures(tmp_path / "in", 4)
    (tmp_path / "in" / "001.png").write_bytes(b"no picture")
    good = tmp_path / "in" / "002.png"
    good.write_bytes(good.read_bytes()[:200])
    items = read_items(tmp_path / "in")
    assert items is not None
    with pytest.raises(
        InputError, match=r"2 of 4 images cannot be read: 001\.png \(it is not an image\), 002\.png"
    ):
        embed_items(items, ToyPictures(), folder=tmp_path / "kept")
    assert len(Store(tmp_path / "kept", "toypictures", 12)) == 2
    with pytest.warns(UserWarning, match="left out"):
        samples = embed_items(items, ToyPictures(), folder=tmp_path / "kept", skip_broken=True)
    assert samples.ids == ("000.png", "003.png")
    assert samples.left_out == ("001.png", "002.png")
    assert samples.items is not None
    assert len(samples.items) == 2


def test_what_the_encoder_refuses_is_named_alone() -> None:
    with pytest.raises(InputError, match=r"1 of 3 texts cannot be read: row 1 \(it is refused\)"):
        embed_items(texts(["a cab", "refuse", "a bag"]), ToyTexts())


def test_a_file_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.png .*No such file"):
        embed_items(Items([tmp_path / "a.png"], "image", ("a.png",)), ToyPictures())


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.txt")
    with pytest.raises(InputError, match="must be a regular file"):
        embed_items(Items([tmp_path / "a.txt"], "text", ("a.txt",)), ToyTexts())


def test_another_modality() -> None:
    with pytest.raises(InputError, match="encoder='toy-pictures' takes images, but X holds texts"):
        embed_items(texts(FRUITS), ToyPictures())


def test_another_language_is_said_once() -> None:
    foreign = [f"дешёвая нефть {n}" for n in range(5)]
    expected = "5 texts do not seem to be in English, the only language that toy-texts knows"
    with pytest.warns(UserWarning, match=expected) as said:
        embed_items(texts([*FRUITS, *foreign]), ToyTexts())
    assert len(said) == 1


def test_sounds(tmp_path: Path) -> None:
    write_sounds(tmp_path, 4)
    items = read_items(tmp_path)
    assert items is not None
    found = np.asarray(embed_items(items, ToySounds()).X)
    np.testing.assert_allclose(found[:, 0], 1.0)
    np.testing.assert_allclose(found[:, 1], 0.3 * 2 / np.pi, rtol=0.05)


def test_pictures_of_any_mode_and_turned_ones(tmp_path: Path) -> None:
    from PIL import Image

    red = Image.new("RGB", (40, 20), (255, 0, 0))
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held sideways
    red.save(tmp_path / "a.jpg", exif=exif)
    Image.new("RGBA", (20, 20), (0, 0, 0, 0)).save(tmp_path / "b.png")
    Image.new("I;16", (20, 20), 65535).save(tmp_path / "c.png")
    Image.new("L", (20, 20), 128).save(tmp_path / "d.png")
    items = read_items(tmp_path)
    assert items is not None
    shapes: list[tuple[int, int]] = []

    class Shapes(ToyPictures):
        def embed(self, batch: Sequence[Any]) -> Any:
            shapes.extend(one.size for one in batch)
            assert all(one.mode == "RGB" for one in batch)
            return super().embed(batch)

    found = np.asarray(embed_items(items, Shapes()).X)
    assert shapes[0] == (20, 40)
    np.testing.assert_allclose(found.mean(axis=1), np.array([1 / 3, 1, 1, 128 / 255]), atol=0.02)
