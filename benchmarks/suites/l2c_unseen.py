"""L2C on groups it has never seen: COIL-100's objects, speakers (also by an encoder), Omniglot's characters.

Beside it, in the same run, agglomerative clustering of what the trained network makes of single samples.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.cluster.hierarchy import fcluster, linkage

from benchmarks.columns import UNSEEN
from benchmarks.datasets import N_BACKGROUND, coil100, omniglot_characters, speakers
from benchmarks.embedded import vectors_of
from benchmarks.hardware import fast_precision
from benchmarks.suites.base import Case, Options, Outcome, Suite
from coterie import L2C
from coterie.data.arrays import ScaledSource
from coterie.data.sets import SetBatches
from coterie.metrics import misclassification_rate, nmi
from coterie.nn.backbone import Backbone

Array = npt.NDArray[Any]
Labels = npt.NDArray[np.int64]
DRAWS = (100, 101, 102, 103, 104)  # of the split of the groups, and of the sets
MAX_CLUSTERS = 5
TEST_SETS, VALIDATION_SETS = 300, 100
RANDOM = "random"
# method -> the paper's explicit distance between samples (section 3.3), on its stack of LSTM layers
STACKS: dict[str, str] = {
    "l2c-lstm": "implicit",
    "l2c-lstm-euclidean": "euclidean",
    "l2c-lstm-diagonal": "diagonal",
    "l2c-lstm-full": "full",
}
METHODS = ("l2c", *STACKS, RANDOM)
SHOWN_SETS, SHOWN_OBJECTS = 2, 4
N_VIEWS = 6
CUTS = np.linspace(0.0, 1.0, 41)
MISSED = "MR is 1 - ACC under the best one-to-one matching; the paper's is a greedy upper bound of it"
CHANCE = "the number of clusters is drawn too, from 1 to 5; the paper does not say how it draws"
ATTENTION = (
    "attention over the set in place of 14 LSTM layers, with a cross entropy of pair logits beside L_tot"
)


class TimeShift:
    """Views of spectrograms: begun at another frame and wrapped around; a band of mels left out."""

    def __call__(self, x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Map spectrograms (b, mels, frames) to spectrograms of the same shape."""
        b, mels, frames = x.shape
        draws = torch.rand(3, b, 1, generator=generator, device=x.device)
        first = (draws[0] * frames).long()
        order = (first + torch.arange(frames, device=x.device)) % frames
        turned = x.gather(2, order.unsqueeze(1).expand(-1, mels, -1))
        low = draws[1] * mels
        band = torch.arange(mels, device=x.device)
        left_out = (band >= low) & (band < low + draws[2] * mels / 8)
        return turned.masked_fill(left_out.unsqueeze(2), 0.0)


class OneView(Backbone):
    """Samples (n_views, e), the features of one sample's views: the first one."""

    def __init__(self, out_features: int) -> None:
        super().__init__()
        self.out_features = out_features

    def forward(self, views: torch.Tensor) -> torch.Tensor:
        """Map (b, n_views, e), also with a channel before the views, to (b, e)."""
        return views.flatten(1, -2)[:, 0]


def any_view(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Samples (b, n_views, e) with a random view in every place."""
    chosen = torch.randint(x.shape[1], (len(x),), generator=generator, device=x.device)
    return x[torch.arange(len(x), device=x.device), chosen].unsqueeze(1).expand_as(x)


SECOND: dict[str, Any] = {
    "size": "small",
    "scale": False,
    "batch_size": 32,
    "precision": fast_precision(),
}
AGAIN = (
    "the set network that clusters has 2 layers of 64 units and is trained afresh, 2,000 steps of 32 sets, "
    "on the fixed features of the training and the validation groups; Ward's cut is chosen on the latter too"
)


@dataclass(frozen=True)
class Source:
    """Labelled samples, how many groups there are to train and to validate on, and what sets are drawn.

    Attributes
    ----------
    name : str
    load : callable
        Side (or number of mels), and where there are speeds one of them -> samples and groups.
    side : int
    n_source, n_validation : int
        All other groups are for the test.
    second_steps : int
        Where not 0, a fresh set network is trained for so many steps on the features that the first one's
        embedding gives to views of the training and the validation groups' samples.
    validates_itself : bool
        Whether the network is trained on the validation groups too: only the cut of Ward's trees needs them.
    n_known : int or None
        Groups from this number on are for the test in every draw; None: any may be.
    set_size : int
    parameters : dict
        Of the estimator.
    departures : tuple of str
    speeds : tuple of float
        Copies of the training samples at these speeds are trained on too, as other groups.
    """

    name: str
    load: Callable[..., tuple[Array, Labels]]
    side: int
    n_source: int
    n_validation: int
    set_size: int
    parameters: dict[str, Any]
    departures: tuple[str, ...]
    speeds: tuple[float, ...] = ()
    second_steps: int = 0
    validates_itself: bool = False
    n_known: int | None = None

    def split(self, groups: Labels, draw: int) -> list[npt.NDArray[np.bool_]]:
        """Which samples are to train, to validate and to test on."""
        n_groups = int(groups.max()) + 1
        n_known = self.n_known or n_groups
        order = np.random.default_rng(draw).permutation(n_known)
        order = np.concatenate([order, np.arange(n_known, n_groups)])
        parts = np.split(order, [self.n_source, self.n_source + self.n_validation])
        return [np.isin(groups, some) for some in parts]

    def training(self, side: int, chosen: npt.NDArray[np.bool_]) -> tuple[Array, Labels]:
        """Samples and groups to train on, of the samples chosen."""
        parts = [self.load(side), *(self.load(side, speed) for speed in self.speeds)]
        groups = [labels[chosen] + number * (labels.max() + 1) for number, (_, labels) in enumerate(parts)]
        return np.concatenate([samples[chosen] for samples, _ in parts]), np.concatenate(groups)


COIL = Source(
    "coil100",
    coil100,
    side=64,
    n_source=80,
    n_validation=10,
    set_size=20,
    parameters={"batch_size": 8, "max_steps": 400, "precision": fast_precision()},
    departures=(
        "36 views of an object, images of 64 x 64; the paper has 72 and 128 x 128",
        "400 steps of 8 sets by Adam; the paper trains with Adadelta, 25 sets a step, until it converges",
    ),
)
SPEECH = Source(
    "speechocean762",
    speakers,
    side=40,
    n_source=150,
    n_validation=50,
    set_size=12,
    parameters={"batch_size": 16, "max_steps": 600, "precision": fast_precision(), "augment": "time-shift"},
    departures=(
        "600 steps of 16 sets by Adam, spectrograms of 40 mels and 22 frames; the paper has 128 x 128",
        "another corpus: 250 speakers (150 to train, 50 to validate, 50 to test), half of them children, "
        "with 6 pieces of 1.4 s each; TIMIT has 630 speakers with 10 sentences each",
        "sets of 12 pieces of 2 to 5 speakers, each with at most 6; the paper has 20 of 1 to 5",
        "views: begun at another frame, a band of mels left out; in the training, speech at 0.9 and 1.1 of "
        "its speed counts as that of other speakers",
    ),
    speeds=(0.9, 1.1),
    second_steps=2000,
)
VOICES = Source(
    "speechocean762",
    lambda side: vectors_of("speechocean762", "voices"),
    side=0,
    n_source=150,
    n_validation=50,
    set_size=20,
    parameters={"batch_size": 32, "max_steps": 6000, "size": "small", "backbone": "features"},
    departures=(
        "vectors of the encoder `voices`, which was trained with names of other speakers; no spectrograms",
        "another corpus: 250 speakers (150 to train, 50 to validate, 50 to test), 6 pieces of 1.4 s each, "
        "so that 20 pieces are of 4 or 5 of them; TIMIT has 630 speakers with 10 sentences each",
        "6,000 steps of 32 sets by Adam, chosen on draw 0 with the size of the network; the speakers to "
        "validate on are trained on too",
    ),
    validates_itself=True,
)
CHARACTERS = Source(
    "omniglot",
    omniglot_characters,
    side=28,
    n_source=900,
    n_validation=N_BACKGROUND - 900,
    set_size=20,
    parameters={"batch_size": 16, "max_steps": 2000, "precision": fast_precision()},
    departures=(
        "no case of the paper: images of 28 x 28; 900 characters of the background part to train on, 64 to "
        "validate on, the 659 of the evaluation part, all of other alphabets, to test on",
        "2,000 steps of 16 sets by Adam",
    ),
    n_known=N_BACKGROUND,
)
SOURCES = {"l2c-images": COIL, "l2c-speakers": SPEECH, "l2c-voices": VOICES, "l2c-characters": CHARACTERS}


def _cases(suite: str) -> Callable[[Options], list[Case]]:
    source = SOURCES[suite]

    def make(options: Options) -> list[Case]:
        size: dict[str, Any] = {
            "side": source.side,
            "validation_sets": VALIDATION_SETS,
            "test_sets": TEST_SETS,
            "second_steps": source.second_steps,
        }
        if options.quick:
            size |= {"side": 16, "validation_sets": 10, "test_sets": 3}
            size["second_steps"] = min(2, source.second_steps)
        cases = []
        for draw in options.draws or DRAWS:
            for method in options.pick_methods(METHODS):
                chosen: dict[str, Any] = {"max_clusters": MAX_CLUSTERS, "set_size": source.set_size}
                chosen["random_state"] = draw
                if method in STACKS:
                    chosen |= {"network": "lstm", "distance": STACKS[method]}
                parameters = options.estimator(**chosen | source.parameters)
                parameters.pop("n_restarts", None)
                settings = size | {"parameters": parameters}
                if method in STACKS:
                    settings["second_steps"] = 0
                cases.append(Case(suite, method, source.name, "", draw, settings))
        return cases

    return make


def run(case: Case) -> Outcome:
    """Scores on sets of unseen groups, beside agglomerative clustering of the same network's features."""
    source, settings = SOURCES[case.suite], case.settings
    samples, groups = source.load(settings["side"])
    trained, validated, tested = source.split(groups, case.draw)
    tests = list(_sets(groups, tested, source.set_size, settings["test_sets"], case.draw))
    if case.method == RANDOM:
        return Outcome(_mean_scores(_at_random(tests, case.draw)), departures=[CHANCE, MISSED])
    start = time.process_time()
    views = _views(settings["parameters"])
    model = L2C(**settings["parameters"] | {"augment": views})
    model.fit(*source.training(settings["side"], trained | validated if source.validates_itself else trained))
    clusterer = _train_again(model, source, settings, trained | validated, views)
    seconds = time.process_time() - start
    features = model.transform(samples)
    clustered = samples if clusterer is model else np.repeat(features[:, None], N_VIEWS, axis=1)
    validation = _sets(groups, validated, source.set_size, settings["validation_sets"], case.draw)
    cut = _best_cut([(features[rows], y) for rows, y in validation])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # P(max) is the answer
        metrics = _mean_scores(
            _scores(clusterer, clustered[rows], y) | _scores_of_linkage(features[rows], y, cut)
            for rows, y in tests
        )
        shown = _shown(clusterer, samples, tests) if case.suite == "l2c-images" else {}
    metrics |= {"agglomerative_cut": cut, "processor_seconds": seconds, "loss": clusterer.loss_}
    departures = [*source.departures, MISSED, *([ATTENTION] if case.method == "l2c" else [])]
    if clusterer is not model:
        departures.append(AGAIN)
    return Outcome(metrics, runs=model.runs_, departures=departures, arrays=shown)


def _mean_scores(scores: Iterable[dict[str, float]]) -> dict[str, Any]:
    """The mean of each score over the sets."""
    found: dict[str, list[float]] = {}
    for of_one in scores:
        for name, value in of_one.items():
            found.setdefault(name, []).append(value)
    return {name: float(np.mean(values)) for name, values in found.items()}


def _at_random(tests: list[tuple[Labels, Labels]], draw: int) -> Iterator[dict[str, float]]:
    """Scores of clusters at random, their number too."""
    draws = np.random.default_rng(draw)
    for _, y in tests:
        k = int(draws.integers(1, MAX_CLUSTERS + 1))
        yield _agreement(y, draws.integers(0, k, len(y)), k)


def _shown(model: L2C, images: Array, tests: list[tuple[Labels, Labels]]) -> dict[str, Array]:
    """The first sets of many objects, at half their side, with the clusters that were found."""
    sets = [one for one in tests if len(np.unique(one[1])) >= SHOWN_OBJECTS][:SHOWN_SETS]
    pictures = [images[rows][:, :, ::2, ::2].transpose(0, 2, 3, 1) for rows, _ in sets]
    counts = [model.predict_all(images[rows]) for rows, _ in sets]
    clusters = [assignments[int(proba.argmax())].argmax(axis=1) for proba, assignments in counts]
    return {
        "images": np.stack(pictures),
        "objects": np.stack([y for _, y in sets]),
        "clusters": np.stack(clusters),
    }


def _views(parameters: dict[str, Any]) -> Any:
    """What `augment` stands for."""
    return {"time-shift": TimeShift()}.get(parameters.get("augment", ""), parameters.get("augment", "auto"))


def _train_again(
    model: L2C, source: Source, settings: Mapping[str, Any], chosen: npt.NDArray[np.bool_], views: Any
) -> L2C:
    """A set network for features of the chosen samples; the model itself where the source wants none."""
    if not settings["second_steps"]:
        return model
    samples, groups = source.training(settings["side"], chosen)
    rows = ScaledSource(samples, model.scaling_, torch.device("cpu")).take(slice(0, len(samples)))
    random = torch.Generator().manual_seed(settings["parameters"]["random_state"])
    with torch.inference_mode():
        seen = [rows, *(views(rows, random) for _ in range(N_VIEWS - 1))]
        features = torch.stack([model.network_.embed(one) for one in seen], dim=1).numpy()
    second = {name: settings["parameters"][name] for name in ("max_clusters", "set_size", "random_state")}
    backbone = OneView(features.shape[2])
    again = L2C(backbone=backbone, **second, **SECOND, max_steps=settings["second_steps"], augment=any_view)
    return again.fit(features, groups)


def _sets(
    groups: Labels, chosen: npt.NDArray[np.bool_], n_samples: int, n_sets: int, draw: int
) -> Iterator[tuple[Labels, Labels]]:
    """Rows and labels of sets of the chosen samples' groups."""
    labels = np.where(chosen, groups, -1)
    plan = SetBatches(labels, n_samples, n_sets, max_clusters=MAX_CLUSTERS).plan(draw, 0, 0)
    assert plan.labels is not None
    yield from zip(plan.rows, plan.labels, strict=True)


def _best_cut(sets: list[tuple[npt.NDArray[np.float32], Labels]]) -> float:
    """The height at which Ward's trees of these sets are best cut, their labels known."""
    trees = [(linkage(features, "ward"), y) for features, y in sets]
    highest = max(float(tree[-1, 2]) for tree, _ in trees)
    means = [
        np.mean([_nmi(y, fcluster(tree, share * highest, "distance")) for tree, y in trees]) for share in CUTS
    ]
    return float(CUTS[int(np.argmax(means))] * highest)


def _scores(model: L2C, x: Array, y: Labels) -> dict[str, float]:
    count_proba, assignments = model.predict_all(x)
    k, true_k = int(count_proba.argmax()) + 1, int(y.max()) + 1
    clusters = assignments[k - 1].argmax(axis=1)
    told = {"nmi_with_k_told": _nmi(y, assignments[true_k - 1].argmax(axis=1))}
    return _agreement(y, clusters, k) | told


def _agreement(y: Labels, clusters: Labels, k: int) -> dict[str, float]:
    return {
        "test_nmi_geometric": _nmi(y, clusters),
        "misclassification_rate": misclassification_rate(y, clusters),
        "right_counts": float(k == int(y.max()) + 1),
    }


def _scores_of_linkage(features: npt.NDArray[np.float32], y: Labels, cut: float) -> dict[str, float]:
    tree, true_k = linkage(features, "ward"), int(y.max()) + 1
    clusters = fcluster(tree, cut, "distance").astype(np.int64)
    return {
        "agglomerative_test_nmi_geometric": _nmi(y, clusters),
        "agglomerative_misclassification_rate": misclassification_rate(y, clusters),
        "agglomerative_right_counts": float(clusters.max() == true_k),
        "agglomerative_nmi_with_k_told": _nmi(y, fcluster(tree, true_k, "maxclust")),
    }


def _nmi(y: Labels, clusters: Array) -> float:
    return nmi(y, clusters, average="geometric")


L2C_IMAGES = Suite(
    "l2c-images",
    "L2C paper, table 1, COIL-100: sets of 20 images of at most 5 unseen objects",
    METHODS,
    DRAWS,
    _cases("l2c-images"),
    run,
    columns=UNSEEN,
    published={
        "coil100": {
            "": {
                "l2c": "NMI .867, MR .116",
                "l2c-lstm": "NMI .867, MR .116",
                "l2c-lstm-euclidean": "NMI .884, MR .123",
                "l2c-lstm-diagonal": "NMI .890, MR .093",
                "l2c-lstm-full": "NMI .880, MR .100",
                RANDOM: "NMI .346, MR .435",
            }
        }
    },
)
L2C_SPEAKERS = Suite(
    "l2c-speakers",
    "L2C paper, table 1, speakers: sets of 12 pieces of speech of at most 5 unseen speakers",
    METHODS,
    DRAWS,
    _cases("l2c-speakers"),
    run,
    columns=UNSEEN,
    published={"speechocean762": {"": {"l2c": "TIMIT: NMI .928, MR .060"}}},
)
L2C_VOICES = Suite(
    "l2c-voices",
    "L2C on vectors of an encoder of voices: sets of 20 pieces of speech of unseen speakers",
    METHODS,
    DRAWS,
    _cases("l2c-voices"),
    run,
    columns=UNSEEN,
)
L2C_CHARACTERS = Suite(
    "l2c-characters",
    "L2C on Omniglot: sets of 20 drawings of at most 5 characters of unseen alphabets",
    METHODS,
    DRAWS,
    _cases("l2c-characters"),
    run,
    columns=UNSEEN,
)
