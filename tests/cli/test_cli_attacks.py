"""Kills, closed terminals, full disks and second commands: nothing is lost and nothing is stuck."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.cli.open_client import forked_work
from tests.forked import Python
from tests.waiting import wait_until

from coterie.cli import main
from coterie.cli.open import work
from coterie.engine.checkpoint import FILE_NAME, Checkpointer

Call = Callable[..., tuple[int, str, str]]
WORKER = str(Path(__file__).with_name("worker.py"))
LONG = 100_000


def words(run: str, steps: int, *more: str) -> list[str]:
    sizes = ["--n-clusters", "10", "--n-restarts", "1", "--max-steps", str(steps), "--random-state", "3"]
    return ["fit", "x.npy", "--labels", "y.npy", "--out", run, *sizes, "--over-clustering", "true", *more]


def wait_for(path: Path) -> None:
    wait_until(path.exists, f"{path} appears")


@pytest.fixture
def training(files: Path) -> Iterator[Python]:
    """A fit that trains in the folder t and has written a checkpoint."""
    process = Python([WORKER, *words("t", LONG)])
    wait_for(files / "t" / "checkpoint" / FILE_NAME)
    yield process
    process.kill()
    process.communicate()


def left_behind(folder: Path) -> list[Path]:
    return list(folder.rglob(".coterie-*"))


# ------------------------------------------------------------------ two commands at once


@pytest.mark.parametrize("more", ["--overwrite", "--resume"])
def test_a_fit_under_way_is_left_alone(training: Python, files: Path, call: Call, more: str) -> None:
    code, out, err = call(*words("t", 5, more))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "--out: another process is training in t; wait for it or give another folder" in err
    assert (files / "t" / "checkpoint" / FILE_NAME).exists()
    training.send_signal(signal.SIGTERM)
    _, err = training.communicate()
    assert training.returncode == 130, err
    assert call(*words("t", 5, "--overwrite"))[0] == 0


def test_overwrite_leaves_a_fit_alone_that_the_library_runs(files: Path, call: Call) -> None:
    folder = files / "t" / "checkpoint" / "7-outputs-0"
    holding = "import sys, time, pathlib; from coterie.engine.checkpoint import _lock\n"
    holding += f"with _lock(pathlib.Path({str(folder)!r})): print('held', flush=True); time.sleep(600)"
    process = Python(["-c", holding])
    assert process.first_line() == "held"
    (folder / FILE_NAME).write_text("a checkpoint")
    code, _, err = call(*words("t", 5, "--overwrite"))
    process.kill()
    process.communicate()
    assert (code, "another process is training in" in err) == (2, True)
    assert (folder / FILE_NAME).exists()
    assert call(*words("t", 5, "--overwrite"))[0] == 0
    assert not (folder / FILE_NAME).exists()


# ------------------------------------------------------------------ stops


def test_a_closed_terminal_ends_with_a_checkpoint(files: Path, call: Call) -> None:
    terminal, its_end = os.openpty()
    # a session's first process that opens a terminal has it as its own
    code = f"import os, runpy; terminal = os.open({os.ttyname(its_end)!r}, os.O_RDWR)\n"
    code += "for stream in (0, 1, 2): os.dup2(terminal, stream)\n"
    code += f"runpy.run_path({WORKER!r}, run_name='__main__')"
    process = Python(["-c", code, *words("t", 3000)])
    wait_for(files / "t" / "checkpoint" / FILE_NAME)
    os.close(its_end)
    os.close(terminal)
    process.communicate()
    assert process.returncode == 130
    before = (files / "t" / "checkpoint" / FILE_NAME).stat().st_size
    assert before > 0
    assert not left_behind(files)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM, signal.SIGINT])
def test_a_stop_before_training_is_a_stop(files: Path, number: signal.Signals) -> None:
    code = "import os, sys; from coterie.cli import main, fit\n"
    code += f"fit.read_encoded = lambda *_: os.kill(os.getpid(), {int(number)})\n"
    code += "sys.exit(main(sys.argv[1:]))"
    process = Python(["-c", code, *words("t", 5)])
    _, err = process.communicate()
    assert (process.returncode, err) == (130, f"coterie fit: stopped by {number.name}\n")


def test_a_hangup_that_nohup_ignores_stays_ignored(files: Path) -> None:
    process = Python([WORKER, *words("t", 300)], ignored=[signal.SIGHUP])
    wait_for(files / "t" / "checkpoint" / FILE_NAME)
    process.send_signal(signal.SIGHUP)
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert "wrote t/" in out


def test_resume_begins_where_nothing_was_saved(files: Path, call: Call) -> None:
    for made in (False, True):
        if made:
            shutil.rmtree("t")
            Path("t/checkpoint").mkdir(parents=True)
            Path("t/checkpoint/lock").touch()
        code, out, err = call(*words("t", 5, "--resume"))
        assert code == 0, err
        assert "wrote t/" in out
        said = [line for line in err.splitlines() if line.startswith("coterie")]
        assert said == ["coterie: no checkpoint in t yet; the fit starts from the beginning"]
    code, _, err = call(*words("t", 5, "--resume"))
    assert (code, "no checkpoint" in err) == (0, False)


# ------------------------------------------------------------------ files left, disks full, folders gone


def test_what_a_kill_left_is_removed(files: Path, call: Call) -> None:
    code = "import os, sys; from pathlib import Path; import coterie.data.files as files\n"
    code += "real = os.replace\n"
    code += "def replace(a, b):\n    if Path(b).name == NAME: os.kill(os.getpid(), 9)\n    real(a, b)\n"
    for name in (FILE_NAME, "model", "labels.csv"):
        killing = code.replace("NAME", repr(name))
        killing += "files.os.replace = replace\nfrom coterie.cli import main\nsys.exit(main(sys.argv[1:]))"
        process = Python(["-c", killing, *words("t", 5, "--resume")])
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        assert len(left_behind(files)) == 1
        assert call(*words("t", 5, "--resume"))[0] == 0
        assert left_behind(files) == []


def test_a_folder_that_is_deleted_meanwhile(files: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    write = Checkpointer.write

    def delete_and_write(checkpointer: Checkpointer) -> None:
        shutil.rmtree("t")
        write(checkpointer)

    monkeypatch.setattr(Checkpointer, "write", delete_and_write)
    code, out, err = call(*words("t", 5))
    assert (code, out) == (2, "")
    last = err.splitlines()[-1]
    assert f"cannot write t/checkpoint/{FILE_NAME}: No such file or directory" in last
    assert "make that folder, or give another one; to resume: coterie fit x.npy" in last


def test_a_full_disk_names_the_file_and_the_way_on(
    files: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(words("t", 3)) == 0

    def full(path: Path, content: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    code, _, err = call(*words("t", 5, "--overwrite"))
    last = err.splitlines()[-1]
    assert code == 2
    assert f"cannot write t/checkpoint/{FILE_NAME}: No space left on device" in last
    assert "free space or give another place; what stood there before is unchanged; to resume: " in last
    assert left_behind(files) == []


# ------------------------------------------------------------------ files that lie


def npy(shape: str, descr: str = "'<f8'", order: str = "False", content: bytes = bytes(160)) -> bytes:
    """An .npy file that claims a shape, a type and an order."""
    return npy_of(f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}", content)


def npy_of(said: str, content: bytes = bytes(160), version: bytes = b"\x01\x00") -> bytes:
    header = said.encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY" + version + struct.pack("<H", len(header)) + header + content


def npz(place: int, value: int) -> bytes:
    """An .npz file with two bytes of both headers of its entry changed: 6 are its flags, 8 its method."""
    stream = io.BytesIO()
    np.savez(stream, X=np.ones((20, 4)))
    content = bytearray(stream.getvalue())
    for start in (content.index(b"PK\3\4") + place, content.index(b"PK\1\2") + place + 2):
        content[start : start + 2] = struct.pack("<H", value)
    return bytes(content)


def zipped(content: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("X.npy", content)
    return stream.getvalue()


SHAPES = ["(-5, 4)", "(True, 4)", "(2684354560000, 1)", f"({10**30},)", "(" * 5000, "(5, 4", "'x'", "None"]
LYING = [(f"{number}.npy", npy(shape)) for number, shape in enumerate(SHAPES)]
LYING += [(f"{number}.npz", zipped(npy(shape))) for number, shape in enumerate(SHAPES)]
HEADERS = {
    "objects": npy("(5, 4)", "'|O'"),
    "names-twice": npy("(5,)", "[('a', '<f8'), ('a', '<f8')]"),
    "too-large-type": npy("(5,)", "('<f8', (2147483647,))"),
    "order": npy("(5, 4)", order="'x'"),
    "no-character": npy("(20,)", "'<U2'", content=b"\xff\xff\xff\x7f" * 40),
    "no-character-swapped": npy("(20,)", "'>U2'", content=b"\x7f\xff\xff\xff" * 40),
    "axes": npy("(" + "1, " * 70 + ")"),
    "code": npy_of("{'descr': __import__('os').getcwd(), 'fortran_order': False, 'shape': (5, 4)}"),
    "more-names": npy_of("{'descr': '<f8', 'fortran_order': False, 'shape': (5, 4), 'x': 1}"),
    "long": npy_of("{" + " " * 20_000 + "}"),
    "nothing": b"",
    "half-a-head": b"\x93NUMPY\x01",
    "version": npy_of("{}", version=b"\x04\x00"),
    "longer-than-the-file": b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**32 - 1) + b"{}",
}
LYING += [(f"{name}.npy", content) for name, content in HEADERS.items()]
LYING += [
    (f"{name}.npz", zipped(content)) for name, content in HEADERS.items() if content[:6] == b"\x93NUMPY"
]
LYING += [("encrypted.npz", npz(6, 1))]
LYING += [(f"compression-{kind}.npz", npz(8, kind)) for kind in (12, 14, 99)]


@pytest.mark.parametrize(("name", "content"), LYING, ids=[name for name, _ in LYING])
def test_a_file_that_lies_is_named_in_one_line(files: Path, call: Call, name: str, content: bytes) -> None:
    Path(name).write_bytes(content)
    for command in (["fit", name, "--method", "ddc", "--out", "t"], ["evaluate", name, "--labels", name]):
        code, out, err = call(*command)
        assert (code, out, err.count("\n")) == (2, "", 1), err
        assert f"error: {name} cannot be read as" in err
        assert len(err) < 500


DAMAGED: list[dict[str, Any]] = [
    {"threshold": "x"},
    {"threshold": True},
    {"threshold": [0]},
    {"reading": [1]},
    {"reading": "x"},
    {"reading": {"columns": [1]}},
    {"reading": {"columns": "ab"}},
    {"reading": {"modality": ["vectors"]}},
    {"data": 3},
    {"reading_options": {"skip_broken": "yes"}},
    {"reading": {"table_steps": "x"}},
]


def test_a_damaged_run_json_is_named_in_one_line(
    files: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "start", forked_work)
    assert call(*words("t", 2))[0] == 0
    path = Path("t/run.json")
    good = json.loads(path.read_text())
    texts = [json.dumps(good | changed) for changed in DAMAGED] + ["[" * 100_000, "[]", "3", "{"]
    for text in texts:
        path.write_text(text)
        for command in (["predict", "t", "x.npy"], ["report", "t"], ["label", "t"]):
            code, out, err = call(*command)
            said = [line for line in err.splitlines() if not line.startswith("coterie: looking at")]
            assert (code, out, len(said)) == (2, "", 1), (text[:80], err)
            assert "t/run.json is damaged: " in said[0]
    path.write_text(json.dumps(good | {"threshold": 1.5}))
    assert call("predict", "t", "x.npy")[0] == 2


def test_sizes_that_no_machine_holds(files: Path, call: Call) -> None:
    Path("images").mkdir()
    code, _, err = call("fit", "images", "--method", "ddc", "--out", "t", "--image-size", "99999x99999")
    assert (code, err.count("\n")) == (2, 1)
    assert "--image-size: 99999x99999 must have at most 16777216 pixels; give a smaller size" in err


def test_a_fault_of_ours_keeps_its_traceback_and_says_so(files: Path) -> None:
    code = "import sys; from coterie.cli import main, fit\n"
    code += "def read_encoded(*_): raise ValueError('an oversight')\n"
    code += "fit.read_encoded = read_encoded\nsys.exit(main(sys.argv[1:]))"
    process = Python(["-c", code, *words("t", 5)])
    _, err = process.communicate()
    assert process.returncode == 1
    assert "Traceback" in err
    assert "ValueError: an oversight\ncoterie fit: this is a fault of coterie 0.1.0, not of" in err


def no_memory_of_python() -> None:
    raise MemoryError("Unable to allocate 20.0 GiB")


def no_memory_of_a_cpu() -> None:
    torch.empty(10**15)


def no_memory_of_a_gpu() -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB.\nMore lines")


@pytest.mark.parametrize(
    ("fail", "said"),
    [
        (no_memory_of_python, "Unable to allocate 20.0 GiB"),
        (no_memory_of_a_cpu, "you tried to allocate 4000000000000000 bytes"),
        (no_memory_of_a_gpu, "CUDA out of memory. Tried to allocate 20 GiB;"),
    ],
)
def test_too_little_memory_is_one_line(
    files: Path, call: Call, monkeypatch: pytest.MonkeyPatch, fail: Callable[[], None], said: str
) -> None:
    monkeypatch.setattr("coterie.cli.fit.read_encoded", lambda *_: fail())
    code, _, err = call(*words("t", 5))
    assert (code, err.count("\n")) == (2, 1)
    assert err.startswith("coterie fit: error: not enough memory: ")
    assert said in err
    assert err.endswith("; use fewer or smaller samples, or smaller batches\n")
