"""Encoders on the command line: pictures, sounds and texts from files to clusters, and what is refused."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.cli.open_client import Done, session_of
from tests.cli.test_open import wait
from tests.encoders.fixtures import toys as toys
from tests.encoders.toys import FISHES, FRUITS, ToyTexts, write_pictures, write_sounds

import coterie
from coterie.cli.open import work
from coterie.cli.options.fit import _usual_method
from coterie.encoders import registry

pytestmark = [
    pytest.mark.usefixtures("toys", "place", "few_starts"),
    pytest.mark.filterwarnings("default::UserWarning"),
]
Call = Callable[..., tuple[int, str, str]]
QUICK = [
    "--n-clusters",
    "2",
    "--n-restarts",
    "1",
    "--max-steps",
    "60",
    "--random-state",
    "0",
    "--n-jobs",
    "1",
]
FIT = ["--method", "ddc", "--out", "run", *QUICK]
TEXTS = [*FRUITS, *FISHES]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same texts in every form, and a folder of pictures."""
    monkeypatch.chdir(tmp_path)
    Path("texts").mkdir()
    for number, text in enumerate(TEXTS):
        Path("texts", f"{number:02}.txt").write_text(text)
    lines = [json.dumps({"id": f"t{n}", "body": text, "kind": n // 20}) for n, text in enumerate(TEXTS)]
    Path("t.jsonl").write_text("\n".join(lines) + "\n")
    rows = [f't{n},"{text}",{n // 20}' for n, text in enumerate(TEXTS)]
    Path("t.csv").write_text("id,body,kind\n" + "\n".join(rows) + "\n")
    Path("lines.txt").write_text("\n".join(TEXTS) + "\n\n")
    write_pictures(Path("photos"))


SOURCES = {
    "texts": [],
    "t.jsonl": ["--text", "body", "--label", "kind"],
    "t.csv": ["--text", "body", "--label", "kind"],
    "lines.txt": ["--text", "lines"],
}


@pytest.mark.parametrize("source", SOURCES)
def test_texts_from_files_to_clusters(
    source: str, call: Call, table: Callable[[str], list[list[str]]]
) -> None:
    words = SOURCES[source]
    code, out, err = call("fit", source, *words, "--encoder", "toy-texts", *FIT)
    assert code == 0, err
    assert "encoder: toy-texts (MIT; counts letters)" in err
    rows = table("run/labels.csv")[1:]
    assert len({row[1] for row in rows[:20]}) == len({row[1] for row in rows[20:]}) == 1
    assert rows[0][1] != rows[-1][1]
    assert rows[3][0] == {"texts": "03.txt", "lines.txt": "3"}.get(source, "t3")
    assert ("against the column of classes: ACC 1.000" in out) == ("--label" in words)
    ToyTexts.embedded.clear()
    code, out, err = call("predict", "run", source)
    assert code == 0, err
    assert [line.split(",")[1] for line in out.splitlines()[1:]] == [row[1] for row in rows]
    assert not ToyTexts.embedded  # they lie beside the run
    code, _, err = call("report", "run")
    assert code == 0, err
    page = Path("run/report.html").read_text()
    assert "and the cab was" in page
    assert "k-means with 2 clusters on the same vectors of toy-texts (counts letters): agreement" in page
    assert not ToyTexts.embedded


def test_only_new_files_are_embedded_next_time(call: Call) -> None:
    assert call("fit", "texts", "--encoder", "toy-texts", *FIT)[0] == 0
    assert len(ToyTexts.embedded) == 40
    Path("texts", "new.txt").write_text("a bad beach")
    assert call("fit", "texts", "--encoder", "toy-texts", *FIT, "--overwrite")[0] == 0
    assert ToyTexts.embedded[40:] == ["a bad beach"]


def test_runs_may_share_their_vectors(call: Call) -> None:
    shared = ["--encoder", "toy-texts", "--embeddings", "kept"]
    assert call("fit", "texts", *shared, *FIT)[0] == 0
    other = ["--method", "adc", "--out", "other", *QUICK]
    assert call("fit", "texts", *shared, *other)[0] == 0
    assert call("predict", "other", "texts")[0] == 0
    assert len(ToyTexts.embedded) == 40
    assert not Path("run/embeddings").exists()


def test_pictures(call: Call) -> None:
    code, _, err = call("fit", "photos", "--encoder", "toy-pictures", *FIT)
    assert code == 0, err
    assert call("report", "run")[0] == 0
    examples = Path("run/report.html").read_text().partition("<h2>Examples</h2>")[2].partition("<h2>")[0]
    assert examples.count('<img src="data:image/jpeg') == 12


def test_a_corrected_model_is_taken_away_and_reads_files(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "start", Done)
    code, _, err = call("fit", "photos", "--encoder", "toy-pictures", *FIT)
    assert code == 0, err
    session = session_of(Path("run"))
    session.act(0, "wrong", {"rows": [0], "cluster": int(session.bench.shown.labels[0])})
    session.refit(1)
    wait(session)
    labels = dict(zip(session.library.names, session.bench.shown.labels.tolist(), strict=True))
    session.finish()
    assert call("export", "run", "--to", "model", "--out", "taken")[0] == 0
    assert {path.name for path in Path("taken").iterdir()} == {"model", "clusters.csv"}
    found = coterie.load("taken/model").predict([str(Path("photos", name)) for name in labels])
    # what was said of the first one holds whatever the model finds
    assert found.tolist()[1:] == list(labels.values())[1:]


@pytest.mark.parametrize("words", [["texts"], ["t.csv", "--text", "body"], ["lines.txt", "--text", "lines"]])
def test_the_method_for_vectors_of_an_encoder_is_chosen_and_said(words: list[str], call: Call) -> None:
    code, _, err = call("fit", *words, "--out", "run", *QUICK)
    assert code == 0, err
    assert "--method self-distillation clusters the vectors of the encoder" in err


def test_pictures_are_for_the_method_for_vectors_if_an_encoder_is_there(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _usual_method(["photos", "--out", "run"]) == "self-distillation"
    assert _usual_method(["photos", "--out", "run", "--encoder", "none"]) == "ccn"
    assert _usual_method(["photos", "--out", "run", "--image-size", "16x16"]) == "ccn"
    assert _usual_method(["photos", "--out", "run", "--pairs", "pairs.csv"]) == "ccn"
    monkeypatch.setattr(registry, "_is_there", lambda need: False)
    assert _usual_method(["photos", "--out", "run"]) == "ccn"


def test_sounds(call: Call) -> None:
    write_sounds(Path("sounds"))
    code, _, err = call("fit", "sounds", "--encoder", "toy-sounds", *FIT)
    assert code == 0, err
    assert call("report", "run")[0] == 0
    examples = Path("run/report.html").read_text().partition("<h2>Examples</h2>")[2].partition("<h2>")[0]
    assert examples.count('<img src="data:image/png') == 6


def test_an_array_of_pictures(call: Call) -> None:
    pictures = np.zeros((8, 10, 10), dtype=np.uint8)
    pictures[::2] = 200
    np.save("p.npy", pictures)
    code, out, err = call("fit", "p.npy", "--encoder", "toy-pictures", *FIT)
    assert code == 0, err
    code, out, _ = call("predict", "run", "p.npy")
    assert code == 0
    assert len(out.splitlines()) == 9


def test_a_run_that_starts_from_another_has_its_encoder(call: Call) -> None:
    assert call("fit", "texts", "--encoder", "toy-texts", *FIT)[0] == 0
    code, _, err = call("fit", "texts", "--init", "run", "--out", "next", *QUICK[2:])
    assert code == 0, err
    assert len(ToyTexts.embedded) == 80  # another folder of vectors
    assert call("predict", "next", "texts")[0] == 0


def test_auto_without_an_encoder(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures are then clustered by a network of their own; texts cannot be."""
    monkeypatch.setattr(registry, "_is_there", lambda need: False)
    code, _, err = call("fit", "photos", *FIT)
    assert code == 0, err
    assert "note: photos: no encoder for images is installed" in err
    assert "pip install 'coterie[photos]'" in err
    code, _, err = call("fit", "texts", *FIT, "--overwrite")
    assert code == 2
    assert "none for texts is installed; install it with: pip install 'coterie[texts]'" in err


@pytest.mark.parametrize("words", [["--image-size", "16x16"], ["--backbone", "lenet"], ["--encoder", "none"]])
def test_auto_steps_aside(words: list[str], call: Call) -> None:
    code, _, err = call("fit", "photos", *FIT, *words)
    assert code == 0, err
    assert "encoder" not in err


REFUSED = [
    (["texts", "--encoder", "none"], "texts holds texts, which need an encoder; --encoder names one"),
    (["t.csv", "--text", "body", "--encoder", "none"], "--text takes texts, which need an encoder"),
    (
        ["t.csv", "--text", "bodi", "--encoder", "toy-texts"],
        "--text bodi must be one of the columns id, body, kind",
    ),
    (["t.csv", "--text", "body", "--id", "body", "--encoder", "toy-texts"], "must name different columns"),
    (["texts", "--encoder", "toy-pictures"], "encoder='toy-pictures' takes images, but X holds texts"),
    (["photos", "--encoder", "toy-texts"], "encoder='toy-texts' takes texts, but X holds images"),
    (["photos", "--encoder", "toy"], "encoder must be auto, none or one of"),
    (["photos", "--text", "body", "--encoder", "toy-texts"], "photos is a folder"),
    (["x.npy", "--encoder", "toy-texts"], "x.npy holds vectors of numbers, which no encoder takes"),
    (["empty.txt", "--text", "lines", "--encoder", "toy-texts"], "empty.txt holds no texts"),
]


@pytest.mark.parametrize(("words", "expected"), REFUSED)
def test_refused(words: list[str], expected: str, call: Call) -> None:
    np.save("x.npy", np.zeros((4, 3)))
    Path("empty.txt").write_text("\n")
    code, out, err = call("fit", *words, *FIT)
    assert (code, out) == (2, "")
    assert expected in err
    assert not Path("run").exists()


def test_an_empty_text_is_named(call: Call) -> None:
    Path("texts", "05.txt").write_text(" \n")
    code, _, err = call("fit", "texts", "--encoder", "toy-texts", *FIT)
    assert code == 2
    assert "1 of 40 texts cannot be read: 05.txt (the text is empty); --skip-broken ignores them" in err
    code, _, err = call("fit", "texts", "--encoder", "toy-texts", *FIT, "--skip-broken")
    assert code == 0, err
    assert "05.txt (the text is empty); left out" in err
    assert len(Path("run/labels.csv").read_text().splitlines()) == 40


def test_a_photo_that_cannot_be_read(call: Call, table: Callable[[str], list[list[str]]]) -> None:
    Path("photos", "003.png").write_bytes(b"")
    code, _, err = call("fit", "photos", "--encoder", "toy-pictures", *FIT)
    assert code == 2
    assert "1 of 12 images cannot be read: 003.png (" in err
    code, _, err = call("fit", "photos", "--encoder", "toy-pictures", *FIT, "--skip-broken")
    assert code == 0
    assert "1 of 12 images cannot be read: 003.png (" in err
    assert "left out" in err
    names = [row[0] for row in table("run/labels.csv")[1:]]
    assert names == [f"{number:03}.png" for number in range(12) if number != 3]


def test_texts_in_another_language_are_said_once(call: Call) -> None:
    for number in range(3):
        Path("texts", f"x{number}.txt").write_text(f"дешёвая нефть {number}", encoding="utf-8")
    code, _, err = call("fit", "texts", "--encoder", "toy-texts", *FIT)
    assert code == 0
    assert err.count("3 texts do not seem to be in English, the only language that toy-texts knows") == 1
    assert "in English" not in call("predict", "run", "texts")[2]


@pytest.mark.parametrize("name", ["transformers:nobody/nothing", "sentence-transformers:nobody/nothing"])
def test_a_hub_name_without_a_network(name: str, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*given: Any) -> None:
        raise OSError("Name or service not known")

    monkeypatch.setattr(socket, "create_connection", refuse)
    code, out, err = call("fit", "texts", "--encoder", name, *FIT)
    assert (code, out) == (2, "")
    assert f"encoder='{name}' must be a folder or a model downloaded before, since" in err
    assert "without a network there are efficientnet-lite0, minilm, wordllama, voices" in err
    assert not Path("run").exists()


def test_other_weights_are_refused(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    assert call("fit", "texts", "--encoder", "toy-texts", *FIT)[0] == 0
    monkeypatch.setitem(registry._REGISTERED, "toy-texts", lambda: ToyTexts("2"))
    for command in (["predict", "run", "texts"], ["report", "run"]):
        code, _, err = call(*command)
        assert code == 2
        assert "must have the weights of the fit" in err


def test_a_note_beside_pictures_is_no_sample(call: Call) -> None:
    Path("photos", "README.txt").write_text("Photos.")
    code, _, err = call("fit", "photos", "--encoder", "toy-pictures", *FIT)
    assert code == 0, err
    assert "1 files of other kinds are ignored" in err


def test_the_list_of_encoders(call: Call) -> None:
    code, out, _ = call("encoders", "--json")
    assert code == 0
    listed = {one["name"]: one for one in json.loads(out)}
    assert listed["efficientnet-lite0"]["licence"] == "Apache-2.0"
    assert listed["wordllama"]["licence"] == "MIT"
    assert {one["modality"] for one in listed.values()} >= {"image", "text", "sound"}
