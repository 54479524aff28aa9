"""The command line in one process: results on stdout, the rest on stderr, one line per error."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import coterie
from coterie.cli import COMMANDS
from coterie.cli import demo as demo_module
from coterie.cli.demo import run_demo
from coterie.engine.restarts import run_session
from coterie.engine.storage import read_tensors
from coterie.methods import watched

Digits = Any
QUICK = ["--n-clusters", "10", "--n-restarts", "2", "--max-steps", "60", "--random-state", "0"]
QUICK += ["--over-clustering", "true"]
LABEL_HEADER = ["id", "label", "probability", "second", "second_probability"]


Call = Callable[..., tuple[int, str, str]]
Table = Callable[[str | Path], list[list[str]]]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(call: Call, command: str) -> None:
    code, out, err = call(command, "--help")
    assert (code, err) == (0, "")
    assert out.startswith(f"usage: coterie {command} ")
    assert not re.search(r"--\w+_", out)
    assert "`" not in out
    assert "==SUPPRESS==" not in out
    assert max(len(line) for line in out.splitlines()) <= 100


def test_help_of_fit_names_choices_and_defaults(call: Call) -> None:
    out = " ".join(call("fit", "--help")[1].split())
    for part in (
        "--loss {ccl,kcl}",
        "--preset {default,paper,code}",
        "--n-clusters N",
        "(default: 8)",
        "--out RUN",
    ):
        assert part in out
    for absent in ("checkpoint", "verbose"):
        assert f"--{absent}" not in out


def test_usage_version_and_methods(call: Call) -> None:
    assert call()[0] == 2
    code, out, _ = call("--help")
    assert code == 0
    assert all(re.search(rf"^  {name} ", out, re.MULTILINE) for name in COMMANDS)
    assert call("--version") == (0, "coterie 0.1.0\n", "")
    assert re.search(r"^ccn +\w+", call("methods")[1], re.MULTILINE)


@pytest.mark.parametrize("data", ["x.npy", "both.npz", "x.csv", "x.idx", "images-idx3-ubyte.gz"])
def test_fit_predict_evaluate(folder: Path, call: Call, table: Table, digits: Digits, data: str) -> None:
    labels = "both.npz" if data == "both.npz" else "y.csv"
    code, out, err = call("fit", data, "--labels", labels, "--out", "run", *QUICK)
    assert code == 0
    assert "lowest of 2 restarts" in out
    assert "step" not in out
    assert "/120 [" in err  # the progress bar
    assert sorted(path.name for path in Path("run").iterdir()) == [
        "checkpoint",
        "history.csv",
        "labels.csv",
        "model",
        "run.json",
    ]
    header, *rows = table("run/labels.csv")
    assert header == LABEL_HEADER
    assert [row[0] for row in rows] == [str(number) for number in range(len(digits[1]))]
    model = coterie.load("run/model")
    assert [int(row[1]) for row in rows] == model.labels_.tolist()
    assert all(float(row[2]) >= float(row[4]) for row in rows)
    assert all(row[1] != row[3] for row in rows)
    columns, *epochs = table("run/history.csv")
    assert columns == ["restart", "epoch", "step", "learning_rate", "ccl", "loss"]
    assert [row[0] for row in epochs] == ["0"] * (len(epochs) // 2) + ["1"] * (len(epochs) // 2)

    assert call("predict", "run", data, "--out", "again.csv") == (0, "wrote again.csv\n", "")
    assert table("again.csv") == [header, *rows]
    code, out, err = call("predict", "run", data)
    assert (code, out, err) == (0, Path("again.csv").read_text(), "")

    code, out, err = call("evaluate", "run/labels.csv", "--labels", "y.npy")
    assert (code, err) == (0, "")
    names, _, values = (line.split() for line in out.splitlines())
    assert names == ["rows", "ACC", "NMI", "purity", "clusters", "dominant"]
    assert values[0] == "150"
    assert float(values[1]) > 0.7


def test_fit_from_pairs(folder: Path, call: Call) -> None:
    code, _, _ = call("fit", "x.npy", "--pairs", "pairs.csv", "--out", "run", *QUICK)
    assert code == 0
    Path("bad.csv").write_text("i,j,same\n0,1,1\n1,2,1\n0,2,-1\n")
    words = ["fit", "x.npy", "--pairs", "bad.csv", "--out", "other", *QUICK]
    code, out, err = call(*words)
    assert (code, out) == (2, "")
    assert "0 ~ 1 ~ 2" in err
    assert call(*words, "--uncertain-pairs")[0] == 0


def test_a_similarity_network_learns_and_helps(
    folder: Path, call: Call, table: Table, digits: Digits
) -> None:
    X, y = digits
    np.save("source.npy", X[y < 6])
    np.savetxt("source.csv", y[y < 6], fmt="%d", header="label", comments="")
    np.save("target.npy", X[y >= 6])
    words = ["fit", "source.npy", "--method", "similarity", "--labels", "source.csv", "--out", "spn"]
    words += ["--max-steps", "40", "--random-state", "0", "--samples-per-class", "10"]
    code, out, _ = call(*words)
    assert code == 0
    assert "wrote spn/" in out
    assert Path("spn/model").exists()
    assert call(*words)[0] == 2  # it is not overwritten unasked
    fit = ["fit", "target.npy", "--out", "run", *QUICK[2:], "--n-clusters", "4"]
    code, out, _ = call(*fit, "--similarity", "spn", "--batch-size", "40")
    assert code == 0
    assert "clusters used" in out
    assert len(table("run/labels.csv")) == 1 + int((y >= 6).sum())
    code, _, err = call(*fit, "--overwrite", "--similarity", "run")
    assert code == 2
    assert "--similarity: run must hold a similarity network, got a CCN" in err
    code, _, err = call(*fit, "--overwrite", "--similarity", "spn", "--labels", "source.csv")
    assert code == 2
    assert "fit needs one of y, pairs and similarity" in err
    code, _, err = call("predict", "spn", "target.npy")
    assert code == 2
    assert "RUN: spn must hold a model with clusters, got a SimilarityNetwork" in err


@pytest.mark.parametrize("method", ["ccn", "similarity", "l2c"])
def test_a_method_without_its_labels(folder: Path, call: Call, method: str) -> None:
    code, _, err = call("fit", "x.npy", "--method", method, "--out", "run")
    assert code == 2
    assert "--labels" in err
    assert "requires one of" in err


def test_labels_with_gaps(folder: Path, call: Call, digits: Digits) -> None:
    names = ["" if row % 3 == 0 else f"digit {label}" for row, label in enumerate(digits[1])]
    Path("gaps.csv").write_text("id,label\n" + "".join(f"{row},{name}\n" for row, name in enumerate(names)))
    assert call("fit", "x.npy", "--labels", "gaps.csv", "--out", "run", *QUICK)[0] == 0
    code, out, _ = call("evaluate", "run/labels.csv", "--labels", "gaps.csv")
    assert (code, out.split()[-6]) == (0, "100")


@pytest.mark.filterwarnings("default::coterie.CollapseWarning")
def test_warnings_go_to_stderr_in_one_line(folder: Path, call: Call) -> None:
    words = [
        "fit",
        "x.npy",
        "--pairs",
        "pairs.csv",
        "--out",
        "run",
        "--n-clusters",
        "40",
        "--max-steps",
        "100",
    ]
    code, out, err = call(*words, "--n-restarts", "1", "--backbone", "mlp")
    assert code == 0
    assert "warning" not in out
    assert re.search(r"^.*coterie: warning: .* of n_clusters=40 .*$", err, re.MULTILINE)


def test_a_run_is_not_overwritten_unasked(folder: Path, call: Call, table: Table) -> None:
    words = ["fit", "x.npy", "--labels", "y.npy", "--out", "run", *QUICK]
    assert call(*words)[0] == 0
    before = Path("run/labels.csv").read_text()
    code, out, err = call(*words)
    assert (code, out) == (2, "")
    assert "run holds a run; --resume continues it, --overwrite replaces it" in err
    assert call(*words, "--overwrite", "--max-steps", "20")[0] == 0
    assert Path("run/labels.csv").read_text() != before
    assert len({row[2] for row in table("run/history.csv")[1:]}) < 20


def test_overwrite_with_bad_input_keeps_the_old_model(folder: Path, call: Call) -> None:
    words = ["fit", "x.npy", "--labels", "y.npy", "--out", "run", *QUICK]
    assert call(*words)[0] == 0
    before = {path: path.read_bytes() for path in Path("run").iterdir() if path.is_file()}
    np.save("nan.npy", np.full((150, 64), np.nan))
    for data in ("missing.npy", "nan.npy"):
        assert call("fit", data, *words[2:], "--overwrite")[0] == 2
        assert {path: path.read_bytes() for path in Path("run").iterdir() if path.is_file()} == before


def content(run: str) -> list[Any]:
    """What a run holds: the parameters and weights of its model, labels and history."""
    tensors, meta = read_tensors(Path(run, "model"), "model")
    weights = {name: tensor.numpy().tobytes() for name, tensor in tensors.items()}
    return [weights, meta, Path(run, "labels.csv").read_text(), Path(run, "history.csv").read_text()]


def test_resume_of_a_finished_run_changes_nothing(folder: Path, call: Call) -> None:
    words = ["fit", "x.npy", "--labels", "y.npy", "--out", "run", *QUICK]
    assert call(*words)[0] == 0
    before = content("run")
    assert call(*words, "--resume")[0] == 0
    assert content("run") == before


def prepare_bad_files(X: Any) -> None:
    wrong = X.copy()
    wrong[3, 4] = np.nan
    np.save("nan.npy", wrong)
    np.save("wide.npy", np.c_[X, X])
    np.save("objects.npy", np.array([None, "a"], dtype=object))
    Path("ragged.csv").write_text("1,2,3\n4,5\n")
    Path("words.csv").write_text("1,2,3\n4,five,6\n")
    Path("columns.csv").write_text("i,j\n0,1\n")
    Path("past.csv").write_text("i,j,same\n0,150,1\n")
    Path("twice.csv").write_text("i,j,same\n0,1,1\n1,0,-1\n")
    Path("unknown.csv").write_text("label\n" + "-1\n" * 150)
    Path("short.csv").write_text("label\n1\n2\n")
    Path("table.csv").write_text("id,kind\n0,1\n")
    Path("x.parquet").write_bytes(b"PAR1")
    Path("model-less").mkdir()
    Path("damaged").mkdir()
    Path("damaged/model").write_bytes(Path("run/model").read_bytes()[:-20])
    Path("foreign").mkdir()
    Path("foreign/model").write_text("not a model")


def fit_words(data: str, told: Sequence[str], *words: str) -> list[str]:
    return ["fit", data, *told, "--out", "new", "--max-steps", "3", "--n-clusters", "10", *words]


LABELS = ("--labels", "y.npy")
BAD = [
    (["nonsense"], "unknown command 'nonsense'; choose one of demo, fit"),
    (fit_words("missing.npy", LABELS), "missing.npy cannot be read: No such file"),
    (fit_words("ragged.csv", LABELS), "ragged.csv, line 2 must have 3 entries, as the first line, got 2"),
    (fit_words("words.csv", LABELS), "words.csv, line 2, column '2': must be a number"),
    (fit_words("objects.npy", LABELS), "objects.npy cannot be read as .npy"),
    (fit_words("nan.npy", LABELS), "X: Input X contains NaN"),
    (fit_words("x.txt", LABELS), "x.txt cannot be read"),
    (fit_words("x.npy", ()), "--method ccn requires one of --labels, --pairs, --similarity"),
    (fit_words("x.npy", (*LABELS, "--pairs", "pairs.csv")), "fit takes one of y and pairs"),
    (
        fit_words("x.npy", ("--labels", "short.csv")),
        "y must have one label per row of X, n_samples=150, got 2",
    ),
    (
        fit_words("x.npy", ("--labels", "unknown.csv")),
        "y must have at least one known label, but all 150 are unknown",
    ),
    (fit_words("x.npy", ("--labels", "table.csv")), "its first line must call one of them label"),
    (fit_words("x.npy", ("--pairs", "columns.csv")), "columns.csv"),
    (fit_words("x.npy", ("--pairs", "past.csv")), "pair (0, 150)"),
    (fit_words("x.npy", ("--pairs", "twice.csv")), "twice.csv: "),
    (fit_words("x.npy", ("--pairs", "x.parquet")), "x.parquet"),
    (fit_words("x.npy", LABELS, "--nonsense", "3"), "unrecognized arguments: --nonsense"),
    (fit_words("x.npy", LABELS, "--max-stepss", "3"), "unrecognized arguments: --max-stepss"),
    (
        fit_words("x.npy", LABELS, "--method", "nonsense"),
        "method must be one of adc, ccn, ddc, l2c, self-distillation, similarity, tables, got 'nonsense'",
    ),
    (fit_words("x.npy", LABELS, "--method"), "argument --method: expected one argument"),
    (
        fit_words("x.npy", LABELS, "--n-clusters", "three"),
        "--n-clusters must be an int >= 1 or 'auto', got 'three'",
    ),
    (fit_words("x.npy", LABELS, "--n-clusters", "0"), "--n-clusters must be an int >= 1 or 'auto', got 0"),
    (fit_words("x.npy", LABELS, "--n-clusters"), "--n-clusters: expected one argument"),
    (fit_words("x.npy", LABELS, "--n-restarts", "few"), "restarts"),
    (fit_words("x.npy", LABELS, "--loss", "typo"), "--loss must be 'ccl' or 'kcl', got 'typo'"),
    (
        fit_words("x.npy", LABELS, "--augment", "typo"),
        "--augment must be 'auto' or 'none', got 'typo'",
    ),
    (fit_words("x.npy", LABELS, "--scale", "maybe"), "--scale must be True or False, got 'maybe'"),
    (fit_words("x.npy", LABELS, "--backbone", "lenett"), "did you mean 'lenet'"),
    (fit_words("x.npy", LABELS, "--device", "gpu"), "device: 'gpu' cannot be used"),
    (fit_words("x.npy", LABELS, "--random-state", "-1"), "--random-state must be an int"),
    (fit_words("x.npy", LABELS, "--resume", "--overwrite"), "--resume and --overwrite must not be combined"),
    (fit_words("x.npy", LABELS, "second.npy"), "unrecognized arguments: second.npy"),
    (["fit", "x.npy", *LABELS], "the following arguments are required: --out"),
    (["fit", "--out", "new"], "the following arguments are required: DATA"),
    (["fit", "x.npy", *LABELS, "--out", "x.npy"], "--out: x.npy must be a folder, but it is a file"),
    (["fit", "x.npy", *LABELS, "--out", "x.npy/below"], "--out: x.npy/below cannot be created"),
    (["fit", "x.npy", *LABELS, "--out", "/proc/new"], "--out: /proc/new cannot be created"),
    (
        ["fit", "wide.npy", *LABELS, "--out", "run", "--resume", "--n-clusters", "10"],
        "belongs to a fit with other",
    ),
    (["predict", "missing", "x.npy"], "missing/model does not exist; it must be a model file"),
    (["predict", "model-less", "x.npy"], "model-less/model does not exist; it must be a model file"),
    (["predict", "damaged", "x.npy"], "damaged/model is damaged"),
    (["predict", "foreign", "x.npy"], "foreign/model is damaged or was not written by coterie"),
    (["predict", "run", "wide.npy"], "X has 128 features, but CCN is expecting 64"),
    (["predict", "run", "nan.npy"], "X: Input X contains NaN"),
    (["predict", "run", "x.npy", "--out", "none/x.csv"], "cannot write none/x.csv"),
    (["predict", "run"], "the following arguments are required: DATA"),
    (["evaluate", "y.npy", "--labels", "missing.csv"], "missing.csv cannot be read"),
    (
        ["evaluate", "y.npy", "--labels", "short.csv"],
        "one label per row of y.npy, 150, got 2",
    ),
    (
        ["evaluate", "unknown.csv", "--labels", "y.npy"],
        "y must have at least one known label, but all 150 are unknown",
    ),
    (["evaluate", "y.npy"], "the following arguments are required: --labels"),
    (["demo", "--random-state", "x"], "--random-state: Expected int"),
    (["methods", "x"], "unrecognized arguments: x"),
]


def test_bad_input_is_one_line_and_exit_2(folder: Path, call: Call, digits: Digits) -> None:
    assert call("fit", "x.npy", "--labels", "y.npy", "--out", "run", *QUICK)[0] == 0
    prepare_bad_files(digits[0])
    for words, message in BAD:
        code, out, err = call(*words)
        assert (code, out) == (2, ""), words
        assert err.count("\n") == 1, err
        assert err.startswith("coterie"), err
        assert message in err, err


def test_an_interrupted_fit_says_how_to_go_on(
    folder: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: Any) -> None:
        raise coterie.Interrupted("stopped by SIGINT")

    words = ["fit", "x.npy", *LABELS, "--out", "a run", *QUICK]
    monkeypatch.setattr(watched, "run_session", stopped)
    for extra in ((), ("--overwrite",), ("--resume",)):
        code, out, err = call(*words, *extra)
        assert (code, out) == (130, "")
        assert err.endswith(
            "to resume: coterie fit x.npy --labels y.npy --out 'a run' "
            "--n-clusters 10 --n-restarts 2 --max-steps 60 --random-state 0 --over-clustering true --resume\n"
        )
    monkeypatch.setattr(watched, "run_session", run_session)
    assert call(*words, "--resume")[0] == 0


def test_the_demo_in_small(all_digits: Digits, monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = all_digits
    monkeypatch.setattr(demo_module, "load_digits", lambda **_: (X[:300], y[:300]))
    monkeypatch.setattr(demo_module, "N_PAIRS", 200)

    quick = partial(coterie.CCN, n_restarts=1, max_steps=40, over_clustering=True)
    monkeypatch.setattr(demo_module, "CCN", quick)
    lines = run_demo(random_state=0, verbose=0).splitlines()
    assert lines[0].startswith("digits: 300 images of 8x8 pixels, 10 classes; 200 pairs are ")
    assert lines[2].split() == ["method", "given", "ACC", "NMI", "purity", "dominant", "seconds"]
    assert [line[:3] for line in lines[4:7]] == ["k-m", "CCN", "CCN"]
