"""The order of lines in a file of labels or pairs changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from coterie import CCN, Pairs
from coterie.data import Samples
from coterie.data.readers import labels_of

N = 24
RNG = np.random.default_rng(0)
IDS = tuple(f"item {row}" for row in range(N))
GROUP = np.arange(N) % 2
SAMPLES = Samples(6.0 * GROUP[:, None] + RNG.normal(size=(N, 3)), IDS)
PAIRS = Pairs.from_labels(GROUP, 30, random_state=0)


def weights(**known: Any) -> Any:
    model = CCN(n_clusters=2, n_restarts=1, max_steps=5, random_state=0, over_clustering=True)
    return model.fit(SAMPLES, **known).transform(SAMPLES)


def of_labels(file: Path, order: Any) -> Any:
    pd.DataFrame({"name": IDS, "label": GROUP}).iloc[order].to_csv(file, index=False)
    return weights(y=labels_of(file, SAMPLES))


def of_pairs(file: Path, order: Any) -> Any:
    names = {"i": [IDS[row] for row in PAIRS.i], "j": [IDS[row] for row in PAIRS.j], "same": PAIRS.same}
    pd.DataFrame(names).iloc[order].to_csv(file, index=False)
    return weights(pairs=Pairs.from_csv(file, ids=IDS))


@settings(max_examples=5, deadline=None)
@given(order=st.permutations(range(N)))
def test_any_order_of_labels_gives_the_same_fit(tmp_path_factory: Any, order: list[int]) -> None:
    file = tmp_path_factory.mktemp("y") / "y.csv"
    np.testing.assert_array_equal(of_labels(file, order), of_labels(file, list(range(N))))


@settings(max_examples=5, deadline=None)
@given(order=st.permutations(range(PAIRS.n_pairs)))
def test_any_order_of_pairs_gives_the_same_fit(tmp_path_factory: Any, order: list[int]) -> None:
    file = tmp_path_factory.mktemp("pairs") / "pairs.csv"
    np.testing.assert_array_equal(of_pairs(file, order), of_pairs(file, list(range(PAIRS.n_pairs))))
