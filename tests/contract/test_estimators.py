"""What scikit-learn and this library promise of every method."""

from __future__ import annotations

import copy
import functools
import inspect
import pickle
import re
import warnings
from collections.abc import Set
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from benchmarks.hardware import fast_precision
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError, SkipTestWarning
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import Tags
from sklearn.utils.estimator_checks import check_estimator
from sklearn.utils.parallel import Parallel, delayed

import coterie
from coterie import L2C, Pairs, SelfDistillation, SimilarityNetwork
from coterie.engine.runtime import has_bfloat16
from coterie.methods.base import NeuralEstimator
from coterie.methods.clusterer import NeuralClusterer
from coterie.methods.registry import find_method
from coterie.metrics import align_clusters, nmi

pytestmark = pytest.mark.usefixtures("few_starts")
Digits = Any
QUICK = {"n_restarts": 1, "max_steps": 20, "random_state": 0}


@pytest.fixture(params=["adc", "ccn", "ddc", "self-distillation"])
def method(request: pytest.FixtureRequest) -> type[NeuralClusterer]:
    """Each method of the registry in turn."""
    return find_method(request.param)


def make(method: type[NeuralClusterer], **params: Any) -> Any:
    return method(**({"n_clusters": 10, "over_clustering": True} | QUICK | params))


@functools.cache
def usual_fit(name: str) -> Any:
    X, y = load_digits(return_X_y=True)
    return make(getattr(coterie, name)).fit(X[:150], y[:150])


@pytest.fixture
def fitted(method: type[NeuralClusterer]) -> Any:
    """The usual fit of the fixture `digits`; each test has a copy."""
    return copy.deepcopy(usual_fit(method.__name__))


@pytest.mark.filterwarnings("ignore::coterie.CollapseWarning")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.DataConversionWarning")
def test_scikit_learn_s_own_checks(method: type[NeuralClusterer]) -> None:
    assert_scikit_learn_passes(method(n_restarts=1, max_steps=3))


OF_ONE_SAMPLE = {"check_methods_sample_order_invariance", "check_methods_subset_invariance"}
OF_THE_SAME_RESULT = {
    *("check_pipeline_consistency", "check_transformer_data_not_an_array", "check_transformer_general")
}


class Untagged(L2C):
    """L2C without the tag that leaves out scikit-learn's checks of one sample at a time."""

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.non_deterministic = False
        return tags


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.DataConversionWarning")
@pytest.mark.filterwarnings("ignore:set_size=None uses sets of:UserWarning")
@pytest.mark.filterwarnings("ignore:max_clusters. . clusters are the most probable number:UserWarning")
@pytest.mark.parametrize(
    ("estimator", "left_out", "of_sets"),
    [
        (SimilarityNetwork(max_steps=2), set(), set()),
        (L2C(size="small", batch_size=2, max_steps=2), OF_THE_SAME_RESULT, set()),
        (Untagged(size="small", batch_size=2, max_steps=2), set(), OF_ONE_SAMPLE),
    ],
)
def test_scikit_learn_s_own_checks_of_what_learns_from_groups(
    estimator: NeuralEstimator, left_out: set[str], of_sets: set[str]
) -> None:
    assert_scikit_learn_passes(estimator, left_out, of_sets)


def assert_scikit_learn_passes(
    estimator: NeuralEstimator, left_out: Set[str] = frozenset(), expected: Set[str] = frozenset()
) -> None:
    with warnings.catch_warnings():
        # newer versions of scikit-learn leave their check of array-API input out
        warnings.simplefilter("ignore", SkipTestWarning)
        checks = check_estimator(estimator, on_fail=None)
    assert len(checks) > 40
    skipped = {check["check_name"] for check in checks if check["status"] == "skipped"}
    failed = {check["check_name"]: check["exception"] for check in checks if check["status"] == "failed"}
    assert failed.keys() == expected, failed
    assert not any(check["expected_to_fail"] for check in checks)
    assert skipped - {"check_array_api_input"} == left_out


def test_clone_and_parameters(method: type[NeuralClusterer]) -> None:
    model = make(method, checkpoint_dir="x", batch_size=64)
    twin = clone(model)
    assert twin.get_params() == model.get_params()
    twin.set_params(n_clusters=4)
    assert (twin.n_clusters, model.n_clusters) == (4, 10)


def test_every_parameter_has_a_default(method: type[NeuralClusterer]) -> None:
    parameters = inspect.signature(method).parameters.values()
    assert all(parameter.default is not inspect.Parameter.empty for parameter in parameters)
    assert {
        *("random_state", "device", "backbone", "batch_size", "learning_rate", "max_epochs", "max_steps")
    } <= {parameter.name for parameter in parameters}


def test_the_learning_rate_is_that_of_the_steps(method: type[NeuralClusterer], digits: Digits) -> None:
    X, y = digits
    start, still, usual = (
        make(method, max_steps=steps, learning_rate=rate).fit(X, y).network_.state_dict()
        for steps, rate in ((1, 1e-12), (5, 1e-12), (5, None))
    )
    name = next(name for name in start if name.endswith("weight"))
    torch.testing.assert_close(still[name], start[name], rtol=0, atol=1e-6)
    assert float((usual[name] - start[name]).abs().max()) > 1e-5


def section(doc: str, name: str) -> list[str]:
    """Names that a numpydoc section describes."""
    body = re.split(rf"^{name}\n-+\n", inspect.cleandoc(doc), flags=re.MULTILINE)[1]
    body = re.split(r"^\w+\n-+\n", body, flags=re.MULTILINE)[0]
    described = re.findall(r"^([\w, ]+) : ", body, flags=re.MULTILINE)
    return [name for names in described for name in names.split(", ")]


def test_the_docstring_names_the_parameters(method: type[NeuralClusterer]) -> None:
    assert section(method.__doc__ or "", "Parameters") == list(inspect.signature(method).parameters)
    for public in ("fit", "predict", "predict_proba", "transform"):
        function = getattr(method, public)
        expected = [name for name in inspect.signature(function).parameters if name != "self"]
        assert section(function.__doc__ or "", "Parameters") == expected


def test_fitted_attributes(fitted: Any, digits: Digits) -> None:
    X, model = digits[0], fitted
    assert set(section(type(model).__doc__ or "", "Attributes")) <= set(vars(model))
    assert model.labels_.shape == (len(X),)
    assert model.labels_.dtype == np.int64
    assert model.n_clusters_ == len(np.unique(model.labels_))
    assert model.n_dominant_ <= model.n_clusters_
    assert isinstance(model.loss_, float)
    assert len(model.runs_) == 1
    proba = model.predict_proba(X)
    assert proba.shape == (len(X), 10)
    np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=0, atol=1e-12)
    assert (model.predict(X) == proba.argmax(axis=1)).all()
    assert (model.predict(X) == model.labels_).all()
    assert model.transform(X).dtype == np.float32


def test_an_item_s_result_does_not_depend_on_its_company(fitted: Any, digits: Digits) -> None:
    X, _ = digits
    for result in (fitted.predict_proba, fitted.transform):
        whole = result(X)
        for size in (1, 2, 3, 7, 20):
            np.testing.assert_array_equal(result(X[:size]), whole[:size])
        np.testing.assert_array_equal(result(X[::-1]), whole[::-1])


def test_the_best_restarts_vote(method: type[NeuralClusterer], digits: Digits, tmp_path: Path) -> None:
    X, y = digits
    # heads that continue the same clusterings part slowly
    steps = 60 if method is find_method("self-distillation") else 15
    several = {"n_restarts": 4, "restarts": "sequential", "max_steps": steps}
    voted = make(method, **several, vote=3).fit(X, y)
    best = make(method, **several).fit(X, y)
    assert len(voted.members_) == 3
    assert best.members_ == [best.network_]
    np.testing.assert_array_equal(best.transform(X), voted.transform(X))
    votes = []
    for member in voted.members_:
        best.network_, best.members_ = member, [member]
        votes.append(best.predict(X))
    assert all(nmi(votes[0], other) < 1 for other in votes[1:])
    # aligned on the samples of the fit: no renaming agrees better with the best restart
    for other in votes[1:]:
        names = align_clusters(votes[0], other, 10)
        assert (other == votes[0]).sum() == (names[other] == votes[0]).sum()
    np.testing.assert_allclose(
        voted.predict_proba(X), np.eye(10)[np.array(votes)].mean(axis=0), rtol=0, atol=1e-8
    )
    coterie.save(voted, tmp_path / "model")
    loaded: Any = coterie.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict_proba(X), voted.predict_proba(X))
    np.testing.assert_array_equal(loaded.labels_, voted.predict(X))
    with pytest.raises(coterie.InputError, match="vote=5 must be <= n_restarts=4"):
        make(method, **several, vote=5).fit(X, y)


def test_fit_predict_is_fit_and_labels(method: type[NeuralClusterer], fitted: Any, digits: Digits) -> None:
    assert (make(method).fit_predict(*digits) == fitted.labels_).all()


def test_save_and_load(fitted: Any, digits: Digits, tmp_path: Path) -> None:
    X, model = digits[0], fitted
    coterie.save(model, tmp_path / "deep" / "model")
    loaded: Any = coterie.load(tmp_path / "deep" / "model")
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    np.testing.assert_array_equal(loaded.labels_, model.labels_)
    assert loaded.get_params() == model.get_params()
    for name in (
        "loss_",
        "history_",
        "runs_",
        "n_clusters_",
        "n_dominant_",
        "n_features_in_",
        "sample_shape_",
    ):
        assert getattr(loaded, name) == getattr(model, name)
    assert list(loaded.history_[0]) == list(model.history_[0])


def test_pickling(fitted: Any, digits: Digits) -> None:
    X, _ = digits
    twin = pickle.loads(pickle.dumps(fitted))  # noqa: S301
    np.testing.assert_array_equal(twin.predict_proba(X), fitted.predict_proba(X))


def test_pandas_output(method: type[NeuralClusterer], digits: Digits) -> None:
    X, y = digits
    frame = make(method).set_output(transform="pandas").fit(X, y).transform(X)
    name = method.__name__.lower()
    assert list(frame.columns[:2]) == [f"{name}0", f"{name}1"]
    assert len(frame) == len(X)


def test_pipeline(method: type[NeuralClusterer], digits: Digits) -> None:
    X, y = digits
    pipeline = make_pipeline(StandardScaler(), make(method, max_steps=60)).fit(X, y)
    assert nmi(y, pipeline.predict(X)) > 0.5


def test_folds_of_pairs(method: type[NeuralClusterer], digits: Digits) -> None:
    X, y = digits
    pairs = Pairs.from_labels(y, 900, random_state=0)
    for train, test in KFold(3, shuffle=True, random_state=0).split(X):
        model = make(method, max_steps=100).fit(X[train], pairs=pairs.restrict(train))
        assert nmi(y[test], model.predict(X[test])) > 0.5


def test_the_same_seed_is_bitwise_the_same(
    method: type[NeuralClusterer], fitted: Any, digits: Digits
) -> None:
    X, y = digits
    first, second = fitted, make(method).fit(X, y)
    np.testing.assert_array_equal(first.predict_proba(X), second.predict_proba(X))
    assert (first.loss_, first.history_, first.runs_) == (second.loss_, second.history_, second.runs_)
    other = make(method, random_state=1).fit(X, y)
    assert (other.predict_proba(X) != first.predict_proba(X)).any()


@pytest.mark.parametrize("restarts", ["sequential", "stacked"])
def test_steps_of_lower_precision_train_float32_weights(
    method: type[NeuralClusterer], digits: Digits, restarts: str
) -> None:
    X, y = digits
    torch.manual_seed(0)
    # torch cannot stack batch norm of mixed precision on a CPU
    plain = torch.nn.Sequential(torch.nn.Linear(X.shape[1], 16), torch.nn.ReLU())
    both = {"n_restarts": 2, "restarts": restarts, "backbone": plain}
    full, low = (make(method, **both, precision=name).fit(X, y) for name in ("float32", fast_precision()))
    assert {value.dtype for value in low.network_.state_dict().values()} <= {torch.float32, torch.int64}
    assert {info["how"] for info in low.runs_} == {restarts}
    # a mutual information may be near zero, where a relative bound says nothing
    bound: Any = {"abs": 0.1} if method is SelfDistillation else {"rel": 0.1}
    assert low.loss_ == pytest.approx(full.loss_, **bound)
    other = full.network_.state_dict()
    differs = any((value != other[name]).any() for name, value in low.network_.state_dict().items())
    assert differs == has_bfloat16()
    with pytest.raises(coterie.InputError, match="precision must be 'auto', 'float32' or 'bfloat16', got"):
        make(method, precision="half").fit(X, y)


def test_a_generator_as_random_state(method: type[NeuralClusterer], digits: Digits) -> None:
    X, y = digits
    generator = np.random.RandomState(3)
    first = make(method, random_state=generator).fit(X, y)
    second = make(method, random_state=generator).fit(X, y)
    again = make(method, random_state=np.random.RandomState(3)).fit(X, y)
    assert first.loss_ == again.loss_ != second.loss_


def test_the_callers_state_is_left_alone(method: type[NeuralClusterer], digits: Digits) -> None:
    X, y = digits
    X.setflags(write=False)
    torch.manual_seed(1)
    expected, threads, default = torch.rand(3), torch.get_num_threads(), torch.get_default_dtype()
    torch.manual_seed(1)
    make(method).fit(X, y).predict(X)
    assert torch.equal(torch.rand(3), expected)
    assert (torch.get_num_threads(), torch.get_default_dtype()) == (threads, default)


def test_fits_in_threads_equal_fits_in_turn(
    method: type[NeuralClusterer], digits: Digits, tmp_path: Path
) -> None:
    X, y = digits
    jobs = [make(method, random_state=seed, checkpoint_dir=str(tmp_path / str(seed))) for seed in range(3)]
    fitted = Parallel(n_jobs=3, backend="threading")(delayed(job.fit)(X, y) for job in jobs)
    for seed, model in enumerate(fitted):
        assert model.loss_ == make(method, random_state=seed).fit(X, y).loss_


def test_nothing_works_before_fit(method: type[NeuralClusterer], digits: Digits, tmp_path: Path) -> None:
    X, _ = digits
    model = make(method)
    for use in (model.predict, model.predict_proba, model.transform):
        with pytest.raises(NotFittedError):
            use(X)
    with pytest.raises(NotFittedError):
        coterie.save(model, tmp_path / "model")
