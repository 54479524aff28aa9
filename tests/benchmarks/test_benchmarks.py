"""The benchmarks run, their records follow the schema, and the pages show what the records hold."""

from __future__ import annotations

import copy
import gzip
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from benchmarks.estimators import HingeObjective, RecordedCCN
from benchmarks.suites import SUITES, Options, adc, discovery, omniglot
from benchmarks.suites.adc_search import SEARCHED
from benchmarks.suites.from_labels import draw_rows
from benchmarks.suites.from_pairs import read_split
from benchmarks.suites.supervised import crop_and_flip

from benchmarks import datasets, figures, record, run, scores, tables
from coterie import Pairs
from coterie._types import Batch, Output
from coterie.data.batches import PairBatches
from coterie.methods.adc import PRESET_OF

# pair-losses starts processes, each of which takes longer than any test here; cifar10 needs its images; the
# others have tests of their own
SLOW = {
    "pair-losses",
    "cifar10",
    "adc",
    "adc-search",
    "augment",
    "omniglot",
    "discovery",
    "pair-head",
    "ddc-reuters",
    "ddc-watched",
    "label-rule",
    "read-table",
}
FAST = sorted(suite for suite in set(SUITES) - SLOW if not suite.startswith("l2c"))


@pytest.fixture
def mnist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a tiny data set in MNIST's files: each class a bright row of its own."""
    rng = np.random.default_rng(0)
    where = tmp_path / "data" / "mnist"
    where.mkdir(parents=True)
    for prefix, n in (("train", 240), ("t10k", 120)):
        labels = np.tile(np.arange(10, dtype=np.uint8), n // 10)
        images = rng.integers(0, 60, (n, 28, 28), dtype=np.uint8)
        images[np.arange(n), 4 + 2 * labels] = 255
        write_idx(where / f"{prefix}-images-idx3-ubyte.gz", images)
        write_idx(where / f"{prefix}-labels-idx1-ubyte.gz", labels)
    monkeypatch.setenv(datasets.VARIABLE, str(where.parent))
    return where.parent


@pytest.fixture(autouse=True)
def _fresh_splits() -> None:
    read_split.cache_clear()


def write_idx(path: Path, values: np.ndarray[Any, np.dtype[np.uint8]]) -> None:
    header = struct.pack(f">I{values.ndim}I", 0x0800 + values.ndim, *values.shape)
    path.write_bytes(gzip.compress(header + values.tobytes()))


def quick(suite: str, out: Path, *more: str) -> list[dict[str, Any]]:
    assert run.main([suite, "--quick", "--out", str(out), "--draws", "3", *more]) == 0
    return record.read_all(out)


def test_committed_records_follow_the_schema() -> None:
    for path in sorted(record.RESULTS.glob("**/*.json")):
        found = record.read(path)
        assert found["suite"] in SUITES, path
        named = [found["method"], found["data"], found["variant"], f"draw{found['draw']}"]
        stem = "-".join(part for part in named if part)
        assert path == record.RESULTS / found["suite"] / f"{stem}.json"
        assert path.stat().st_size < 100_000, path


def test_results_page_is_what_the_records_give() -> None:
    assert tables.PAGE.read_text(encoding="utf-8") == tables.page(record.read_all()), "run `make tables`"


@pytest.mark.parametrize("suite", FAST)
def test_suite_runs_end_to_end(suite: str, mnist: Path, tmp_path: Path) -> None:
    records = quick(suite, tmp_path / "out")
    assert records
    for found in records:
        assert found["draw"] == 3
        assert found["command"].startswith(f"python -m benchmarks.run {suite} --quick")
        assert found["method"] == "spectral" or found["resolved"]["recipe"]["learning_rate"] > 0
    page = tables.page(records)
    assert all(f"| {found['method']} |" in page for found in records)
    assert all(f"- `{tables.shown_command(found)}`" in page for found in records)
    assert "--out" not in page


def test_suite_adc_measures_the_network_its_embedding_and_kmeans(tmp_path: Path) -> None:
    found = {one["method"]: one for one in quick("adc", tmp_path, "--set", "max_steps=2")}
    assert set(found) == {"adc", "adc-pairs", "ccn-pairs", "ddc", "kmeans"}
    assert found["ccn-pairs"]["resolved"]["recipe"] != found["adc-pairs"]["resolved"]["recipe"]
    for method in ("adc", "adc-pairs", "ccn-pairs"):
        assert found[method]["resolved"]["recipe"]["learning_rate"] > 0
        assert {"accuracy", "features_kmeans_accuracy", "processor_seconds"} <= set(found[method]["metrics"])
    assert "| kmeans |" in tables.page(list(found.values()))


def test_mnist_at_half_its_side() -> None:
    images = np.arange(32, dtype=np.uint8).reshape(2, 4, 4)
    split = datasets.Split("mnist", images, np.zeros(2, np.int64), images[:1], np.zeros(1, np.int64))
    halved = adc.halved("mnist14", split)
    assert halved.x_train.tolist() == [[[2, 4], [10, 12]], [[18, 20], [26, 28]]]
    assert halved.x_test.shape == (1, 2, 2)
    assert "shrunk to half their side" in halved.departures[-1]


def test_suite_augment_runs_with_and_without_kornia(tmp_path: Path) -> None:
    (found,) = quick("augment", tmp_path)
    assert found["metrics"]["ours_seconds"] > 0
    assert ("ratio" in found["metrics"]) == ("kornia" in found["resolved"])


def test_pair_head_against_concatenation(tmp_path: Path) -> None:
    records = quick("pair-head", tmp_path)
    assert [found["method"] for found in records] == ["full", "symmetric"]
    for found in records:
        assert found["metrics"]["value_difference"] < 1e-5
        assert found["metrics"]["gradient_difference_float64"] < 1e-10


@pytest.fixture
def alphabets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two alphabets of 4 characters to learn from and one to discover: bars at places of their own."""
    where = tmp_path / "data" / "omniglot"
    where.mkdir(parents=True)
    for part, n in (("background", 8), ("evaluation", 4)):
        white = np.ones((n, 20, 105, 105), dtype=bool)
        for character in range(n):
            white[character, :, 12 * character : 12 * character + 10] = False
        np.savez(where / f"images_{part}.npz", images=white)
    rows = ["set,alphabet,first_label,last_label,n_characters"]
    rows += ["background,A,0,3,4", "background,B,4,7,4", "evaluation,Angelic,0,3,4"]
    (where / "alphabets.csv").write_text("\n".join(rows))
    monkeypatch.setenv(datasets.VARIABLE, str(where.parent))
    monkeypatch.setattr(omniglot, "SPN_FOLDER", tmp_path / "spn")


@pytest.mark.usefixtures("alphabets")
def test_characters_are_discovered(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--data", "Angelic", "--set", "batch_size=20", "--set", "max_steps=4")
    arguments = ["omniglot", "--quick", "--out", str(tmp_path / "out"), "--draws", "3", *words]
    assert run.main([*arguments, "--methods", "k-means"]) == 2
    assert "run the method spn first" in capsys.readouterr().err
    methods = "spn,k-means,mpck-means,spectral,agglomerative,hdbscan,ccn-ccl,ccn-kcl"
    records = quick("omniglot", tmp_path / "out", *words, "--methods", methods)
    assert {found["method"] for found in records} == set(methods.split(","))
    assert all(found["metrics"]["characters"] == 4 for found in records if found["method"] != "spn")
    assert "| ccn-ccl |" in tables.page(records)
    (figure,) = figures.draw(tmp_path / "out", tmp_path / "figures")
    assert figure.name == "ccl-table-4-alphabets.png"


@pytest.mark.filterwarnings("ignore::coterie.SimilarityWarning")  # after five steps
def test_other_classes_are_discovered(
    mnist: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    methods = "spn,k-means,k-means-input,spectral,ccn-ccl"
    words = ("--data", "mnist", "--set", "batch_size=20", "--set", "max_steps=4")
    records = quick("discovery", tmp_path, *words, "--methods", methods)
    assert {found["method"] for found in records} == set(methods.split(","))
    assert all(found["metrics"]["classes"] == 5 for found in records if found["method"] != "spn")
    assert "| ccn-ccl |" in tables.page(records)
    assert run.main(["discovery", "--quick", "--out", str(tmp_path), "--data", "cifar10"]) == 2
    assert "data: cifar10; this suite has mnist, coil100" in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore::coterie.SimilarityWarning")  # after five steps
@pytest.mark.filterwarnings("ignore::coterie.CollapseWarning")  # after two
def test_objects_are_discovered_by_features(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    objects = np.repeat(np.arange(100), 4)
    images = np.random.default_rng(0).integers(0, 256, (400, 3, 32, 32), dtype=np.uint8)
    monkeypatch.setattr(discovery, "coil100", lambda side: (images, objects))
    monkeypatch.setattr(discovery, "CLASSIFIER_STEPS", 2)
    words = ("--data", "coil100-features", "--set", "batch_size=20", "--set", "max_steps=4")
    found = quick("discovery", tmp_path, *words, "--methods", "k-means,ccn-ccl")
    assert [one["metrics"]["target_rows"] for one in found] == [80, 80]
    assert found[0]["resolved"]["backbone"] == "GivenBackbone"
    assert found[0]["metrics"]["target_clusters_used"] <= found[0]["metrics"]["classes"] == 20


def test_a_row_for_the_mean_over_alphabets() -> None:
    one = next(
        each for each in record.read_all() if each["suite"] == "omniglot" and each["method"] == "k-means"
    )
    pair = [one | {"metrics": {"target_accuracy": value}, "variant": str(value)} for value in (0.5, 0.7)]
    rows = tables.table("omniglot", [*pair, pair[0] | {"method": "spn"}])
    assert [row for row in rows if "mean of" in row] == [
        "| omniglot | mean of 2 alphabets | k-means | 1 (0) | 60.0 ± 14.1 | "
        f"{one['seconds']:.0f} ± 0 | 21.7 % / 0.353 (on pixels) |"
    ]


def test_pairs_records_hold_all_restarts_and_the_rows_of_the_maps(mnist: Path, tmp_path: Path) -> None:
    (found,) = quick("pairs", tmp_path, "--methods", "ccn-kcl")
    assert [one["restart"] for one in found["runs"]] == [0, 1]
    chosen = [one for one in found["runs"] if one["chosen"]]
    assert len(chosen) == 1
    assert chosen[0]["loss"] == min(one["loss"] for one in found["runs"])
    assert chosen[0]["test_purity"] == found["metrics"]["test_purity"]
    assert np.sum(found["metrics"]["test_contingency"]) == found["metrics"]["test_rows"] == 120
    assert found["settings"]["parameters"]["max_steps"] == found["resolved"]["steps"]
    with np.load(tmp_path / "pairs" / "ccn-kcl-mnist-n300-draw3.npz", allow_pickle=False) as arrays:
        assert arrays["probabilities"].shape == (120, 10)
        assert len(arrays["labels"]) == 120


def test_a_result_with_the_same_settings_is_not_run_again(
    mnist: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--methods", "cross-entropy", "--sizes", "3")
    quick("labels", tmp_path, *arguments)
    (path,) = tmp_path.glob("labels/*.json")
    before = path.stat().st_mtime_ns
    quick("labels", tmp_path, *arguments)
    assert "0 run, 0 failed" in capsys.readouterr().err
    assert path.stat().st_mtime_ns == before
    quick("labels", tmp_path, *arguments, "--set", "max_steps=5")
    assert path.stat().st_mtime_ns > before
    assert record.read(path)["resolved"]["steps"] == 5


def test_figures_of_records(mnist: Path, tmp_path: Path) -> None:
    for suite in ("pairs", "outputs", "noise"):
        quick(suite, tmp_path / "results", "--methods", "ccn-kcl")
    written = figures.draw(tmp_path / "results", tmp_path / "figures")
    assert len(written) == 4
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in written)
    assert figures.draw(tmp_path / "nothing", tmp_path / "figures") == []


def test_digits_need_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(datasets.VARIABLE, raising=False)
    records = quick("pairs", tmp_path, "--data", "digits", "--methods", "ccn-kcl-paper,siamese+kmeans")
    assert {found["data"] for found in records} == {"digits"}


def test_missing_data_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(datasets.VARIABLE, raising=False)
    assert run.main(["labels", "--quick", "--out", str(tmp_path)]) == 2
    assert "COTERIE_DATA is not set" in capsys.readouterr().err
    monkeypatch.setenv(datasets.VARIABLE, str(tmp_path))
    assert run.main(["labels", "--quick", "--out", str(tmp_path)]) == 2
    assert "no folder mnist" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--methods", "magic"], ["--data", "magic"]])
def test_unknown_names_are_refused(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run.main(["labels", "--quick", "--out", str(tmp_path), *arguments]) == 2
    assert "magic" in capsys.readouterr().err


def test_validation_split_never_shows_the_test_rows(mnist: Path) -> None:
    whole, validation = datasets.load("mnist"), datasets.load("mnist-validation")
    assert len(validation.x_train) + len(validation.x_test) == len(whole.x_train)
    joined = np.concatenate([validation.x_train, validation.x_test])
    np.testing.assert_array_equal(joined, whole.x_train)
    assert "validation" in validation.departures[0]


def test_reported_draws_were_not_tuned_on() -> None:
    # these have no draws of data to tune on; omniglot was tuned on background alphabets and reports others
    seeds_alone = {
        "step",
        "pair-losses",
        "pair-head",
        "restarts",
        "augment",
        "omniglot",
        "memmap",
        "read-table",
    }
    for suite in SUITES.values():
        if suite.name not in seeds_alone:
            assert min(suite.draws) >= 100


def test_noise_and_outputs_share_the_cases_of_pairs() -> None:
    cases = {suite: SUITES[suite].make_cases(Options()) for suite in ("pairs", "noise", "outputs")}
    for suite in ("noise", "outputs"):
        shared = [case for case in cases[suite] if case.suite == "pairs"]
        assert shared
        assert all(case in cases["pairs"] for case in shared)
    names = [case.name for case in cases["noise"]]
    assert len(set(names)) == len(names)


@pytest.fixture
def valid(mnist: Path, tmp_path: Path) -> dict[str, Any]:
    return quick("labels", tmp_path, "--methods", "cross-entropy", "--sizes", "2")[0]


def test_schema_names_every_fault(valid: dict[str, Any], tmp_path: Path) -> None:
    broken = copy.deepcopy(valid)
    del broken["suite"]
    broken["draw"] = "3"
    broken["machine"]["colour"] = "grey"
    broken["departures"] = [1]
    with pytest.raises(record.RecordError) as caught:
        record.validate(broken)
    message = str(caught.value)
    for fault in ("suite is missing", "record.draw: int", "colour is not in", "record.departures[0]: str"):
        assert fault in message
    path = tmp_path / "broken.json"
    path.write_text(json.dumps(broken))
    with pytest.raises(record.RecordError, match=r"broken\.json"):
        record.read(path)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"metrics": {}}, "at least one metric"),
        ({"metrics": {"loss": float("nan")}}, "loss: not finite"),
        ({"date": "yesterday"}, "ISO date"),
        ({"schema": 0}, "1 is expected"),
        ({"seconds": True}, "float is expected"),
    ],
)
def test_schema_refuses_content(valid: dict[str, Any], changes: dict[str, Any], fault: str) -> None:
    with pytest.raises(record.RecordError, match=fault):
        record.validate(valid | changes)


def test_unknown_commit_is_allowed(valid: dict[str, Any]) -> None:
    record.validate(valid | {"commit": {"revision": None, "dirty": None}})


def test_balanced_accuracy_counts_classes_alike() -> None:
    truth = np.array([0] * 8 + [1, 1])
    assert scores.balanced_accuracy(truth, np.array([3] * 8 + [5, 5])) == 1.0
    assert scores.balanced_accuracy(truth, np.zeros(10, dtype=np.int64)) == 0.5
    # one class in halves: matched by count its half would beat the small class, matched by share it does not
    assert scores.balanced_accuracy(truth, np.array([0] * 5 + [1] * 3 + [1, 1])) == pytest.approx(0.8125)


def test_ddc_records_hold_the_best_run_the_vote_and_the_rank_correlation(tmp_path: Path) -> None:
    arguments = ("--set", "n_restarts=4", "--set", "max_steps=30", "--methods", "ddc")
    (found,) = quick("ddc-digits", tmp_path, *arguments)
    measured, runs = found["metrics"], found["runs"]
    best = min(runs, key=lambda one: one["loss"])
    assert measured["train_accuracy"] == best["train_accuracy"]
    assert -1 <= measured["spearman_loss_accuracy"] <= 1
    assert 0 < measured["vote_train_accuracy"] <= 1
    assert "| k-means (beside ddc) |" in tables.page([found])


def test_ddc_on_stories_of_the_commonest_topics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where = tmp_path / "data" / "reuters21578"
    where.mkdir(parents=True)
    names = ("grain", "ship", "gold", "tin", "tea")
    stories = [
        {"topics": [names[n % 5]], "title": names[n % 5], "body": f"{names[n % 5]} news{n % 7}"}
        for n in range(118)  # tea is the rarest, and last
    ]
    stories += [{"topics": ["grain", "ship"], "title": "two", "body": "two"}, stories[0] | {"body": ""}]
    lines = "\n".join(json.dumps(story) for story in stories)
    (where / "reuters21578.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    monkeypatch.setenv(datasets.VARIABLE, str(where.parent))
    datasets.reuters.cache_clear()
    features, labels, kept = datasets.reuters()
    assert kept == ("grain", "ship", "gold", "tin")
    assert np.bincount(labels).tolist() == [24, 24, 24, 23]
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, rtol=1e-5)
    (found,) = quick("ddc-reuters", tmp_path, "--methods", "ddc")
    datasets.reuters.cache_clear()
    assert found["metrics"]["train_rows"] == 95
    assert "300 stories" in found["departures"][1]


def test_figures_of_watched_ddc_runs(mnist: Path, tmp_path: Path) -> None:
    results = tmp_path / "results"
    found = quick("ddc-watched", results)
    assert [each["method"] for each in found] == ["kernel", "simplex", "supervised"]
    quick("ddc-digits", results, "--set", "n_restarts=4", "--methods", "ddc")
    written = figures.draw(results, tmp_path / "figures")
    assert {path.stem for path in written} == {
        *("ddc-simplex", "ddc-kernel", "ddc-guided", "ddc-losses", "ddc-supervised")
    }
    with np.load(results / "ddc-watched" / "supervised-mnist-draw3.npz") as arrays:
        assert arrays["cross_entropy"][-1] < arrays["cross_entropy"][0]


def test_draw_rows_takes_as_many_of_each_class() -> None:
    labels = np.repeat([0, 1, 2], [5, 9, 7])
    rows = draw_rows(labels, 4, 100)
    assert np.bincount(labels[rows]).tolist() == [4, 4, 4]
    np.testing.assert_array_equal(rows, draw_rows(labels, 4, 100))
    assert not np.array_equal(rows, draw_rows(labels, 4, 101))
    assert len(draw_rows(labels, 0, 100)) == len(labels)


def test_hinge_objective_is_torchs_on_distances() -> None:
    pairs = Pairs([0, 1, 2], [3, 4, 5], [1, -1, -1])
    objective = HingeObjective(PairBatches(pairs, 3), margin=1.0)
    logits = torch.randn(6, 4, generator=torch.Generator().manual_seed(0)) / 4
    same = torch.zeros(6, 6, dtype=torch.int8)
    for i, j, kind in zip(pairs.i, pairs.j, pairs.same, strict=True):
        same[i, j] = same[j, i] = int(kind)
    found = objective.terms(Output({"logits": logits}), Batch(torch.arange(6), same))["hinge"]
    distance = (logits[:3] - logits[3:]).norm(dim=1)
    expected = torch.nn.functional.hinge_embedding_loss(distance, torch.tensor([1.0, -1.0, -1.0]))
    torch.testing.assert_close(found, expected)


def test_restarts_put_the_chosen_weights_back() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 5)), rng.integers(0, 3, 60)
    model = RecordedCCN(n_clusters=3, n_restarts=3, max_steps=5, over_clustering=True, random_state=0)
    model.fit(x, y)
    chosen = model.predict_proba(x)
    rows = [model.predict_proba(x) for _ in model.each_restart()]
    index = next(one["restart"] for one in model.runs_ if one["chosen"])
    np.testing.assert_array_equal(rows[index], chosen)
    assert not np.array_equal(rows[0], rows[1])
    np.testing.assert_array_equal(model.predict_proba(x), chosen)


def test_crop_and_flip_moves_whole_images() -> None:
    image = torch.arange(32.0 * 32).reshape(1, 1, 32, 32).expand(64, 3, 32, 32)
    views = crop_and_flip(image, torch.Generator().manual_seed(0))
    assert views.shape == image.shape
    centre = views[:, :, 8:24, 8:24]
    steps = centre[:, :, :, 1:] - centre[:, :, :, :-1]
    assert np.unique(steps.numpy()).tolist() == [-1.0, 1.0]
    assert np.unique((centre[:, :, 1:] - centre[:, :, :-1]).numpy()).tolist() == [32.0]


def test_weights_are_searched_around_the_preset(tmp_path: Path) -> None:
    (found,) = quick("adc-search", tmp_path, "--set", "max_steps=2")
    weights = found["settings"]["parameters"]["weights"]
    usual = PRESET_OF["default"].weights
    assert set(weights) == set(SEARCHED)
    assert all(0.1 <= weights[name] / getattr(usual, name) <= 10 for name in SEARCHED)
    assert 0 <= found["metrics"]["all_accuracy"] <= 1
