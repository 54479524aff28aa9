"""The photos that `coterie demo --photos` writes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from coterie.cli.demo_photos import SIDES

Call = Callable[..., tuple[int, str, str]]


def test_pieces_of_two_photos(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coterie.cli.demo_photos.N_PHOTOS", 6)
    place, again = tmp_path / "photos", tmp_path / "again"
    code, out, _ = call("demo", "--photos", str(place))
    assert code == 0
    assert "CC BY 2.0" in out
    assert call("demo", "--photos", str(again))[0] == 0
    names = [f"{photo}-{number:03}.jpg" for photo in ("china", "flower") for number in range(3)]
    assert sorted(path.name for path in place.iterdir()) == names
    sizes = set()
    for name in names:
        assert (place / name).read_bytes() == (again / name).read_bytes()
        with Image.open(place / name) as image:
            width, height = image.size
            assert width == height
            assert SIDES[0] <= width < SIDES[1]
            sizes.add(width)
    assert len(sizes) > 1


def test_a_folder_that_is_there(call: Call, tmp_path: Path) -> None:
    code, out, err = call("demo", "--photos", str(tmp_path))
    assert (code, out) == (2, "")
    assert "--photos:" in err
    assert "choose a new folder" in err
