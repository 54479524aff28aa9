"""`predict` and `report` after corrections: nothing that a person has said is contradicted."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.cli.open_client import session_of
from tests.cli.test_open import wait
from tests.corrections.oracle import contradicted

import coterie
from coterie.cli import corrected, labels_out
from coterie.cli.open import opened as open_run
from coterie.cli.open.session import Session
from coterie.cli.open.written import label_rows
from coterie.corrections.workbench import Workbench
from coterie.data import read_samples

Call = Callable[..., tuple[int, str, str]]


def photos(run: Path) -> Path:
    return Path(json.loads((run / "run.json").read_text())["data"])


def correct(session: Session) -> None:
    """Merge two clusters, move, set apart, name."""
    ids = [one["id"] for one in session.state()["clusters"]]
    session.act(0, "merge", {"clusters": ids[:2]})
    rows = [tile["row"] for tile in session.members(ids[2], "certain", 0, 3)["tiles"]]
    session.act(1, "move", {"rows": rows, "cluster": None, "name": "<b>odd"})
    wrong = [tile["row"] for tile in session.members(ids[3], "certain", 0, 2)["tiles"]]
    session.act(2, "wrong", {"rows": wrong, "cluster": ids[3]})


def predicted(run: Path, call: Call, data: Path) -> dict[str, list[str]]:
    out = run.parent / "predicted.csv"
    out.unlink(missing_ok=True)
    code, _, err = call("predict", str(run), str(data), "--out", str(out))
    assert code == 0, err
    with open(out, newline="", encoding="utf-8") as file:
        return {line[0]: line for line in list(csv.reader(file))[1:]}


@pytest.mark.parametrize("learn", [False, True])
def test_predict_repeats_what_was_said(run: Path, call: Call, learn: bool) -> None:
    session = session_of(run)
    correct(session)
    if learn:
        session.refit(3)
        wait(session)
    session.finish()
    found = predicted(run, call, photos(run))
    assert (
        contradicted(session.bench.journal.entries, {name: int(line[1]) for name, line in found.items()})
        == []
    )
    with open(run / "labels.csv", newline="", encoding="utf-8") as file:
        assert {line[0]: line for line in list(csv.reader(file))[1:]} == found


def test_predict_in_parts_writes_the_same_and_looks_at_no_other_row(
    run: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = session_of(run)
    correct(session)
    session.finish()
    whole = predicted(run, call, photos(run))
    looked: list[int] = []

    def counted(bench: Workbench, threshold: float, rows: Any) -> Any:
        looked.extend(rows.tolist())
        return label_rows(bench, threshold, rows)

    monkeypatch.setattr(corrected, "label_rows", counted)
    monkeypatch.setattr(labels_out, "_CHUNK", 7)
    assert predicted(run, call, photos(run)) == whole
    assert sorted(looked) == list(range(len(whole)))


@pytest.mark.parametrize("learn", [False, True])
def test_new_samples_join_clusters_as_they_are_shown(
    run: Path, call: Call, tmp_path: Path, learn: bool
) -> None:
    session = session_of(run)
    correct(session)
    if learn:
        session.refit(3)
        wait(session)
    session.finish()
    shown = session.bench.shown
    new = tmp_path / "new"
    new.mkdir()
    # a name of the run, on another picture, and a new name on one of the run's pictures but for a pixel
    names = session.library.names
    first, last = names[0], names[-1]
    shutil.copy(photos(run) / last, new / first)
    pixels = np.asarray(Image.open(photos(run) / first)).copy()
    pixels[0, 0] ^= 8
    Image.fromarray(pixels).save(new / "new.png")
    found = predicted(run, call, new)
    assert int(found[first][1]) == int(shown.labels[-1])
    assert int(found["new.png"][1]) in shown.clusters
    # of clusters that were merged, one is left
    assert session.bench.canonical(int(found["new.png"][1])) == int(found["new.png"][1])


def test_the_report_shows_what_was_said(run: Path, call: Call) -> None:
    assert call("report", str(run))[0] == 0
    before = (run / "report.html").read_text(encoding="utf-8")
    assert "<h3>Cluster 0: 12 rows" in before
    session = session_of(run)
    correct(session)
    sizes = {one["name"]: one["size"] for one in session.state()["clusters"]}
    aside = session.state()["aside"]
    session.finish()
    assert call("report", str(run))[0] == 0
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "Corrected on the page of coterie open" in page
    assert "<h3>&lt;b&gt;odd: 3 rows, 0 unsure</h3>" in page
    for name, size in sizes.items():
        shown = name.replace("<", "&lt;").replace(">", "&gt;")
        assert f"<h3>{shown[0].upper()}{shown[1:]}: {size} rows" in page
    assert (f"{aside} rows are set aside" in page) == (aside > 0)


def test_without_corrections_nothing_differs(run: Path, call: Call) -> None:
    before = predicted(run, call, photos(run))
    session = session_of(run)
    session.act(0, "name", {"cluster": 0, "name": "reds"})
    session.act(1, "undo", {})
    session.finish()
    assert predicted(run, call, photos(run)) == before


def test_another_fit_in_the_place_of_a_corrected_one(run: Path, call: Call) -> None:
    """Ids mean other clusters then: what was said goes aside; pairs of samples still hold."""
    fit = ["fit", str(photos(run)), "--method", "self-distillation", "--encoder", "none", "--n-clusters", "4"]
    fit += ["--max-steps", "5", "--random-state", "0", "--out", str(run)]
    assert call(*fit, "--overwrite")[0] == 0
    session = session_of(run)
    rows = [tile["row"] for tile in session.members(0, "certain", 0, 2)["tiles"]]
    session.act(0, "name", {"cluster": 0, "name": "old"})
    session.act(1, "pair", {"rows": rows, "same": True})
    session.finish()
    told = (run / "corrections.jsonl").read_bytes()

    code, _, err = call(*fit, "--resume")  # the same fit once more
    assert code == 0, err
    assert (run / "corrections.jsonl").read_bytes() == told

    code, _, err = call(*fit, "--overwrite", "--max-steps", "6")
    assert code == 0, err
    assert "corrections of the earlier fit are in" in err
    assert (run / "corrections-1.jsonl").read_bytes() == told
    assert not any((run / name).exists() for name in ("corrections.jsonl", "explore", "clusters.csv"))
    with open_run(run, None, None) as again:
        assert "old" not in {one["name"] for one in again.state()["clusters"]}
        assert again.bench.relations.relation(*rows) == 1


def exported_model(run: Path, call: Call, n_unlearned: int) -> tuple[Path, dict[int, str]]:
    """A model that was taken away, and the ids of its columns."""
    out = run.parent / "exported"
    code, said, err = call("export", str(run), "--to", "model", "--out", str(out))
    assert (code, said) == (0, f"wrote {out}\n")
    assert (f"{n_unlearned} corrections are newer than the model" in err) == (n_unlearned > 0)
    with open(out / "clusters.csv", newline="", encoding="utf-8") as file:
        header, *lines = csv.reader(file)
    assert header == ["column", "id", "name"]
    return out, {int(column): label for column, label, _ in lines}


def test_the_model_that_learned_corrections_is_taken_away(run: Path, call: Call) -> None:
    session = session_of(run)
    correct(session)
    session.refit(3)
    wait(session)
    session.act(session.version, "name", {"cluster": session.state()["clusters"][0]["id"], "name": "first"})
    session.finish()
    out, ids = exported_model(run, call, 0)
    assert "first" in (out / "clusters.csv").read_text(encoding="utf-8")
    new = run.parent / "new"
    shutil.copytree(photos(run), new)
    for file in new.iterdir():
        file.rename(new / f"new-{file.name}")
    samples = read_samples(new)
    values = coterie.load(out / "model").predict_proba(coterie.load(out / "network").transform(samples.X))
    found = predicted(run, call, new)
    expected = [found[name][1] for name in samples.names]
    assert [ids[column] for column in values.argmax(axis=1).tolist()] == expected
    assert len(set(expected)) > 2


def test_the_model_of_a_run_that_learned_nothing_is_that_of_the_fit(run: Path, call: Call) -> None:
    session = session_of(run)
    correct(session)
    session.finish()
    out, ids = exported_model(run, call, 3)
    assert sorted(path.name for path in out.iterdir()) == ["clusters.csv", "model"]
    assert (out / "model").read_bytes() == (run / "model").read_bytes()
    assert len(ids) == 4
    assert len(set(ids.values())) == 3
