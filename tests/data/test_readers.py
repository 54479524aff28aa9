"""Files: what is read, what is refused, and that writing is whole or not at all."""

from __future__ import annotations

import gzip
import os
import stat
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from coterie._errors import InputError
from coterie.data import atomic_write, read_labels, read_samples

X = np.arange(12, dtype=np.float32).reshape(4, 3)


def idx_bytes(array: Any, code: int, dtype: str) -> bytes:
    values = np.asarray(array, dtype=dtype)
    return (
        bytes([0, 0, code, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape) + values.tobytes()
    )


# ------------------------------------------------------------------ arrays


def test_npy_is_mapped_not_loaded(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", X)
    found = read_samples(tmp_path / "x.npy").X
    assert isinstance(found, np.memmap)
    assert not found.flags.writeable
    np.testing.assert_array_equal(found, X)


@pytest.mark.parametrize("names", [["anything"], ["X", "y"], ["other", "data"], ["y", "x"]])
def test_npz_takes_the_one_array_or_the_named_one(tmp_path: Path, names: list[str]) -> None:
    held: dict[str, Any] = {name: np.zeros(2) for name in names}
    wanted = next((name for name in ("X", "x", "data") if name in names), names[0])
    np.savez_compressed(tmp_path / "x.npz", **(held | {wanted: X}))
    np.testing.assert_array_equal(read_samples(str(tmp_path / "x.npz")).X, X)


@pytest.mark.filterwarnings("default:.*is taken as a sample")
@pytest.mark.parametrize("header", ["", "a,b,c\n"])
def test_csv_with_and_without_a_header(tmp_path: Path, header: str) -> None:
    file = tmp_path / "x.CSV"
    file.write_text(header + "0,1,2\n\n3, 4,5e0\n", encoding="utf-8-sig")
    found = read_samples(file).X
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, [[0, 1, 2], [3, 4, 5]])


@pytest.mark.parametrize(
    ("code", "dtype"),
    [(0x08, ">u1"), (0x09, ">i1"), (0x0B, ">i2"), (0x0C, ">i4"), (0x0D, ">f4"), (0x0E, ">f8")],
)
@pytest.mark.parametrize(
    "name", ["train-images-idx3-ubyte", "t.idx3-ubyte", "a.idx", "b-idx3-ubyte.gz", "c.idx.gz"]
)
def test_idx_of_every_type(tmp_path: Path, name: str, code: int, dtype: str) -> None:
    content = idx_bytes(X.reshape(2, 2, 3), code, dtype)
    (tmp_path / name).write_bytes(gzip.compress(content, mtime=0) if name.endswith(".gz") else content)
    found = read_samples(tmp_path / name).X
    assert found.dtype == np.dtype(dtype).newbyteorder("=")
    assert found.dtype.isnative
    np.testing.assert_array_equal(found, X.reshape(2, 2, 3))


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("x.dat", b"1,2", r"must have one of the extensions \.csv, \.tsv, .* \.npy, \.npz, \.idx"),
        ("x.csv.gz", b"1,2\n", r"cannot be unpacked \(damaged, or no gzip\)"),
        ("x.npy", b"", r"cannot be read as \.npy"),
        ("x.npy", b"not an array at all", r"cannot be read as \.npy \(damaged"),
        ("x.npz", b"not an archive", r"cannot be read as \.npz \(damaged"),
        ("x.csv", b"", "is empty; it must hold rows of values"),
        ("x.csv", b"a,b\n", r"must hold at least one sample, got shape \(0, 2\)"),
        ("x.csv", b"a,b\n1,2\n3\n", "line 3 must have 2 entries, as the first line, got 1"),
        ("x.csv", b"1,2\n\n3,4,5\n", "line 3 must have 2 entries, as the first line, got 3"),
        ("x.csv", b"1,two\n3,4\n", "line 1, column '2': must be a number, as most .*, got 'two'"),
        ("x.csv", b"1,2\0\n", "must be a file of text"),
        ("x.idx", b"", "is not in idx format"),
        ("x.idx", b"\0\1\x08\1", "is not in idx format"),
        ("x.idx", b"\0\0\x0a\1\0\0\0\1\0", "is not in idx format"),
        ("x.idx", b"\0\0\x08\3\0\0\0\1", "is truncated: it ends within its header"),
        (
            "x.idx",
            idx_bytes(X, 0x0D, ">f4")[:-1],
            r"is truncated: shape \(4, 3\) of float32 needs 60 bytes.*59",
        ),
        ("x.idx", idx_bytes(X, 0x0D, ">f4") + b"\0", r"is too long: shape \(4, 3\) .* it has 61"),
        (
            "x.idx",
            idx_bytes(np.zeros((0, 3)), 0x08, ">u1"),
            r"must hold at least one sample, got shape \(0, 3\)",
        ),
        ("x.idx.gz", b"\0\0\x08\1", "cannot be unpacked"),
        ("x.idx.gz", gzip.compress(idx_bytes(X, 0x08, ">u1"), mtime=0)[:-9], "cannot be unpacked"),
    ],
)
def test_damaged_arrays_are_refused_by_name(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    with pytest.raises(InputError, match=f"{name}.*{words}"):
        read_samples(file)


def test_truncated_numpy_files(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", X)
    np.savez(tmp_path / "x.npz", X=X)
    for name in ("x.npy", "x.npz"):
        content = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(content[:-30])
        with pytest.raises(InputError, match=f"{name} cannot be read"):
            read_samples(tmp_path / name)


def test_an_npz_with_a_damaged_member(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", X=X)
    content = bytearray((tmp_path / "x.npz").read_bytes())
    content[content.index(X.tobytes())] ^= 255
    (tmp_path / "x.npz").write_bytes(bytes(content))
    with pytest.raises(InputError, match=r"x\.npz cannot be read"):
        read_samples(tmp_path / "x.npz")


@pytest.mark.parametrize("name", ["x.npy", "x.npz"])
def test_objects_are_never_unpickled(tmp_path: Path, name: str) -> None:
    objects = np.array([{"a": 1}, None], dtype=object)
    if name == "x.npy":
        np.save(tmp_path / name, objects)
    else:
        np.savez(tmp_path / name, objects)
    with pytest.raises(InputError, match=f"{name} cannot be read .*an array of objects"):
        read_samples(tmp_path / name)


def test_npz_names_what_it_holds(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", a=X, b=X)
    with pytest.raises(InputError, match="must hold one array, or one called X or x or data; it holds a, b"):
        read_samples(tmp_path / "x.npz")
    with pytest.raises(InputError, match="one called y or labels or label; it holds a, b"):
        read_labels(tmp_path / "x.npz")
    np.savez(tmp_path / "x.npz")
    with pytest.raises(InputError, match="it holds none"):
        read_samples(tmp_path / "x.npz")


@pytest.mark.parametrize("array", [np.array(["a", "b"]), np.array([1j]), np.zeros(2, dtype="datetime64[s]")])
def test_arrays_must_hold_numbers(tmp_path: Path, array: Any) -> None:
    np.savez(tmp_path / "x.npz", array)
    with pytest.raises(InputError, match=r"x\.npz must hold numbers, got dtype"):
        read_samples(tmp_path / "x.npz")


@pytest.mark.parametrize("array", [np.float64(3.0), np.zeros((0, 2))])
def test_arrays_must_hold_samples(tmp_path: Path, array: Any) -> None:
    np.savez(tmp_path / "x.npz", array)
    with pytest.raises(InputError, match=r"x\.npz must hold at least one sample, got shape"):
        read_samples(tmp_path / "x.npz")


@pytest.mark.parametrize("read", [read_samples, read_labels])
def test_files_that_cannot_be_opened(tmp_path: Path, read: Any) -> None:
    with pytest.raises(InputError, match=r"x.npy cannot be read: No such file or directory"):
        read(tmp_path / "x.npy")


def test_a_folder_is_no_file_of_labels(tmp_path: Path) -> None:
    (tmp_path / "folder.npy").mkdir()
    with pytest.raises(InputError, match=r"folder.npy must be a file, got a directory"):
        read_labels(tmp_path / "folder.npy")


# ------------------------------------------------------------------ labels


@pytest.mark.parametrize(
    ("text", "expected", "kind"),
    [
        ("0\n1\n-1\n", [0, 1, -1], "i"),
        ("label\n0\n1\n", [0, 1], "i"),
        ("digit\n0\n\n1\n", [0, None, 1], "O"),
        ("cat\ndog\n", ["cat", "dog"], "U"),
        ("Label\ncat\ndog\n", ["cat", "dog"], "U"),
        ('cat\n""\n\n-1\n', ["cat", None, None, -1], "O"),
        ("0.5\n1\n", [0.5, 1.0], "f"),
        ("0.5\n\n", [0.5, None], "O"),
        ("id,label,probability\n0,3,0.5\n1,4,0.25\n", [3, 4], "i"),
        ("id,LABEL\n0,\n1,b\n\n", [None, "b"], "O"),
        ("label\n010\n10\n", ["010", "10"], "U"),
        ("label\n010\n10\n-1\n", ["010", "10", -1], "O"),
        ("label\n1E5\n100000\n", ["1E5", "100000"], "U"),
        ("label\n1\n1.0\n", ["1", "1.0"], "U"),
        ("label\n0.1\n0.10000000000000000001\n", ["0.1", "0.10000000000000000001"], "U"),
        (
            "label\n9223372036854775808\n9223372036854775809\n",
            ["9223372036854775808", "9223372036854775809"],
            "U",
        ),
        ("label\n-1\n-1.0\n2\n", [-1.0, -1.0, 2.0], "f"),
    ],
)
def test_csv_labels(tmp_path: Path, text: str, expected: list[Any], kind: str) -> None:
    (tmp_path / "y.csv").write_text(text)
    found = read_labels(tmp_path / "y.csv")
    assert found.dtype.kind == kind
    assert found.tolist() == expected
    assert [type(value) for value in found.tolist()] == [type(value) for value in expected]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "y.csv is empty"),
        ("label\n", "y.csv must hold labels, got none"),
        ("0,1\n2,3\n", "several columns: its first line must call one of them label, got 0, 1"),
        ("id,label\n0\n", "line 2 must have 2 entries, as the header, got 1"),
        ('"a\n', "line 1: unexpected end of data"),
    ],
)
def test_csv_labels_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "y.csv").write_text(text)
    with pytest.raises(InputError, match=words):
        read_labels(tmp_path / "y.csv")


def test_labels_of_the_other_formats(tmp_path: Path) -> None:
    np.save(tmp_path / "y.npy", np.array([[1], [2]]))
    assert read_labels(tmp_path / "y.npy").tolist() == [1, 2]
    np.savez(tmp_path / "both.npz", X=X, y=np.array(["a", "b"]))
    assert read_labels(tmp_path / "both.npz").tolist() == ["a", "b"]
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx_bytes([5, 0, 4], 0x08, ">u1")))
    assert read_labels(tmp_path / "train-labels-idx1-ubyte.gz").tolist() == [5, 0, 4]


def test_labels_must_be_one_per_sample(tmp_path: Path) -> None:
    np.save(tmp_path / "y.npy", X)
    with pytest.raises(
        InputError, match=r"y.npy must hold one label per sample, shape \(n,\), got shape \(4, 3\)"
    ):
        read_labels(tmp_path / "y.npy")


# ------------------------------------------------------------------ writing


def test_writing_replaces_the_file_whole(tmp_path: Path) -> None:
    file = tmp_path / "x.npy"
    file.write_text("before")
    with atomic_write(file) as temporary:
        assert temporary.parent == tmp_path
        np.save(temporary, X)
        assert file.read_text() == "before"
    np.testing.assert_array_equal(np.load(file), X)
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.npy"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_failed_write_leaves_no_trace(tmp_path: Path, error: type[BaseException]) -> None:
    file = tmp_path / "x.txt"
    file.write_text("before")

    def write() -> None:
        with atomic_write(file) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(error):
        write()
    assert file.read_text() == "before"
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.txt"]


def test_a_new_file_has_the_usual_permissions(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    with atomic_write(tmp_path / "x"):
        pass
    modes = {stat.S_IMODE(os.stat(tmp_path / name).st_mode) for name in ("plain", "x")}
    assert len(modes) == 1


def test_a_link_keeps_pointing_to_its_file(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    link = tmp_path / "link.txt"
    link.symlink_to(tmp_path / "target" / "x.txt")
    with atomic_write(link) as temporary:
        temporary.write_text("kept")
    assert link.is_symlink()
    assert (tmp_path / "target" / "x.txt").read_text() == "kept"


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    with (
        pytest.raises(InputError, match=r"path must name a file to write; .* is a directory"),
        atomic_write(tmp_path),
    ):
        pass
    with (
        pytest.raises(InputError, match=r"cannot write .*x: No such file"),
        atomic_write(tmp_path / "no" / "x"),
    ):
        pass


def test_a_killed_writer_s_file_goes_and_a_live_writer_s_stays(tmp_path: Path) -> None:
    file = tmp_path / "x.txt"
    with atomic_write(file) as temporary, atomic_write(file) as other:
        temporary.write_text("first")
        other.write_text("second")
        left = temporary.with_name(temporary.name.replace(temporary.stem[-8:], "12345678"))
        left.write_text("of a killed process")
        assert temporary.exists()
        with atomic_write(tmp_path / "y.txt"):
            assert left.exists()  # of another file
    assert file.read_text() == "first"
    with atomic_write(file):
        assert not left.exists()


def test_writing_where_the_system_has_no_such_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coterie.data.files.fcntl", None)
    with atomic_write(tmp_path / "x.txt") as temporary:
        temporary.write_text("kept")
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.txt"]
