"""A suite is a list of cases and a function that runs one of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.columns import Column

RESTARTS = 5
KMEANS_RESTARTS = 50


@dataclass(frozen=True)
class Options:
    """What the command line asks of a suite; None and empty leave the suite's own choice.

    Attributes
    ----------
    draws, sizes : tuple of int
    methods : tuple of str
    data : str or None
    quick : bool
        A few steps on a few rows: to see that it runs.
    train_rows : int or None
        Rows of the training set to use.
    epochs : int or None
    networks : tuple of str
    parameters : mapping
        Parameters of the estimator in place of those of the suite.
    """

    draws: tuple[int, ...] = ()
    sizes: tuple[int, ...] = ()
    methods: tuple[str, ...] = ()
    data: str | None = None
    quick: bool = False
    train_rows: int | None = None
    epochs: int | None = None
    networks: tuple[str, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def pick_methods(self, known: tuple[str, ...]) -> tuple[str, ...]:
        """The methods asked for, all of them known to the suite.

        Raises
        ------
        ValueError
            One of them is not.
        """
        unknown = set(self.methods) - set(known)
        if unknown:
            raise ValueError(
                f"methods: {', '.join(sorted(unknown))}; this suite has {', '.join(sorted(known))}"
            )
        return self.methods or known

    def limits(self) -> dict[str, Any]:
        """Settings that cut a case down."""
        if self.quick:
            return {"train_rows": self.train_rows or 1000, "test_rows": 500, "kmeans_restarts": 2}
        return {"train_rows": self.train_rows, "test_rows": None, "kmeans_restarts": KMEANS_RESTARTS}

    def estimator(self, **chosen: Any) -> dict[str, Any]:
        """Parameters of the estimator: the suite's, cut down when quick, then the caller's."""
        if self.quick:
            chosen |= {"max_steps": 20, "n_restarts": min(2, chosen.get("n_restarts", 2))}
            chosen.pop("vote", None)  # of more restarts than are left
        return chosen | dict(self.parameters)


@dataclass(frozen=True)
class Case:
    """One run: a method on a data set with one draw of constraints, and all settings that matter."""

    suite: str
    method: str
    data: str
    variant: str
    draw: int
    settings: Mapping[str, Any]

    @property
    def name(self) -> str:
        """File name of its result."""
        parts = [self.method, self.data, self.variant, f"draw{self.draw}"]
        return "-".join(part for part in parts if part)


@dataclass
class Outcome:
    """What running a case gives."""

    metrics: dict[str, Any]
    runs: list[dict[str, Any]] = field(default_factory=list)
    resolved: dict[str, Any] = field(default_factory=dict)
    departures: list[str] = field(default_factory=list)
    arrays: dict[str, npt.NDArray[np.generic]] = field(default_factory=dict)


@dataclass(frozen=True)
class Suite:
    """A named list of cases.

    Attributes
    ----------
    name : str
    about : str
        One line: what is reproduced.
    methods : tuple of str
    draws : tuple of int
        Those reported.
    make_cases : callable
        Options -> list of Case.
    run_case : callable
        Case -> Outcome.
    columns : tuple of Column
        Of its table.
    published : mapping
        Data set -> variant ("mean" for the mean over variants) -> method -> what the paper has.
    """

    name: str
    about: str
    methods: tuple[str, ...]
    draws: tuple[int, ...]
    make_cases: Callable[[Options], list[Case]]
    run_case: Callable[[Case], Outcome]
    columns: tuple[Column, ...]
    published: Mapping[str, Mapping[str, Mapping[str, str]]] = field(default_factory=dict)

    def published_for(self, record: Mapping[str, Any]) -> str:
        """The paper's number for a record's data, method and variant; empty where it has none."""
        variant = "mean" if record["variant"].startswith("mean of") else record["variant"]
        return self.published.get(record["data"], {}).get(variant, {}).get(record["method"], "")
