"""The command line as a new user meets it: folders, ids, thresholds, config files, full disks."""

from __future__ import annotations

import json
import re
import resource
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
from PIL import Image
from safetensors import safe_open
from safetensors.numpy import save_file

import coterie
from coterie.cli import COMMANDS

Digits = Any
Call = Callable[..., tuple[int, str, str]]
Table = Callable[[str | Path], list[list[str]]]
QUICK = ["--n-clusters", "10", "--n-restarts", "1", "--max-steps", "60", "--random-state", "0"]
QUICK += ["--encoder", "none"]
QUICK += ["--over-clustering", "true"]
LABELS = ["--labels", "y.npy"]


@pytest.fixture
def images(folder: Path, digits: Digits) -> Path:
    """The digits as a folder of images in reverse order, and their labels by file name."""
    X, y = digits
    place = folder / "images"
    place.mkdir()
    names = [f"{len(X) - row:03}.png" for row in range(len(X))]
    for name, row in zip(names, X, strict=True):
        Image.fromarray((row.reshape(8, 8) * 15).astype(np.uint8)).save(place / name)
    lines = [f"{name},digit {label}" for name, label in zip(names, y, strict=True)]
    (folder / "named.csv").write_text("\n".join(["id,label", *lines]) + "\n")
    return place


@pytest.mark.filterwarnings("default::UserWarning")
def test_a_folder_of_images(images: Path, call: Call, table: Table) -> None:
    code, _, err = call("fit", "images", "--labels", "named.csv", "--out", "run", *QUICK)
    assert code == 0, err
    _, *rows = table("run/labels.csv")
    assert [row[0] for row in rows] == sorted(path.name for path in images.iterdir())
    code, out, _ = call("evaluate", "run/labels.csv", "--labels", "named.csv", "--json")
    assert code == 0
    assert json.loads(out)["ACC"] > 0.7

    (images / "broken.png").write_text("no image")
    code, _, err = call("predict", "run", "images")
    assert code == 2
    assert "broken.png (it is not an image); --skip-broken ignores them" in err
    code, out, err = call("predict", "run", "images", "--skip-broken", "--out", "new.csv")
    assert (code, out) == (0, "wrote new.csv\n")
    assert "1 of 151 files cannot be read" in err
    assert table("new.csv")[1:] == rows


def test_labels_find_their_rows_by_file_name(images: Path, call: Call, digits: Digits) -> None:
    (images.parent / "natural.csv").write_text(
        Path("named.csv").read_text().replace("id,label", "filename,label")
    )
    assert call("fit", "images", "--labels", "natural.csv", "--out", "run", *QUICK)[0] == 0
    scores = [
        json.loads(call("evaluate", "run/labels.csv", "--labels", name, "--json")[1])
        for name in ("named.csv", "natural.csv")
    ]
    assert scores[0] == scores[1]
    code, out, err = call("evaluate", "natural.csv", "--labels", "named.csv", "--json")
    assert (code, json.loads(out)["ACC"], err) == (0, 1.0, "")


def test_labels_of_no_sample_stop_the_fit(images: Path, call: Call) -> None:
    with open("named.csv", "a", encoding="utf-8") as file:
        file.write("7.png,digit 1\n")
    code, _, err = call("fit", "images", "--labels", "named.csv", "--out", "run", *QUICK)
    assert code == 2
    assert "named.csv, line 152: id must be one of the ids of 150 samples, got '7.png'" in err


@pytest.mark.filterwarnings("default::UserWarning")
def test_labels_of_a_broken_file_are_left_out_with_it(images: Path, call: Call) -> None:
    (images / "007.png").write_text("no image")
    words = ["fit", "images", "--labels", "named.csv", "--out", "run", *QUICK, "--max-steps", "3"]
    code, _, err = call(*words, "--skip-broken")
    assert (code, "none of" in err) == (0, False)
    assert call("report", "run")[0] == 0
    code, _, err = call("evaluate", "run/labels.csv", "--labels", "named.csv")
    assert (
        code,
        "1 ids do not belong to any of the 149 rows and are ignored, for example '007.png'" in err,
    ) == (0, True)


def test_pairs_by_file_name(images: Path, call: Call) -> None:
    Path("named_pairs.csv").write_text("i,j,same\n001.png,002.png,different\n003.png,002.png,1\n")
    words = ["fit", "images", "--pairs", "named_pairs.csv", "--out", "run", *QUICK, "--max-steps", "5"]
    assert call(*words)[0] == 0
    Path("named_pairs.csv").write_text("i,j,same\n001.png,none.png,1\n")
    code, _, err = call(*words, "--overwrite")
    assert code == 2
    assert "line 2: j must be one of the ids of 150 samples, got 'none.png'" in err


def test_a_folder_of_sounds(folder: Path, call: Call, table: Table) -> None:
    Path("sounds").mkdir()
    for number in range(8):
        wave = np.sin(np.arange(4000) * (0.1 if number % 2 else 1.5) + number)
        soundfile.write(f"sounds/{number}.wav", wave, 8000)
    Path("kinds.csv").write_text("id,label\n" + "".join(f"{n}.wav,{n % 2}\n" for n in range(6)))
    words = ["--n-clusters", "2", "--max-steps", "20", "--n-restarts", "1", "--random-state", "0"]
    words += ["--encoder", "none"]
    assert call("fit", "sounds", "--labels", "kinds.csv", "--out", "run", *words)[0] == 0
    labels = [row[1] for row in table("run/labels.csv")[1:]]
    assert labels == labels[:2] * 4
    assert labels[0] != labels[1]


def test_image_size_and_strict(images: Path, call: Call) -> None:
    Image.new("L", (9, 8)).save(images / "zz.png")
    words = ["fit", "images", "--labels", "named.csv", "--out", "run", *QUICK, "--max-steps", "3"]
    code, _, err = call(*words, "--strict")
    assert code == 2
    assert "all images must have the size 8x8 with --strict, but 1 of 151 differ" in err
    assert call(*words, "--strict", "--image-size", "6x7")[0] == 0
    assert coterie.load("run/model").sample_shape_ == (6, 7)
    code, _, err = call(*words, "--image-size", "6", "--overwrite")
    assert code == 2
    assert "--image-size='6' must be a height and a width, such as 32x32" in err


def test_threshold_leaves_rows_unassigned(folder: Path, call: Call, table: Table) -> None:
    words = ["fit", "x.npy", *LABELS, "--out", "run", *QUICK, "--threshold", "0.9"]
    code, out, _ = call(*words)
    assert code == 0
    rows = table("run/labels.csv")[1:]
    unsure = [row for row in rows if float(row[2]) < 0.9]
    assert 0 < len(unsure) < 150
    assert all(row[1] == "-1" for row in unsure)
    assert re.search(rf"^unassigned +{len(unsure)}$", out, re.MULTILINE)
    code, out, _ = call("evaluate", "run/labels.csv", *LABELS)
    assert out.split()[6] == "unassigned"
    assert out.split()[-1] == str(len(unsure))
    assert call("predict", "run", "x.npy", "--out", "same.csv")[0] == 0
    assert table("same.csv")[1:] == rows
    assert call("predict", "run", "x.npy", "--threshold", "0", "--out", "all.csv")[0] == 0
    assert all(row[1] != "-1" for row in table("all.csv")[1:])
    for threshold in ("1.5", "-1"):
        code, _, err = call("predict", "run", "x.npy", "--threshold", threshold)
        assert code == 2
        assert "must be in 0..1" in err


@pytest.mark.filterwarnings("default:.*the labels are used in the order of the samples")
def test_parquet_in_and_out(folder: Path, call: Call, table: Table, digits: Digits) -> None:
    X, _ = digits
    ids = [f"row {number}" for number in range(len(X))]
    pq.write_table(pa.table({"id": ids, "vector": X.tolist()}), "x.parquet")
    assert call("fit", "x.parquet", *LABELS, "--out", "run", *QUICK)[0] == 0
    assert call("predict", "run", "x.parquet", "--out", "new.parquet")[0] == 0
    found = pq.read_table("new.parquet").to_pydict()
    rows = table("run/labels.csv")[1:]
    assert found["id"] == ids == [row[0] for row in rows]
    assert found["label"] == [int(row[1]) for row in rows]
    assert found["second_probability"] == pytest.approx([float(row[4]) for row in rows], abs=1e-6)


def test_an_existing_file_is_not_replaced_unasked(folder: Path, call: Call) -> None:
    assert call("fit", "x.npy", *LABELS, "--out", "run", *QUICK)[0] == 0
    Path("new.csv").write_text("mine")
    code, _, err = call("predict", "run", "x.npy", "--out", "new.csv")
    assert code == 2
    assert "--out: new.csv exists; --overwrite replaces it" in err
    assert Path("new.csv").read_text() == "mine"
    assert call("predict", "run", "x.npy", "--out", "new.csv", "--overwrite")[0] == 0
    assert Path("new.csv").read_text() != "mine"


def test_safe_csv_quotes_what_a_spreadsheet_would_compute(
    folder: Path, call: Call, table: Table, digits: Digits
) -> None:
    X, y = digits
    names = ["=1+1", "+a", "-2", "@x", "a=b", "b"]
    ids = names + [f"row {number}" for number in range(len(X) - len(names))]
    pq.write_table(pa.table({"id": ids, "vector": X.tolist()}), "x.parquet")
    pq.write_table(pa.table({"id": ids, "label": y.tolist()}), "named.parquet")
    words = ["fit", "x.parquet", "--labels", "named.parquet", "--out", "run", *QUICK, "--max-steps", "2"]
    safe = ["'=1+1", "'+a", "'-2", "'@x", "a=b", "b"]
    for more, expected in (([], names), (["--safe-csv"], safe)):
        assert call(*words, *more, "--overwrite")[0] == 0
        assert [row[0] for row in table("run/labels.csv")[1:7]] == expected
        out = call("predict", "run", "x.parquet", *more)[1]
        assert [line.split(",")[0] for line in out.splitlines()[1:7]] == expected


def test_json(folder: Path, call: Call) -> None:
    code, out, _ = call("fit", "x.npy", *LABELS, "--out", "run", *QUICK, "--json")
    found = json.loads(out)
    assert code == 0
    assert (found["run"], found["rows"], sum(found["sizes"]), found["restarts"]) == ("run", 150, 150, 1)
    code, out, _ = call("predict", "run", "x.npy", "--out", "new.csv", "--json")
    assert json.loads(out) == {"out": "new.csv", "sizes": found["sizes"], "unassigned": 0}
    code, _, err = call("predict", "run", "x.npy", "--json")
    assert (code, "--json needs --out" in err) == (2, True)
    listed = json.loads(call("methods", "--json")[1])
    listed = {one["name"]: one for one in listed}
    assert listed["ccn"]["papers"] == ["arXiv:1511.06321", "arXiv:1806.11078"]


def test_config_files(folder: Path, call: Call) -> None:
    words = ["x.npy", *LABELS, "--out", "run", *QUICK]
    code, out, _ = call("fit", *words, "--print-config")
    assert code == 0
    assert "max_steps: 60" in out
    Path("run.yaml").write_text(out.replace("max_steps: 60", "max_steps: 7"))
    assert call("fit", "--config", "run.yaml")[0] == 0
    assert coterie.load("run/model").get_params()["max_steps"] == 7
    assert call("fit", "--config", "run.yaml", "--max_steps", "9", "--overwrite")[0] == 0
    assert coterie.load("run/model").get_params()["max_steps"] == 9
    Path("other.yaml").write_text("method: nonsense\n")
    code, _, err = call("fit", "--config", "other.yaml")
    assert code == 2
    assert (
        "method must be one of adc, ccn, ddc, l2c, self-distillation, similarity, tables, got 'nonsense'"
        in err
    )
    for content in ("max_stepss: 3\n", "a: [", "- 1\n"):
        Path("bad.yaml").write_text(content)
        code, out, err = call("fit", *words, "--config", "bad.yaml", "--overwrite")
        assert (code, out, err.count("\n")) == (2, "", 1), err
    code, _, err = call("fit", *words, "--config", "missing.yaml")
    assert (code, "missing.yaml" in err) == (2, True)


def test_init_starts_from_another_run(folder: Path, call: Call) -> None:
    assert call("fit", "x.npy", *LABELS, "--out", "first", *QUICK, "--max-steps", "150")[0] == 0
    few = [*QUICK, "--max-steps", "1"]
    words = ["fit", "x.npy", "--pairs", "pairs.csv", "--out", "second", "--init", "first", *few]
    assert call(*words)[0] == 0
    before, after = (
        json.loads(call("evaluate", f"{run}/labels.csv", *LABELS, "--json")[1]) for run in ("first", "second")
    )
    assert after["ACC"] > before["ACC"] - 0.1 > 0.6
    code, _, err = call("fit", "x.npy", *LABELS, "--out", "third", "--init", "nowhere", *few)
    assert (code, "nowhere/model does not exist; it must be a model file" in err) == (2, True)
    assert not Path("third").exists()


@pytest.mark.filterwarnings("ignore:n_clusters=5 must be >= 6 to satisfy the pairs")
def test_init_goes_on_by_the_method_of_the_run(folder: Path, call: Call) -> None:
    fast = ["--random-state", "0", "--over-clustering", "true"]
    first = ["--method", "ddc", "--n-clusters", "7", "--backbone", "mlp", "--max-steps", "20"]
    assert call("fit", "x.npy", *first, *fast, "--n-restarts", "2", "--out", "first")[0] == 0
    more = ["--pairs", "pairs.csv", "--init", "first", "--max-steps", "3", *fast]
    assert call("fit", "x.npy", *more, "--out", "second")[0] == 0
    second: Any = coterie.load("second/model")
    assert isinstance(second, coterie.DDC)
    assert (second.n_outputs_, second.backbone, len(second.runs_)) == (7, "mlp", 1)
    Path("more.yaml").write_text("init: first\nn_clusters: 5\n")
    config = ["--pairs", "pairs.csv", "--config", "more.yaml", "--max-steps", "3", *fast]
    assert call("fit", "x.npy", *config, "--out", "third")[0] == 0
    third: Any = coterie.load("third/model")
    assert isinstance(third, coterie.DDC)
    assert (third.n_outputs_, third.backbone) == (5, "mlp")
    code, out, err = call("fit", "x.npy", *LABELS, "--init", "first", *fast, "--out", "none")
    assert (code, out, "--method ddc does not accept --labels" in err) == (2, "", True)
    other = [*more, "--method", "ccn", "--n-clusters", "7", "--backbone", "mlp", "--out", "fourth"]
    assert call("fit", "x.npy", *other)[0] == 0
    assert isinstance(coterie.load("fourth/model"), coterie.CCN)


@pytest.mark.filterwarnings("default::UserWarning")
def test_init_reads_as_the_run_did(images: Path, call: Call) -> None:
    words = ["fit", "images", "--labels", "named.csv", *QUICK, "--max-steps", "2"]
    assert call(*words, "--image-size", "12x10", "--out", "first")[0] == 0
    code, _, err = call(*words, "--init", "first", "--out", "second")
    assert code == 0, err
    assert coterie.load("second/model").sample_shape_ == (12, 10)


def test_the_run_says_what_it_was_made_from(folder: Path, call: Call) -> None:
    assert call("fit", "x.npy", *LABELS, "--out", "run", *QUICK, "--max-steps", "2")[0] == 0
    metadata = json.loads(Path("run/run.json").read_text())
    assert metadata["data"] == str(folder / "x.npy")
    assert metadata["labels"] == str(folder / "y.npy")
    assert metadata["reading"] == {"modality": "vectors"}
    assert metadata["command"].startswith("coterie fit x.npy --labels y.npy --out run --n-clusters 10 ")
    Path("run/run.json").write_text("{")
    code, _, err = call("predict", "run", "x.npy")
    assert (code, "run/run.json is damaged" in err) == (2, True)


@pytest.fixture
def small_disk() -> Iterator[Callable[[int], None]]:
    """A limit on the size of files, past which writing fails as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_leaves_nothing_half_written(
    folder: Path, call: Call, small_disk: Callable[[int], None]
) -> None:
    words = ["fit", "x.npy", *LABELS, "--out", "run", *QUICK, "--max-steps", "3"]
    assert call(*words)[0] == 0
    before = {path: path.read_bytes() for path in Path("run").iterdir() if path.is_file()}
    small_disk(2000)
    codes = [call("predict", "run", "x.npy", "--out", "new.csv"), call(*words, "--overwrite")]
    small_disk(-1)
    for code, out, err in codes:
        assert (code, out) == (2, "")
        assert "File too large" in err
        assert "Traceback" not in err
    assert not Path("new.csv").exists()
    assert {path: path.read_bytes() for path in Path("run").iterdir() if path.is_file()} == before
    assert not list(Path().glob(".coterie*"))


def test_a_model_of_another_version(folder: Path, call: Call) -> None:
    assert call("fit", "x.npy", *LABELS, "--out", "run", *QUICK, "--max-steps", "3")[0] == 0
    with safe_open("run/model", "np") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        header = file.metadata()
    save_file(tensors, "run/model", header | {"format": "coterie-9"})
    code, _, err = call("predict", "run", "x.npy")
    assert (code, err.count("\n")) == (2, 1)
    assert "run/model has format coterie-9, this version of coterie reads coterie-2: the version that" in err


def test_a_fit_that_cannot_begin_leaves_no_folder(folder: Path, call: Call) -> None:
    np.save("one.npy", np.ones((1, 3)))
    code, _, err = call("fit", "one.npy", "--method", "ddc", "--out", "run")
    assert (code, err.count("\n")) == (2, 1)
    assert "n_samples=1 must be >= 2" in err
    assert not Path("run").exists()


def completions(script: str, *words: str) -> list[str]:
    """What bash would offer for the last word."""
    line = " ".join(f"'{word}'" for word in words)
    ask = f"COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _coterie; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    done = subprocess.run(["bash", "-c", script + ask], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_completion(folder: Path, call: Call) -> None:
    code, script, err = call("completion", "bash")
    assert (code, err) == (0, "")
    assert completions(script, "coterie", "") == list(COMMANDS)
    assert completions(script, "coterie", "ev") == ["evaluate"]
    assert completions(script, "coterie", "fit", "--max") == ["--max-epochs", "--max-pixels", "--max-steps"]
    assert sorted(completions(script, "coterie", "fit", "x.")) == ["x.csv", "x.idx", "x.npy"]
    assert call("completion", "zsh")[1].endswith(script)
    fish = call("completion", "fish")[1]
    assert "complete -c coterie -n '__fish_seen_subcommand_from fit' -l max-epochs\n" in fish
    code, _, err = call("completion", "tcsh")
    assert (code, "invalid choice: 'tcsh'" in err) == (2, True)
