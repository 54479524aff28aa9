"""Parameters are stated once; signature, checks, documentation and options follow."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone

import coterie
from coterie import CCN, DDC, L2C, InputError, InputTypeError
from coterie._checks import check_int, check_number, check_value
from coterie.cli import COMMANDS
from coterie.methods.registry import find_method, supervision_by_class, supervision_of
from coterie.params import Parameter, Range, check_parameters, param, parameters, parameters_of
from coterie.params.methods import METHODS
from coterie.params.shared import ClustererParams, TrainingParams

SOURCE = Path(coterie.__file__).parent


@pytest.fixture(params=sorted(METHODS))
def method(request: pytest.FixtureRequest) -> Any:
    return find_method(request.param)


def test_declarations_import_no_torch() -> None:
    code = (
        "import sys, coterie.params.methods, coterie.methods.registry as registry; registry.list_methods(); "
        "print(sorted({'torch', 'pandas', 'sklearn', 'matplotlib'} & sys.modules.keys()))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


FIT = ["fit", "data.npy", "--out", "run"]
ARGUMENT_ERRORS = [
    ["nonsense"],
    ["fit"],
    [*FIT, "--method", "dcc"],
    [*FIT, "--n-cluster", "3"],
    [*FIT, "--method", "ddc", "--n-clusters", "0"],
    [*FIT, "--method", "ddc", "--labels", "labels.csv"],
    [*FIT, "--method", "l2c", "--pairs", "pairs.csv"],
    [*FIT, "--method", "ccn"],
    [*FIT, "--labels", "labels.csv", "--label", "class"],
    [*FIT, "--labels", "labels.csv", "--resume", "--overwrite"],
    [*FIT, "--labels", "labels.csv", "--threshold", "2"],
    [*FIT, "--labels", "labels.csv", "--sep", "abc"],
    [*FIT, "--labels", "labels.csv", "--image-size", "0x3"],
    [*FIT, "--labels", "labels.csv", "--n-jobs", "0"],
    ["predict", "run", "data.npy", "--json"],
    ["predict", "run", "data.npy", "--threshold", "-1"],
    ["evaluate", "labels.csv"],
    ["report"],
    ["label", "run", "--port", "x"],
    ["demo", "--method", "k-means"],
    ["completion", "tcsh"],
]
HELP = [[name, "--help"] for name in COMMANDS] + [["--help"], ["fit", "--method", "l2c", "--help"]]


NO_WORK = [["--version"], ["methods"], ["completion", "bash"], *HELP]


def _called(commands: list[list[str]]) -> list[tuple[str, int, str]]:
    """The words of each command, its exit code, and what it imports that is for work alone."""
    code = """
import contextlib, io, json, sys, coterie.cli
found = []
for words in json.loads(sys.argv[1]):
    with contextlib.redirect_stdout(io.StringIO()):
        code = coterie.cli.main(words)
    heavy = {'torch', 'pandas', 'sklearn', 'matplotlib', 'scipy'} & sys.modules.keys()
    found.append((' '.join(words), code, ' '.join(sorted(heavy))))
print(json.dumps(found))
"""
    command = [sys.executable, "-c", code, json.dumps(commands)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [tuple(one) for one in json.loads(done.stdout)]


@pytest.mark.parametrize(("commands", "expected"), [(NO_WORK, 0), (ARGUMENT_ERRORS, 2)])
def test_what_needs_no_torch_does_not_import_it(commands: list[list[str]], expected: int) -> None:
    assert _called(commands) == [(" ".join(words), expected, "") for words in commands]


@pytest.mark.parametrize("name", METHODS)
def test_declared_supervision_is_what_fit_takes(name: str) -> None:
    assert supervision_of(name) == supervision_by_class(find_method(name))


def test_no_method_stores_a_parameter_by_hand() -> None:
    for path in (SOURCE / "methods").glob("*.py"):
        assert not re.findall(r"self\.(\w+) = \1$", path.read_text(encoding="utf-8"), re.MULTILINE), path.name


def test_signature_parameters_and_documentation_are_the_declarations(method: Any) -> None:
    declared = parameters_of(method)
    signature = inspect.signature(method).parameters
    assert list(signature) == list(declared)
    assert set(method().get_params()) == set(declared)
    for name, one in declared.items():
        assert signature[name].default == one.default
        assert f"\n{name} : " in method.__doc__
        assert " ".join(one.text.split()) in " ".join(method.__doc__.split())
    by_position = [name for name, one in signature.items() if one.kind is one.POSITIONAL_OR_KEYWORD]
    assert by_position in ([], ["n_clusters"], ["max_clusters"])


def test_every_default_is_accepted_and_cloned(method: Any) -> None:
    model = method()
    check_parameters(model)
    assert clone(model).get_params() == model.get_params()
    assert repr(model) == f"{method.__name__}()"


def test_an_object_is_accepted_by_no_parameter_but_those_that_say_so(method: Any) -> None:
    for name, one in parameters_of(method).items():
        with pytest.raises((InputError, InputTypeError), match=rf"^{name} must"):
            one.check_value(object())


def test_the_command_line_has_an_option_for_each(method: Any) -> None:
    name = next(known for known in METHODS if find_method(known) is method)
    help_text = COMMANDS["fit"].parser(["--method", name]).format_help()
    for one in parameters_of(method).values():
        assert (f"  --{one.name.replace('_', '-')}" in help_text) == one.option


def test_an_unknown_parameter_is_refused_with_the_nearest_name() -> None:
    wrong: dict[str, Any] = {"n_cluster": 3}
    with pytest.raises(InputTypeError, match=r"DDC has no parameter n_cluster; did you mean n_clusters\?$"):
        DDC(**wrong)
    with pytest.raises(InputError, match=r"CCN has no parameter n_cluster; did you mean n_clusters\?$"):
        CCN().set_params(**wrong)
    with pytest.raises(InputTypeError, match=r"has no parameter zzz; its parameters are max_clusters, "):
        L2C(**{"zzz": 1})  # type: ignore[arg-type]


def test_tab_completion_shows_what_a_user_calls(method: Any) -> None:
    shown = {name for name in dir(method()) if not name.startswith("_")} - set(parameters_of(method))
    expected = {
        *("fit", "fit_transform", "get_feature_names_out", "get_metadata_routing", "get_params", "log_with"),
        *("set_fit_request", "set_output", "set_params", "start_from", "transform", "set_predict_request"),
        *("fit_predict", "predict", "predict_proba", "predict_all", "predict_count_proba", "fit_sets"),
        *("from_pretrained", "on_features", "predict_proba_pairs", "n_outputs_", "begin_with"),
    }
    assert shown <= expected


def test_a_declaration_after_another_base_is_refused() -> None:
    @parameters
    class Changed(ClustererParams):
        n_restarts: int | Literal["auto"] = param(default=7, text="Seven.")

    class Base(ClustererParams):
        pass

    with pytest.raises(InputTypeError, match="Wrong must have Changed as its first base"):

        @parameters
        class Wrong(Base, Changed):
            pass

    @parameters
    class Right(Changed, Base):
        pass

    assert Right().n_restarts == 7


def test_annotations_may_be_postponed() -> None:
    @parameters
    class Own(TrainingParams):
        """A method."""

        size: int | Literal["auto"] | None = param(default=None, check=Range(1, 9), text="A size.")

    one = parameters_of(Own)["size"]
    assert (one.types, one.choices) == ((int,), ("auto", None))
    assert Own.__doc__ is not None
    assert Own.__doc__.startswith(
        'A method.\n\nParameters\n----------\nsize : int, "auto" or None, default=None'
    )
    with pytest.raises(InputError, match=r"^size must be an int in \[1, 9\], 'auto' or None, got 10$"):
        one.check_value(10)
    with pytest.raises(InputTypeError, match=r"^size must be an int in \[1, 9\], 'auto' or None, got '10'$"):
        one.check_value("10")


@given(st.floats(allow_nan=True), st.floats(-5, 5), st.booleans())
def test_ranges(value: float, low: float, above: bool) -> None:
    accepted = np.isfinite(value) and (value > low or (value == low and not above))
    assert (value in Range(low, above=above)) == accepted
    if accepted:
        check_value("x", value, (), (float,), Range(low, above=above))
    else:
        with pytest.raises(InputError, match=r"^x must be"):
            check_value("x", value, (), (float,), Range(low, above=above))


@pytest.mark.parametrize("value", [True, np.True_, 1.5, "1", None, [1], np.array([1, 2])])
def test_what_is_no_int(value: Any) -> None:
    with pytest.raises(InputTypeError, match=r"^n must be an int"):
        Parameter("n", int, 1, "A number.").check_value(value)


@pytest.mark.parametrize("value", [1, np.int64(3), np.uint8(2)])
def test_what_is_an_int(value: Any) -> None:
    Parameter("n", int, 1, "A number.", Range(1)).check_value(value)


def test_numbers_of_any_size_are_compared() -> None:
    assert check_int("n", 10**400, 1) == 10**400
    with pytest.raises(InputError, match="n must be an int >= 1, got -1000"):
        check_int("n", -(10**400), 1)
    with pytest.raises(InputError, match="x must be a finite number >= 0, got 1000"):
        check_number("x", 10**400, Range(0))
