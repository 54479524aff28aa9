"""Data in many files: labels for each shard, the same after a stop, whatever the number of processes."""

from __future__ import annotations

import io
import shutil
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.cli.conftest import Call, Table
from tests.engine.pools import one_worker
from tests.forked import Python
from tests.launched import ended, free_port, launch
from tests.waiting import wait_until

from coterie.cli import main

FIT = ["--n-clusters", "4", "--n-restarts", "1", "--max-steps", "20", "--random-state", "0", "--n-jobs", "1"]
FIT += ["--over-clustering", "true", "--method", "ddc"]


@pytest.fixture(scope="module")
def made(all_digits: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """150 digits in one file and in three shards of each kind, and a run."""
    folder = tmp_path_factory.mktemp("shards")
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        write_shards(all_digits[0][:150])
        assert main(["fit", "x.npy", "--out", "run", *FIT]) == 0
    return folder


@pytest.fixture
def shards(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of them, in the working folder."""
    monkeypatch.chdir(shutil.copytree(made, tmp_path / "shards"))
    return tmp_path / "shards"


def write_shards(X: Any) -> None:
    for name in ("npy", "parquet", "tar"):
        Path(name).mkdir()
    np.save("x.npy", X)
    for number, part in enumerate(np.split(X, [40, 90])):
        np.save(f"npy/{number}.npy", part)
        pd.DataFrame(part, columns=[f"p{one}" for one in range(64)]).to_parquet(f"parquet/{number}.parquet")
        with tarfile.open(f"tar/{number}.tar", "w") as archive:
            for row, values in enumerate(part):
                add(archive, f"{row:03}.npy", values)
                add(archive, f"{row:03}.json", np.zeros(1))


def add(archive: tarfile.TarFile, name: str, values: Any) -> None:
    stream = io.BytesIO()
    np.save(stream, values)
    entry = tarfile.TarInfo(name)
    entry.size = stream.tell()
    stream.seek(0)
    archive.addfile(entry, stream)


def labels_in(table: Table, folder: str) -> list[list[str]]:
    """Labels and probabilities of all shards, one after another."""
    return [row[1:] for path in sorted(Path(folder).rglob("*.csv")) for row in table(path)[1:]]


def contents(folder: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


@pytest.mark.parametrize("kind", ["npy", "parquet", "tar"])
def test_shards_get_the_labels_of_one_file(shards: Path, call: Call, table: Table, kind: str) -> None:
    assert call("predict", "run", "x.npy", "--out", "whole.csv")[0] == 0
    code, out, _ = call("predict", "run", f"{kind}/*.{kind}", "--out", "labels")
    assert (code, out) == (0, "labelled 3 shards\nwrote labels/\n")
    assert sorted(path.name for path in Path("labels").glob("*.csv")) == ["0.csv", "1.csv", "2.csv"]
    assert labels_in(table, "labels") == [row[1:] for row in table("whole.csv")[1:]]


def test_parts_of_a_shard_number_its_rows(
    shards: Path, call: Call, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    from coterie.data.readers import parquet

    monkeypatch.setattr(parquet, "PART_ROWS", 7)
    assert call("predict", "run", "parquet/*.parquet", "--out", "labels")[0] == 0
    assert [row[0] for row in table("labels/1.csv")[1:]] == [str(number) for number in range(50)]


def test_a_second_call_goes_on(shards: Path, call: Call) -> None:
    words = ["predict", "run", "npy/*.npy", "--out", "labels"]
    assert call(*words)[0] == 0
    whole = contents("labels")
    Path("labels/1.csv").unlink()
    before = Path("labels/0.csv").stat().st_mtime_ns
    assert call(*words)[1] == "labelled 1 shards, 2 had labels\nwrote labels/\n"
    assert contents("labels") == whole
    assert Path("labels/0.csv").stat().st_mtime_ns == before
    code, _, err = call(*words, "--threshold", "0.9")
    assert code == 2
    assert "holds labels of another run or of other options" in err
    assert call(*words, "--threshold", "0.9", "--overwrite")[0] == 0


def test_a_killed_call_goes_on_with_the_same_files(shards: Path, call: Call) -> None:
    for number in range(3, 40):
        np.save(f"npy/{number:02}.npy", np.load("x.npy"))
    assert call("predict", "run", "npy/*.npy", "--out", "whole")[0] == 0
    words = ["predict", "run", "npy/*.npy", "--out", "labels"]
    process = Python(["-m", "coterie", *words])
    wait_until(lambda: len(list(Path().glob("labels/*.csv"))) >= 3, "three shards are labelled")
    process.kill()
    process.communicate()
    assert call(*words)[0] == 0
    assert {name: text for name, text in contents("labels").items() if name.endswith(".csv")} == {
        name: text for name, text in contents("whole").items() if name.endswith(".csv")
    }


def test_several_processes_share_the_shards(
    shards: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coterie.cli.shards.Pool", one_worker)
    assert call("predict", "run", "npy/*.npy", "--out", "one")[0] == 0
    assert call("predict", "run", "npy/*.npy", "--out", "pool", "--n-jobs", "2")[0] == 0
    words = ["-m", "coterie", "predict", "run", "npy/*.npy", "--out", "two"]
    port = free_port()
    processes = [launch(words, (rank, 2), port, shards) for rank in range(2)]
    with ended(processes):
        printed = [process.communicate() for process in processes]
    assert printed[0][0] == "labelled 3 shards\nwrote two/\n"
    assert printed[1] == ("", "")
    assert contents("one") == contents("pool") == contents("two")


def test_a_damaged_note_of_earlier_labels_is_another_run_s(shards: Path, call: Call) -> None:
    words = ["predict", "run", "npy/*.npy", "--out", "labels"]
    assert call(*words)[0] == 0
    whole = contents("labels")
    for content in (b"", b"[]", b"\xff"):
        Path("labels/.made-with.json").write_bytes(content)
        code, _, err = call(*words)
        assert (code, "holds labels of another run or of other options" in err) == (2, True)
    assert call(*words, "--overwrite")[0] == 0
    assert contents("labels") == whole


def test_a_table_without_columns_is_named(shards: Path, call: Call) -> None:
    pd.DataFrame().to_parquet("parquet/9.parquet")
    code, _, err = call("predict", "run", "parquet/*.parquet", "--out", "labels")
    assert (code, "parquet/9.parquet must have at least one column" in err) == (2, True)


@pytest.mark.filterwarnings("always::UserWarning")
@pytest.mark.parametrize("fault", ["truncated", "narrow", "empty", "gone"])
def test_a_broken_shard_is_named_and_the_rest_done(shards: Path, call: Call, fault: str) -> None:
    path = Path("npy/1.npy")
    if fault == "gone":
        path.unlink()
        path.symlink_to("nowhere.npy")
    elif fault == "narrow":
        np.save(path, np.ones((4, 5)))
    else:
        path.write_bytes(path.read_bytes()[:200] if fault == "truncated" else b"")
    code, _, err = call("predict", "run", "npy/*.npy", "--out", "labels")
    assert code == 2
    assert "npy/1.npy" in err
    assert "--skip-broken labels the other shards" in err
    code, out, err = call("predict", "run", "npy/*.npy", "--out", "labels", "--skip-broken")
    assert code == 0
    assert "warning: left out: npy/1.npy" in err
    assert out.startswith("labelled 1 shards, 1 had labels, 1 left out\n")
    assert sorted(path.name for path in Path("labels").glob("*.csv")) == ["0.csv", "2.csv"]


@pytest.mark.parametrize("kind", ["npy", "parquet", "tar"])
def test_a_fit_takes_a_sample_and_labels_all(shards: Path, call: Call, table: Table, kind: str) -> None:
    code, out, _ = call("fit", f"{kind}/*.{kind}", "--out", "new", *FIT, "--sample-rows", "60")
    assert code == 0
    assert out.endswith(
        "labelled 3 shards in new/labels/; labels.csv has the 60 rows of the fit\nwrote new/\n"
    )
    rows = table("new/labels.csv")[1:]
    assert len(rows) == 60
    everything = {
        f"{path.stem}.{kind}:{row[0]}": row[1:]
        for path in Path("new/labels").glob("*.csv")
        for row in table(path)[1:]
    }
    assert len(everything) == 150
    for row in rows:
        assert everything[row[0]][0] == row[1]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["predict", "run", "npy/*.npy"], "--out must name a folder"),
        (["predict", "run", "none/*.npy", "--out", "labels"], "none/*.npy must match at least one file"),
        (["predict", "run", "npy/*.npy", "--out", "x.npy", "--overwrite"], "must be a folder for the labels"),
        (["predict", "run", "npy/*.npy", "--out", "npy"], "npy must be a new or empty folder"),
        (["fit", "npy/*.npy", "--out", "n", "--sample-rows", "1"], "--sample-rows=1 must be >= 2"),
        (
            ["predict", "run", "npy/*.npy", "--out", "x.npy/new"],
            "x.npy/new cannot be made: Not a directory; ",
        ),
        (["predict", "run", "npy/*.npy", "--out", "/proc/new"], "/proc/new cannot be made: "),
    ],
)
def test_bad_calls(shards: Path, call: Call, words: list[str], message: str) -> None:
    code, out, err = call(*words)
    assert (code, out) == (2, "")
    assert message in err


def test_shards_of_one_name_lie_in_folders(shards: Path, call: Call) -> None:
    for name in ("a", "b"):
        Path(name).mkdir()
        np.save(f"{name}/x.npy", np.load("x.npy")[:20])
    assert call("predict", "run", "[ab]/x.npy", "--out", "labels")[0] == 0
    assert sorted(map(str, Path("labels").rglob("*.csv"))) == ["labels/a/x.csv", "labels/b/x.csv"]


def test_machines_without_a_common_disk_have_a_folder_each(shards: Path, tmp_path: Path) -> None:
    """Labels of another run are refused on each machine; the first processes of both are these two."""
    other = shutil.copytree(shards, tmp_path / "other")
    words = ["-m", "coterie", "predict", "run", "npy/*.npy", "--out", "labels"]

    def on_two_machines() -> list[tuple[int | None, str]]:
        port, folders = free_port(), (shards, other)
        started = [launch(words, (rank, 2), port, folders[rank], LOCAL_RANK="0") for rank in range(2)]
        with ended(started):
            printed = [one.communicate() for one in started]
        return [(one.returncode, "".join(text)) for one, text in zip(started, printed, strict=True)]

    assert on_two_machines() == [(0, "labelled 3 shards\nwrote labels/\n"), (0, "")]
    assert [sorted(path.name for path in (one / "labels").glob("*.csv")) for one in (shards, other)] == [
        ["0.csv", "2.csv"],
        ["1.csv"],
    ]
    (other / "labels" / ".made-with.json").write_text("{}")
    (first, said), (second, _) = on_two_machines()
    assert (first, second) == (2, 2)
    assert "holds labels of another run or of other options" in said
