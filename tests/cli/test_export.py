"""`coterie export`: what other programs get is what was said."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.cli.open_client import Done, make_run, session_of

from coterie.cli.export import folder_names
from coterie.cli.open import work

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of which something was said: two samples moved to a new cluster, whose name is a path."""
    run = make_run(tmp_path_factory.mktemp("export"))
    session = session_of(run)
    session.act(0, "move", {"rows": [0, 1], "cluster": None, "name": "../<b>odd/ones"})
    session.act(1, "wrong", {"rows": [5], "cluster": int(session.bench.shown.labels[5])})
    session.finish()
    return run


@pytest.fixture
def shown(made: Path) -> dict[str, int]:
    session = session_of(made)
    return dict(zip(session.library.names, session.bench.shown.labels.tolist(), strict=True))


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "start", Done)


def export(call: Call, run: Path, to: str, out: Path, *words: str) -> None:
    code, said, err = call("export", str(run), "--to", to, "--out", str(out), *words)
    assert (code, err) == (0, "")
    assert said == f"wrote {out}\n"


def test_folders(made: Path, shown: dict[str, int], call: Call, tmp_path: Path) -> None:
    export(call, made, "folders", tmp_path / "out")
    found = {path.name: path.parent.name for path in (tmp_path / "out").rglob("*.png")}
    assert found.keys() == shown.keys()
    assert {found[name] for name, label in shown.items() if label == shown["a&b.png"]} == {"b_odd_ones"}
    groups: dict[str, set[int]] = {}
    for name, folder in found.items():
        groups.setdefault(folder, set()).add(shown[name])
    assert all(len(labels) == 1 for labels in groups.values())
    assert len(groups) == len(set(shown.values()))
    export(call, made, "folders", tmp_path / "links", "--link")
    link = next((tmp_path / "links").rglob("a&b.png"))
    assert link.is_symlink()
    assert link.read_bytes() == next((tmp_path / "out").rglob("a&b.png")).read_bytes()


def test_tables(made: Path, shown: dict[str, int], call: Call, tmp_path: Path) -> None:
    export(call, made, "csv", tmp_path / "out.csv")
    with open(tmp_path / "out.csv", newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    assert {line["id"]: int(line["label"]) for line in lines} == shown
    assert {line["name"] for line in lines if line["id"] == "a&b.png"} == {"../<b>odd/ones"}
    assert sum(line["said"] == "1" for line in lines) == 3
    import pyarrow.parquet as parquet

    for to in ("parquet", "atlas"):
        export(call, made, to, tmp_path / f"{to}.parquet")
        table = parquet.read_table(tmp_path / f"{to}.parquet").to_pydict()
        assert dict(zip(table["id"], table["label"], strict=True)) == shown
    assert np.isfinite(table["x"]).all()
    assert all(Path(path).exists() for path in table["path"])


def test_other_programs(made: Path, shown: dict[str, int], call: Call, tmp_path: Path) -> None:
    export(call, made, "fiftyone", tmp_path / "fiftyone")
    data, labels = (
        json.loads((tmp_path / "fiftyone" / f"{name}.json").read_text()) for name in ("data", "labels")
    )
    assert data.keys() == labels["labels"].keys()
    assert all(Path(path).exists() for path in data.values())
    one = next(label for label in labels["labels"].values() if label["attributes"]["id"] == "a&b.png")
    assert one["label"] == "../<b>odd/ones"
    assert {label["label"] for label in labels["labels"].values()} <= set(labels["classes"])
    export(call, made, "labelstudio", tmp_path / "studio")
    tasks: Any = json.loads((tmp_path / "studio" / "tasks.json").read_text())
    assert len(tasks) == len(shown)
    names = {
        choice.get("value") for choice in ElementTree.parse(tmp_path / "studio" / "config.xml").iter("Choice")
    }
    assert {task["predictions"][0]["result"][0]["value"]["choices"][0] for task in tasks} <= names


def test_what_is_refused(made: Path, call: Call, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    for words, message in (
        (("--to", "doves", "--out", "x"), "--to 'doves' must be one of folders, csv"),
        (("--to", "csv", "--out", str(tmp_path / "there")), "there exists; give a new place"),
        (("--to", "csv", "--out", str(made / "model" / "x.csv")), "cannot"),
        (("--to", "folders", "--out", str(made / "model" / "x")), "--out"),
        (("--to", "csv", "--out", "x.csv", "--link"), "--link needs --to folders"),
    ):
        code, out, err = call("export", str(made), *words)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert message in err


def test_a_lost_file_is_left_out_of_the_folders(made: Path, call: Call, tmp_path: Path) -> None:
    run = Path(shutil.copytree(made, tmp_path / "run"))
    meta = json.loads((run / "explore" / "meta.json").read_text())
    photos = Path(shutil.copytree(meta["folder"], tmp_path / "photos"))
    (run / "explore" / "meta.json").write_text(json.dumps(meta | {"folder": str(photos)}))
    (photos / "a&b.png").unlink()
    export(call, run, "folders", tmp_path / "out")
    assert len(list((tmp_path / "out").rglob("*.png"))) == len(list(photos.iterdir()))


@given(st.dictionaries(st.integers(0, 50), st.text(max_size=80), max_size=8))
def test_folder_names_are_safe_and_differ(names: dict[int, str]) -> None:
    found = folder_names(names)
    assert len({name.casefold() for name in found.values()}) == len(names)
    for name in found.values():
        assert Path(name).name == name
        assert name.strip(" .") == name
        assert name not in ("", ".", "..")
        assert not set('/\\\\:*?"<>|\0') & set(name)
