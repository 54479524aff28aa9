"""Tables on the command line: options, what is said, and the same reading in every later command."""

from __future__ import annotations

import gzip
import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.cli.open_client import forked_work

from coterie.cli.open import work
from coterie.cli.open.server import OpenServer

pytestmark = pytest.mark.filterwarnings("default::UserWarning")
Call = Callable[..., tuple[int, str, str]]
QUICK = ["--n-clusters", "2", "--n-restarts", "1", "--max-steps", "30", "--random-state", "0"]
RNG = np.random.default_rng(0)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a German table: semicolons, decimal commas, cp1252."""
    monkeypatch.chdir(tmp_path)
    n, group = 60, np.arange(60) % 2
    frame = pd.DataFrame(
        {
            "kunde": [f"k{row:03}" for row in range(n)],
            "größe": np.round(10 * group + RNG.normal(size=n), 3),
            "farbe": np.where(group, "rot", "blau"),
            "art": np.where(group, "x", "y"),
            "notiz": [f"Satz {row}" for row in range(n)],
        }
    )
    frame.to_csv("t.csv", sep=";", decimal=",", index=False, encoding="cp1252")
    return tmp_path


def test_options_of_tables(place: Path, call: Call) -> None:
    words = ["--id", "kunde", "--label", "art", "--drop", "notiz"]
    code, out, err = call("fit", "t.csv", "--method", "ddc", *words, "--out", "run", *QUICK)
    assert code == 0, err
    said = [line.partition("t.csv: ")[2] for line in err.splitlines() if line.startswith("coterie: note: ")]
    assert said == [
        "semicolon separated, decimal commas, cp1252",
        "column 'farbe': 2 words became columns of 0 and 1 (blau, rot)",
    ]
    assert "against the column of classes: ACC 1.000, NMI 1.000" in out
    labels = pd.read_csv("run/labels.csv")
    assert labels["id"].tolist() == [f"k{row:03}" for row in range(60)]
    metadata = json.loads(Path("run/run.json").read_text())
    assert metadata["reading_options"] == {"id": "kunde", "label": "art", "drop": "notiz"}
    assert metadata["reading"]["columns"] == ["größe", "farbe"]

    frame = pd.read_csv("t.csv", sep=";", decimal=",", encoding="cp1252")
    frame[["farbe", "größe", "kunde"]].to_csv("new.csv", index=False)
    code, out, err = call("predict", "run", "new.csv")
    assert (code, err) == (0, "")
    assert [line.split(",")[1] for line in out.splitlines()[1:]] == labels["label"].astype(str).tolist()
    code, _, err = call("report", "run")
    assert (code, err) == (0, "")


def test_classes_of_a_column_are_what_ccn_learns_from(place: Path, call: Call) -> None:
    words = ["--id", "kunde", "--label", "art", "--features", "größe", "--out", "run", *QUICK]
    code, out, err = call("fit", "t.csv", "--method", "ccn", *words)
    assert code == 0, err
    assert "ACC 1.000" in out
    Path("y.csv").write_text("a\nb\n")
    code, _, err = call("fit", "t.csv", *words, "--overwrite", "--labels", "y.csv")
    assert code == 2
    assert "--labels and --label must not be combined" in err


def test_strict_refuses_what_would_be_changed(place: Path, call: Call) -> None:
    code, _, err = call("fit", "t.csv", "--method", "ddc", "--strict", "--out", "run", *QUICK)
    assert code == 2
    assert "t.csv: --strict does not allow changes: semicolon separated, decimal commas, cp1252; " in err
    assert "column 'notiz': ignored, because it has 60 different words in 60 values" in err
    assert not Path("run").exists()
    pd.DataFrame(RNG.normal(size=(20, 2)), columns=["a", "b"]).to_csv("plain.csv", index=False)
    code, _, err = call("fit", "plain.csv", "--method", "ddc", "--strict", "--out", "run", *QUICK)
    assert code == 0, err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["--id", "kunden"],
            "t.csv: --id kunden must be one of the columns kunde, größe, .*did you mean 'kunde'",
        ),
        (["--features", "größe,breite"], "--features breite must be one of the columns"),
        (
            ["--drop", "größe", "--features", "größe"],
            "--features and --drop must name different columns; both name größe",
        ),
        (["--label", "kunde", "--id", "kunde"], "--id and --label must name different columns"),
        (["--drop", "kunde,größe,farbe,art,notiz"], "must have a column of numbers"),
        (["--sep", "ab"], "--sep 'ab' must be one character, tab or space"),
        (["--decimal", ";"], "--decimal ';' must be a comma or a point"),
        (["--header", "maybe"], "--header 'maybe' must be yes or no"),
        (["--features", '"a'], "--features .* must be names of columns, separated by commas"),
        (
            ["--header", "no", "--drop", "9"],
            r"--drop 9 must be one of the columns 1\.\.5, which have no names",
        ),
        (["--feat", "größe"], "--feat"),
    ],
)
def test_options_that_name_nothing(place: Path, call: Call, words: list[str], said: str) -> None:
    code, _, err = call("fit", "t.csv", "--method", "ddc", *words, "--out", "run", *QUICK)
    assert code == 2
    (line,) = [line for line in err.splitlines() if "error" in line]
    assert re.search(said, line), line
    assert not Path("run").exists()


def test_a_table_without_a_header(place: Path, call: Call) -> None:
    X = np.c_[np.arange(60) % 2 * 9 + RNG.normal(size=60), RNG.normal(size=60), np.arange(60) % 2]
    with gzip.open("x.txt.gz", "wt") as file:
        np.savetxt(file, X)
    code, out, err = call("fit", "x.txt.gz", "--method", "ddc", "--label", "3", "--out", "run", *QUICK)
    assert code == 0, err
    assert "x.txt.gz: space separated" in err
    assert "against the column of classes: ACC" in out
    assert json.loads(Path("run/run.json").read_text())["reading"]["columns"] is None


def test_a_run_goes_on_by_the_reading_of_the_first(place: Path, call: Call) -> None:
    words = ["--id", "kunde", "--drop", "notiz,art", "--sep", ";"]
    assert call("fit", "t.csv", "--method", "ddc", *words, "--out", "run", *QUICK)[0] == 0
    Path("pairs.csv").write_text("i,j,same\nk001,k003,1\nk001,k002,-1\n")
    code, _, err = call(
        "fit", "t.csv", "--init", "run", "--pairs", "pairs.csv", "--max-steps", "5", "--out", "new"
    )
    assert code == 0, err
    said: Any = [json.loads(Path(run, "run.json").read_text()) for run in ("run", "new")]
    assert said[0]["reading_options"] == said[1]["reading_options"]
    assert said[0]["reading"] == said[1]["reading"]


@pytest.mark.parametrize("damaged", [{"sep": 1}, {"strict": "yes"}, {"unknown": "a"}, ["a"]])
def test_damaged_reading_options(place: Path, call: Call, damaged: Any) -> None:
    assert call("fit", "t.csv", "--method", "ddc", "--drop", "notiz,kunde", "--out", "run", *QUICK)[0] == 0
    found = json.loads(Path("run/run.json").read_text()) | {"reading_options": damaged}
    Path("run/run.json").write_text(json.dumps(found))
    code, _, err = call("report", "run")
    assert code == 2
    assert "run.json is damaged: its reading_options hold" in err


def test_label_names_every_reading_option_of_the_run(
    place: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["--id", "kunde", "--drop", "notiz,art", "--sep", ";", "--skip-broken"]
    assert call("fit", "t.csv", "--method", "ddc", *words, "--out", "run", *QUICK)[0] == 0

    def answer_one(server: OpenServer, poll_interval: float) -> None:
        rows = [sample["row"] for sample in server.session.question()["pair"]]
        server.session.act(0, "pair", {"rows": rows, "same": True})
        assert server.session.way_on().endswith("--init run --out NEW")

    monkeypatch.setattr(OpenServer, "serve_forever", answer_one)
    monkeypatch.setattr(work, "start", forked_work)
    code, out, err = call("label", "run")
    assert (code, err) == (0, "coterie: looking at all samples\n")
    command = out.splitlines()[-1].removeprefix("to use them in a whole new fit: ")
    given = shlex.split(command)
    assert given[:2] == ["coterie", "fit"]
    for word in words:
        assert word in given
    code, _, err = call(*given[1:-1], "new", "--max-steps", "3")
    assert code == 0, err
    said = [json.loads(Path(run, "run.json").read_text()) for run in ("run", "new")]
    assert said[0]["reading_options"] == said[1]["reading_options"]


@pytest.fixture
def unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A table of three clouds of which nothing is known, once with a column of classes."""
    monkeypatch.chdir(tmp_path)
    kind = np.arange(150) % 3
    values = np.round(RNG.normal(size=(150, 2)) + 12 * kind[:, None] * [1, -1], 3)
    pd.DataFrame(values, columns=["a", "b"]).assign(kind=kind.astype(str)).to_csv("t.csv", index=False)
    pd.DataFrame(values, columns=["a", "b"]).to_csv("new.csv", index=False)
    return tmp_path


def test_a_table_of_which_nothing_is_known(unknown: Path, call: Call) -> None:
    code, out, err = call("fit", "new.csv", "--out", "run", "--random-state", "0")
    assert code == 0, err
    assert "--method tables (L2C's model for tables) finds the number of clusters" in err
    assert "3 of 3 clusters used" in out
    assert "-log P(k)" in out
    assert set(pd.read_csv("run/labels.csv")["label"]) - {-1} == {0, 1, 2}
    assert call("predict", "run", "new.csv", "--out", "again.csv")[0] == 0
    assert Path("again.csv").read_bytes() == Path("run/labels.csv").read_bytes()
    far = pd.concat([pd.read_csv("new.csv").head(3), pd.DataFrame({"a": [300], "b": [300]})])
    far.to_csv("far.csv", index=False)
    assert call("predict", "run", "far.csv", "--out", "far_labels.csv")[0] == 0
    assert pd.read_csv("far_labels.csv")["label"].tolist()[3] == -1
    assert call("report", "run")[0] == 0
    assert "-log P(k)" in Path("run/report.html").read_text()
    code, out, _ = call("fit", "new.csv", "--out", "all", "--noise", "false", "--n-clusters", "2", "--json")
    assert code == 0
    assert json.loads(out)["unassigned"] == 0
    assert len(json.loads(out)["sizes"]) == 2


def test_resumed_replaced_and_quick(unknown: Path, call: Call) -> None:
    words = ("fit", "new.csv", "--out", "run", "--random-state", "0")
    assert call(*words, "--resume", "--quick")[0] == 0
    first = Path("run/labels.csv").read_bytes()
    assert call(*words)[0] == 2
    assert call(*words, "--overwrite")[0] == 0
    assert Path("run/labels.csv").read_bytes() == first
    code, _, err = call("fit", "new.csv", "--out", "other", "--init", "run")
    assert code == 2
    assert "trains nothing" in err


@pytest.mark.parametrize("known", [["--label", "kind"], ["--labels", "labels.csv"], ["--pairs", "pairs.csv"]])
def test_a_table_of_which_something_is_known_is_for_ccn(unknown: Path, call: Call, known: list[str]) -> None:
    Path("labels.csv").write_text("id,label\n0,a\n1,b\n2,c\n")
    Path("pairs.csv").write_text("i,j,same\n0,3,1\n0,1,-1\n")
    quick = ["--n-clusters", "3", "--max-steps", "5", "--n-restarts", "1", "--over-clustering", "true"]
    code, _, err = call("fit", "t.csv", "--out", "run", *known, *quick)
    assert code == 0, err
    assert "--method tables" not in err
