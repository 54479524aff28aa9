"""The file format: what is written comes back, and nothing else is taken for it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from coterie import DamagedFileError
from coterie.engine.storage import read_tensors, write_tensors

TENSORS = {
    "plain": torch.arange(6.0).reshape(2, 3),
    "channels last": torch.randn(2, 3, 4, 5).contiguous(memory_format=torch.channels_last),
    "transposed": torch.arange(6.0).reshape(2, 3).T,
    "scalar": torch.tensor(3.5, dtype=torch.float64),
    "bool": torch.tensor([True, False, True]),
    "int": torch.tensor([2**62, -1]),
    "bfloat16": torch.tensor([1.5, -2.0], dtype=torch.bfloat16),
    "empty": torch.zeros(0, 3),
    "view": torch.arange(10.0)[::3],
}
META = {"text": "ä", "number": 0.1, "infinite": float("inf"), "none": None, "list": [{"a": 1}]}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "some.file"
    write_tensors(path, "model", TENSORS, META)
    return path


def same(first: Tensor, second: Tensor) -> bool:
    return first.dtype == second.dtype and torch.equal(first, second)


def test_round_trip(file: Path) -> None:
    tensors, meta = read_tensors(file, "model")
    assert tensors.keys() == TENSORS.keys()
    assert all(same(tensors[name], value) for name, value in TENSORS.items())
    assert meta == META


def test_tensors_that_share_memory_are_kept_apart(tmp_path: Path) -> None:
    shared = torch.arange(4.0)
    write_tensors(tmp_path / "f", "model", {"a": shared, "b": shared[1:]}, {})
    tensors, _ = read_tensors(tmp_path / "f", "model")
    assert tensors["b"].tolist() == [1, 2, 3]


def test_no_tensors_at_all(tmp_path: Path) -> None:
    write_tensors(tmp_path / "f", "model", {}, {"a": 1})
    assert read_tensors(tmp_path / "f", "model") == ({}, {"a": 1})


def test_a_truncated_file_is_named(file: Path) -> None:
    content = file.read_bytes()
    for size in [0, 1, 7, 8, 9, 50, len(content) // 2, len(content) - 1]:
        file.write_bytes(content[:size])
        with pytest.raises(DamagedFileError, match=str(file)):
            read_tensors(file, "model")


def test_any_flipped_byte_is_found(tmp_path: Path) -> None:
    file = tmp_path / "flipped"
    write_tensors(file, "model", {"w": torch.arange(3.0), "b": torch.ones(1)}, {"n": 1})
    content = file.read_bytes()
    padding = content[: content.index(b"}", content.rindex(b"sha256")) + 60].count(b" ")
    missed = []
    for place in range(len(content)):
        flipped = bytearray(content)
        flipped[place] ^= 0b1000001
        file.write_bytes(bytes(flipped))
        try:
            tensors, meta = read_tensors(file, "model")
        except DamagedFileError as error:
            assert str(file) in str(error)  # noqa: PT017 - most of many bytes raise
        else:
            missed.append(place)
            assert meta == {"n": 1}
            assert tensors["w"].tolist() == [0, 1, 2]
    assert len(missed) <= padding


def test_foreign_files(tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.safetensors"
    save_file({"w": torch.zeros(2)}, foreign)
    text = tmp_path / "text"
    text.write_text("not a model" * 100)
    for path in (foreign, text, tmp_path, tmp_path / "missing"):
        with pytest.raises(DamagedFileError, match=str(path)):
            read_tensors(path, "model")


def test_another_kind_is_refused(file: Path) -> None:
    with pytest.raises(DamagedFileError, match="must hold a checkpoint, got a model"):
        read_tensors(file, "checkpoint")


def test_a_failed_write_leaves_the_old_file(file: Path) -> None:
    before = file.read_bytes()
    with pytest.raises(TypeError):
        write_tensors(file, "model", TENSORS, {"not JSON": object()})
    assert file.read_bytes() == before
    assert [path.name for path in file.parent.iterdir()] == [file.name]
