"""The suites run, each in a few steps on a few rows."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from benchmarks.suites import SUITES, discovery, features
from benchmarks.suites.adc_search import SEARCHED
from tests.benchmarks.quick import quick

from benchmarks import datasets, figures, run, tables
from coterie.cli import main
from coterie.methods.adc import PRESET_OF

# pair-losses starts processes, each of which takes longer than any test here; cifar10 needs its images; the
# others have tests of their own
SLOW = {
    "pair-losses",
    "allocator",
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
    "minutes",
    "features",
    "ask",
    "start-up",
    "encoders",
    "embedding",
    "new-kinds",
    "corrections",
    "ranks",
    "shards",
    "peers",
}
FAST = sorted(suite for suite in set(SUITES) - SLOW if not suite.startswith("l2c"))
# the suite "pairs" runs the other methods of the same cases
CHOSEN = {"noise": ("--methods", "ccn-kcl-vote"), "outputs": ("--methods", "siamese+kmeans")}


@pytest.mark.parametrize("suite", FAST)
def test_suite_runs_end_to_end(suite: str, mnist: Path, tmp_path: Path) -> None:
    records = quick(suite, tmp_path / "out", "--set", "max_steps=3", *CHOSEN.get(suite, ()))
    assert records
    for found in records:
        assert found["draw"] == 3
        assert found["command"].startswith(f"python -m benchmarks.run {suite} --quick")
        assert found["method"] == "spectral" or found["resolved"]["recipe"]["learning_rate"] > 0
    page = tables.page(records)
    assert all(f"| {found['method']} |" in page for found in records)
    assert all(f"- `{tables.shown_command(found)}`" in page for found in records)
    assert "--out" not in page


@pytest.mark.usefixtures("few_digits")
def test_suite_adc_measures_the_network_its_embedding_and_kmeans(tmp_path: Path) -> None:
    found = {one["method"]: one for one in quick("adc", tmp_path, "--set", "max_steps=2")}
    assert set(found) == {"adc", "adc-pairs", "ccn-pairs", "ddc", "kmeans"}
    assert found["ccn-pairs"]["resolved"]["recipe"] != found["adc-pairs"]["resolved"]["recipe"]
    for method in ("adc", "adc-pairs", "ccn-pairs"):
        assert found[method]["resolved"]["recipe"]["learning_rate"] > 0
        assert {"accuracy", "features_kmeans_accuracy", "processor_seconds"} <= set(found[method]["metrics"])
    assert "| kmeans |" in tables.page(list(found.values()))


def test_suite_augment_runs_with_and_without_kornia(tmp_path: Path) -> None:
    (found,) = quick("augment", tmp_path)
    assert found["metrics"]["ours_seconds"] > 0
    assert ("ratio" in found["metrics"]) == ("kornia" in found["resolved"])


def test_suite_allocator_measures_a_fit_with_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def measure(command: list[str], folder: Path, environment: dict[str, str]) -> dict[str, float]:
        monkeypatch.chdir(folder)
        assert main(command[5:]) == 0
        seconds = 4.0 if "GLIBC_TUNABLES" in environment else 3.0
        return {"wall_seconds": seconds, "processor_seconds": seconds, "peak_mib": 600.0}

    monkeypatch.setattr("benchmarks.processes.measure", measure)
    (found,) = quick("allocator", tmp_path, "--methods", "ccn-images")
    assert found["metrics"]["wall_seconds_ratio"] == 0.75
    assert found["metrics"]["peak_mib_ratio"] == 1.0
    assert "--method ccn" in found["resolved"]["command"]


def test_suite_start_up_measures_a_command_against_an_import(tmp_path: Path) -> None:
    (found,) = quick("start-up", tmp_path, "--methods", "help")
    assert found["metrics"]["ratio"] > 0
    assert "| help |" in tables.page([found])


def test_pair_head_against_concatenation(tmp_path: Path) -> None:
    records = quick("pair-head", tmp_path)
    assert [found["method"] for found in records] == ["full", "symmetric"]
    for found in records:
        assert found["metrics"]["value_difference"] < 1e-5
        assert found["metrics"]["gradient_difference_float64"] < 1e-10


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
    assert found[0]["resolved"]["backbone"] == "Features"
    assert found[0]["metrics"]["target_clusters_used"] <= found[0]["metrics"]["classes"] == 20


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


def test_digits_need_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(datasets.VARIABLE, raising=False)
    records = quick("pairs", tmp_path, "--data", "digits", "--methods", "ccn-kcl-paper,siamese+kmeans")
    assert {found["data"] for found in records} == {"digits"}


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


@pytest.mark.usefixtures("few_digits")
def test_figures_of_watched_ddc_runs(mnist: Path, tmp_path: Path) -> None:
    results = tmp_path / "results"
    found = quick("ddc-watched", results, "--set", "max_steps=8")
    assert [each["method"] for each in found] == ["kernel", "simplex", "supervised"]
    quick("ddc-digits", results, "--set", "n_restarts=4", "--set", "max_steps=8", "--methods", "ddc")
    written = figures.draw(results, tmp_path / "figures")
    assert {path.stem for path in written} == {
        *("ddc-simplex", "ddc-kernel", "ddc-guided", "ddc-losses", "ddc-supervised")
    }
    with np.load(results / "ddc-watched" / "supervised-mnist-draw3.npz") as arrays:
        assert arrays["cross_entropy"][-1] < arrays["cross_entropy"][0]


@pytest.mark.usefixtures("few_digits")
def test_weights_are_searched_around_the_preset(tmp_path: Path) -> None:
    (found,) = quick("adc-search", tmp_path, "--set", "max_steps=2")
    weights = found["settings"]["parameters"]["weights"]
    usual = PRESET_OF["default"].weights
    assert set(weights) == set(SEARCHED)
    assert all(0.1 <= weights[name] / getattr(usual, name) <= 10 for name in SEARCHED)
    assert 0 <= found["metrics"]["all_accuracy"] <= 1


@pytest.mark.filterwarnings("ignore:Graph is not fully connected:UserWarning")  # scikit-learn's own
def test_features_are_clustered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    labels = np.arange(120) % 10
    noise = np.random.default_rng(0).normal(size=(120, 10))
    X = (np.eye(10)[labels] + 0.1 * noise).astype(np.float32)
    monkeypatch.setattr(features, "vectors_of", lambda name, encoder: (X, labels))
    monkeypatch.setattr(features, "CIFAR10_TRAIN", 80)
    methods = "k-means,spectral,self-distillation,ddc,adc,pairs-random,pairs-random-distillation,pairs-chosen"
    methods += ",labels-100,logistic-100"
    records = quick("features", tmp_path / "out", "--data", "cifar10", "--methods", methods)
    assert {found["method"] for found in records} == set(methods.split(","))
    for found in records:
        assert found["metrics"]["all_rows"] == 40  # the test images alone
        # of a graph that is not connected, scikit-learn's versions find different clusters
        assert found["metrics"]["all_accuracy"] > (0.5 if found["method"] == "spectral" else 0.9)
    assert "| self-distillation |" in tables.page(records)


def test_long_tails_have_the_sizes_they_name(monkeypatch: pytest.MonkeyPatch) -> None:
    labels = np.repeat(np.arange(50, 100), 36)
    monkeypatch.setattr(
        features, "vectors_of", lambda name, encoder: (np.zeros((1800, 2), np.float32), labels)
    )
    sizes = np.bincount(features.DATA["coil100-long"](100).y)
    assert (sizes.min(), sizes.max(), len(sizes)) == (2, 36, 50)
