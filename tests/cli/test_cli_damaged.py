"""What `update`, `open` and `export` keep in a run: damaged, of another model, or half written."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from tests.cli.conftest import Call
from tests.cli.open_client import Done, make_run

from coterie import DamagedFileError
from coterie.cli import main
from coterie.cli.open import library_of, work
from coterie.cli.open.bench import workbench_of
from coterie.cli.open.library import FOLDER, META, QUESTIONS
from coterie.cli.open.questions import Questions
from coterie.engine.storage import read_tensors, write_tensors

FIT = ["fit", "x.csv", "--n-clusters", "4", "--n-restarts", "1", "--max-steps", "3", "--random-state", "0"]
FIT += ["--method", "ddc", "--over-clustering", "true", "--out", "run"]
KIND = "file of known samples"


@pytest.fixture(scope="module")
def made(all_digits: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on 120 of 150 rows, to which the others were added; and one of pictures that was opened."""
    folder = tmp_path_factory.mktemp("made")
    X = all_digits[0][:150]
    names, columns = [f"row{number}" for number in range(150)], [f"pixel{number}" for number in range(64)]
    rows = pd.DataFrame(X, names, columns)
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        patched.setattr(work, "start", Done)
        rows[:120].to_csv("x.csv", index_label="id")
        rows.to_csv("all.csv", index_label="id")
        assert main(FIT) == 0
        shutil.copy("run/labels.csv", "fitted.csv")
        assert main(["update", "run", "all.csv"]) == 0
        Path("pictures").mkdir()
        library_of(make_run(folder / "pictures"), None)
    return folder


@pytest.fixture
def grown(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the first one, in the working folder."""
    monkeypatch.chdir(shutil.copytree(made, tmp_path / "copy"))
    return tmp_path / "copy"


def labels(path: str) -> list[str]:
    return Path(path).read_text().splitlines()


def test_an_update_knows_nothing_of_an_earlier_fit_in_the_same_folder(grown: Path, call: Call) -> None:
    assert call(*FIT, "--overwrite", "--backbone", "mlp", "--random-state", "7")[0] == 0
    assert call("update", "run", "all.csv")[0] == 0
    found = labels("run/labels.csv")
    Path("run/known").unlink()
    assert call(*FIT, "--overwrite", "--backbone", "mlp", "--random-state", "7")[0] == 0
    assert call("update", "run", "all.csv")[0] == 0
    assert labels("run/labels.csv") == found


def test_a_folder_that_cannot_be_written_is_named(
    grown: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not list(Path("run").glob("*.lock"))

    def read_only(*given: Any, **named: Any) -> None:
        raise OSError(30, "Read-only file system", "run/update.lock")

    monkeypatch.setattr("coterie.data.files.FileLock.acquire", read_only)
    for words in (["update", "run", "all.csv"], ["open", "run"], ["label", "run"]):
        code, out, err = call(*words)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert "run cannot be written: Read-only file system; " in err
        assert "make it writable or " in err


def forged_known() -> dict[str, dict[str, Any]]:
    return {
        "narrow": {"points": lambda points: points[:, :3]},
        "few clusters": {"clusters": lambda clusters: clusters[:5]},
        "nothing": {"points": lambda points: points[:0], "clusters": lambda clusters: clusters[:0]},
        "not finite": {"points": lambda points: points * float("nan")},
        "complex": {"points": lambda points: points.to(torch.complex64)},
        "below": {"clusters": lambda clusters: clusters - 7},
        "above": {"clusters": lambda clusters: clusters + 10**12},
        "no integers": {"clusters": lambda clusters: clusters.double()},
    }


@pytest.mark.parametrize("how", forged_known())
def test_forged_knowledge_is_refused(grown: Path, call: Call, how: str) -> None:
    tensors, meta = read_tensors("run/known", KIND)
    changed = {name: change(tensors[name]) for name, change in forged_known()[how].items()}
    write_tensors("run/known", KIND, tensors | changed, meta)
    os.replace("fitted.csv", "run/labels.csv")
    code, out, err = call("update", "run", "all.csv")
    assert (code, out) == (2, "")
    assert "error: run/known is damaged: " in err
    assert err.rstrip().endswith("without it, an update starts afresh")


@pytest.mark.parametrize("number", ["x", -1, 0, 10**30, None, True, 4.0])
def test_a_forged_number_of_clusters_is_refused(grown: Path, call: Call, number: Any) -> None:
    tensors, meta = read_tensors("run/known", KIND)
    write_tensors("run/known", KIND, tensors, meta | {"n_clusters": number})
    os.replace("fitted.csv", "run/labels.csv")
    code, _, err = call("update", "run", "all.csv")
    assert (code, "run/known is damaged" in err) == (2, True)


@pytest.mark.parametrize("content", [b"", b"\x00\x00", b"\xff\xfe\x80abc", b"id,label\n", b'a,b,c,d,e\n"x\n'])
def test_labels_that_are_no_table_are_named(grown: Path, call: Call, content: bytes) -> None:
    Path("run/labels.csv").write_bytes(content)
    code, out, err = call("update", "run", "all.csv")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "run/labels.csv is damaged" in err
    assert Path("run/labels.csv").read_bytes() == content


# ------------------------------------------------------------------ what the page shows


@pytest.fixture
def run(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the second one."""
    monkeypatch.setattr(work, "start", Done)
    return Path(shutil.copytree(made / "pictures", tmp_path / "pictures"), "run")


def test_what_is_worked_out_for_the_page_is_made_anew_where_it_is_damaged(run: Path) -> None:
    whole = library_of(run, None)
    kept = {
        path: path.read_bytes()
        for path in (run / FOLDER).iterdir()
        if path.suffix in (".json", ".npy", ".npz")
    }
    assert len(kept) >= 6
    wrong = [b"{}", b"3", b'{"data": 3}', b"\xff", b"[" * 100_000]
    for path in kept:
        for content in (b"", b"[]", kept[path][:-9], *(wrong if path.name == META else ())):
            path.write_bytes(content)
            found = library_of(run, None)
            assert found.names == whole.names
            np.testing.assert_array_equal(found.scores, whole.scores)
            assert Questions(found).next(workbench_of(run, found)) is not None


def test_damage_within_the_questions_is_named(run: Path) -> None:
    path = run / FOLDER / QUESTIONS
    content = bytearray(path.read_bytes())
    content[200:260] = bytes(60)
    path.write_bytes(content)
    with pytest.raises(DamagedFileError, match=f"{path} is damaged"):
        Questions(library_of(run, None))


SAID = [
    {"do": "fit"},
    {"do": "fit", "folder": 3, "clusters": [0]},
    {"do": "pair", "first": "a", "second": "b"},
    {"do": "split", "cluster": 0, "parts": [["a"], ["b"]]},
    {"do": "move", "rows": 3, "cluster": 0},
    {"do": "merge", "clusters": 7},
    {"do": "wrong"},
    {"do": "name", "name": "x"},
    {"do": "move", "rows": [], "cluster": 0, "instead": 3},
]


@pytest.mark.parametrize("said", SAID, ids=str)
def test_an_entry_that_no_action_writes_is_named(run: Path, call: Call, said: dict[str, Any]) -> None:
    entry = {"n": 1, "at": "2026-01-01T00:00:00+00:00", "who": "ann"} | said
    (run / "corrections.jsonl").write_text(json.dumps(entry) + "\n")
    code, out, err = call("export", str(run), "--to", "csv", "--out", str(run.parent / "new.csv"))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "corrections.jsonl is damaged: " in err or "the fit of 2026-01-01T00:00:00+00:00 is gone" in err


@pytest.mark.parametrize("to", ["folders", "fiftyone", "labelstudio", "csv"])
def test_an_export_that_fails_leaves_nothing(
    run: Path, call: Call, to: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, before = run.parent / "new", set(run.parent.iterdir())

    def full(*given: Any, **named: Any) -> None:
        raise OSError(28, "No space left on device", str(out))

    with monkeypatch.context() as patched:
        patched.setattr("shutil.copy2", full)
        patched.setattr(Path, "write_text", full)
        patched.setattr("csv.writer", full)
        code, _, err = call("export", str(run), "--to", to, "--out", str(out))
    assert (code, "No space left on device" in err) == (2, True)
    assert set(run.parent.iterdir()) == before
    assert call("export", str(run), "--to", to, "--out", str(out))[0] == 0
