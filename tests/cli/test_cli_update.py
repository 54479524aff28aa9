"""`coterie update`: old rows stay to the byte, new kinds get new numbers, a stopped update is repeated."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from tests.cli.open_client import write_photos

from coterie.cli import update
from coterie.engine.storage import read_tensors, write_tensors
from coterie.methods.clusterer import NeuralClusterer

Call = Callable[..., tuple[int, str, str]]
Array = npt.NDArray[Any]
WORDS = ("--method", "tables", "--noise", "false", "--random-state", "0")


def table(sizes: list[int], seed: int, start: int) -> pd.DataFrame:
    """Rows of clouds far apart, with ids."""
    y = np.repeat(np.arange(len(sizes)), sizes)
    values = (
        np.random.default_rng(seed).normal(size=(len(y), 3)) + 40 * np.eye(5, 3)[y] + 40 * (y == 3)[:, None]
    )
    frame = pd.DataFrame(values.round(4), columns=["a", "b", "c"])
    return frame.assign(id=[f"{'=' if kind == 0 else ''}k{kind}-{start + row}" for row, kind in enumerate(y)])


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Call) -> Path:
    """A run of three clouds, and a table with 30 further rows: half of a fourth kind."""
    monkeypatch.chdir(tmp_path)
    old = table([50, 50, 50], 0, 0)
    old.to_csv("old.csv", index=False)
    pd.concat([old, table([5, 5, 5, 15], 1, 200)]).sample(frac=1, random_state=0).to_csv(
        "all.csv", index=False
    )
    code, _, err = call("fit", "old.csv", "--out", "run", *WORDS)
    assert code == 0, err
    return tmp_path / "run"


def rows(path: Path) -> dict[str, int]:
    with path.open(newline="") as file:
        return {row["id"]: int(row["label"]) for row in csv.DictReader(file)}


def test_new_rows_join_and_a_new_kind_gets_a_new_number(run: Path, call: Call) -> None:
    before = (run / "labels.csv").read_bytes()
    code, out, err = call("update", "run", "all.csv", "--json")
    assert code == 0, err
    found = json.loads(out)
    assert found["new_samples"] == 30
    assert found["new_clusters"] == [3]
    assert (run / "labels.csv").read_bytes().startswith(before)
    labels = rows(run / "labels.csv")
    assert len(labels) == 180
    of_kind = {name.lstrip("=").split("-")[0]: label for name, label in list(labels.items())[:150]}
    new = list(labels.items())[150:]
    assert {label for name, label in new if name.startswith("k3")} == {3}
    assert all(label == of_kind[name.lstrip("=").split("-")[0]] for name, label in new if "k3" not in name)


def test_nothing_new_changes_nothing(run: Path, call: Call) -> None:
    before = (run / "labels.csv").read_bytes()
    code, out, _ = call("update", "run", "old.csv")
    assert (code, out) == (0, "no new samples\n")
    assert call("update", "run", "all.csv")[0] == 0
    after = (run / "labels.csv").read_bytes()
    assert call("update", "run", "all.csv", "--json")[1].startswith('{"new_samples": 0')
    assert (run / "labels.csv").read_bytes() == after != before


def test_the_next_update_knows_the_new_cluster(run: Path, call: Call) -> None:
    assert call("update", "run", "all.csv")[0] == 0
    table([0, 0, 0, 12], 5, 500).to_csv("more.csv", index=False)
    code, out, _ = call("update", "run", "more.csv", "--json")
    assert code == 0
    assert json.loads(out) == {"new_samples": 12, "sizes": {"3": 12}, "new_clusters": []}


def test_a_stopped_update_is_repeated(run: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(update, "_append", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        assert call("update", "run", "all.csv")[0] == 130
    assert len(rows(run / "labels.csv")) == 150
    assert call("update", "run", "all.csv")[0] == 0
    labels = rows(run / "labels.csv")
    assert {label for name, label in labels.items() if name.startswith("k3")} == {3}


def test_reports_of_data_that_grew(run: Path, call: Call) -> None:
    Path("all.csv").replace("old.csv")
    assert call("update", "run", "old.csv")[0] == 0
    code, _, err = call("report", "run")
    assert code == 0, err


def test_clusters_that_a_person_changed_keep_their_ids(run: Path, call: Call) -> None:
    labels = rows(run / "labels.csv")
    moved = labels["k1-50"]
    text = (run / "labels.csv").read_text().splitlines()
    changed = [line.replace(f",{moved},", ",7,", 1) if line.startswith("k1") else line for line in text]
    (run / "labels.csv").write_text("\n".join(changed) + "\n")
    code, out, _ = call("update", "run", "all.csv", "--json")
    assert code == 0
    assert json.loads(out)["new_clusters"] == [8]
    added = dict(list(rows(run / "labels.csv").items())[150:])
    assert {label for name, label in added.items() if name.startswith("k1")} == {7}
    assert {label for name, label in added.items() if name.startswith("k3")} == {8}


def test_rows_without_ids_are_numbered_on(run: Path, call: Call) -> None:
    old = table([50, 50], 0, 0).drop(columns="id").to_numpy()
    np.save("old.npy", old)
    np.save("new.npy", table([3, 3], 1, 0).drop(columns="id").to_numpy())
    assert call("fit", "old.npy", "--out", "plain", *WORDS)[0] == 0
    assert call("update", "plain", "new.npy")[0] == 0
    assert list(rows(Path("plain/labels.csv"))) == [str(row) for row in range(106)]


def test_rows_without_ids_are_known_by_their_content(run: Path, call: Call) -> None:
    old = table([50, 50], 0, 0).drop(columns="id").to_numpy()
    new = table([3, 3], 1, 0).drop(columns="id").to_numpy()
    np.save("old.npy", old)
    assert call("fit", "old.npy", "--out", "plain", *WORDS)[0] == 0
    before = Path("plain/labels.csv").read_bytes()
    assert call("update", "plain", "old.npy") == (0, "no new samples\n", "")
    # in any order, as numbers of any width, and one row twice where it was once
    both = np.concatenate([new, old])[np.random.default_rng(0).permutation(106)]
    np.save("both.npy", np.concatenate([both, old[:1]]).astype(np.float32))
    for expected in (7, 0):
        code, out, err = call("update", "plain", "both.npy", "--json")
        assert code == 0, err
        assert json.loads(out)["new_samples"] == expected
    assert Path("plain/labels.csv").read_bytes().startswith(before)
    assert list(rows(Path("plain/labels.csv"))) == [str(row) for row in range(107)]
    np.save("more.npy", np.concatenate([new, table([2, 0], 7, 0).drop(columns="id").to_numpy()]))
    assert json.loads(call("update", "plain", "more.npy", "--json")[1])["new_samples"] == 2


def test_a_stopped_update_of_rows_without_ids_is_repeated(
    run: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save("old.npy", table([50, 50], 0, 0).drop(columns="id").to_numpy())
    np.save("new.npy", table([3, 3], 1, 0).drop(columns="id").to_numpy())
    assert call("fit", "old.npy", "--out", "plain", *WORDS)[0] == 0
    with monkeypatch.context() as patch:
        patch.setattr(update, "_append", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        assert call("update", "plain", "new.npy")[0] == 130
    for expected in (6, 0):
        assert json.loads(call("update", "plain", "new.npy", "--json")[1])["new_samples"] == expected
    assert list(rows(Path("plain/labels.csv"))) == [str(row) for row in range(106)]


def test_a_tenth_of_new_rows_of_old_and_new_kinds(
    run: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All old ids stay, new kinds are found, and the model sees the new rows alone."""
    before = rows(run / "labels.csv")
    old = pd.read_csv("old.csv")
    later = table([3, 3, 3, 8, 8], 11, 1000)  # two new kinds, and a tenth more of the old ones
    pd.concat([old, later]).sample(frac=1, random_state=1).to_csv("all.csv", index=False)
    seen: list[int] = []

    def counted(model: Any, X: Any) -> Any:
        seen.append(len(X))
        return predict(model, X)

    predict = NeuralClusterer.predict_proba
    monkeypatch.setattr(NeuralClusterer, "predict_proba", counted)
    code, out, err = call("update", "run", "all.csv", "--json")
    assert code == 0, err
    found = json.loads(out)
    labels = rows(run / "labels.csv")
    assert {name: labels[name] for name in before} == before
    assert found["new_samples"] == 25
    assert len(found["new_clusters"]) == 2
    of_new = [(labels[name], name.lstrip("=")[:2]) for name in later["id"] if labels[name] >= 3]
    pure = sum(
        max(sum(kind == one for label, kind in of_new if label == cluster) for one in ("k3", "k4"))
        for cluster in found["new_clusters"]
    )
    assert pure >= 0.8 * len(of_new)
    assert len(of_new) >= 0.8 * 16
    # the first update looks at what the fit had, once; the next one at new rows alone
    assert sorted(seen) == [25, 150]
    seen.clear()
    pd.concat([old, later, table([2, 2, 1], 12, 2000)]).to_csv("all.csv", index=False)
    assert json.loads(call("update", "run", "all.csv", "--json")[1])["new_samples"] == 5
    assert seen == [5]


def test_ids_that_were_made_safe_for_spreadsheets(run: Path, call: Call) -> None:
    assert call("fit", "old.csv", "--out", "safe", "--safe-csv", *WORDS)[0] == 0
    code, out, _ = call("update", "safe", "all.csv", "--json")
    assert code == 0
    assert json.loads(out)["new_samples"] == 30


def test_bad_input(run: Path, call: Call) -> None:
    assert call("update", "nowhere", "all.csv")[0] == 2
    code, _, err = call("update", "run", "all.csv", "--min-size", "1")
    assert code == 2
    assert "--min-size=1 must be >= 2" in err
    pd.DataFrame({"a": [1.0], "id": ["x"]}).to_csv("narrow.csv", index=False)
    code, _, err = call("update", "run", "narrow.csv")
    assert (code, err.count("\n")) == (2, 1)
    write_photos(Path("photos"), 2)
    code, _, err = call("update", "run", "photos")
    assert (code, err.count("\n")) == (2, 1)
    np.save("wide.npy", np.zeros((4, 9)))
    code, _, err = call("update", "run", "wide.npy")
    assert (code, err.count("\n")) == (2, 1)
    assert len(rows(run / "labels.csv")) == 150
    assert call("update", "run", "all.csv")[0] == 0
    tensors, meta = read_tensors(run / update.KNOWN, update._KIND)
    write_tensors(run / update.KNOWN, update._KIND, {"points": tensors["points"]}, meta)
    code, _, err = call("update", "run", "narrow.csv")
    assert code == 2
    labels = run / "labels.csv"
    labels.write_text("id,cluster\n")
    code, _, err = call("update", "run", "all.csv")
    assert code == 2
    assert "is damaged" in err
    labels.unlink()
    code, _, err = call("update", "run", "all.csv")
    assert code == 2
    assert "does not exist" in err
