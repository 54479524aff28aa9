"""Answers to the questions of `coterie label` against as many random pairs, on scikit-learn's digits.

``python -m benchmarks.label_rule --seeds 10 --out FILE.json``. A start without labels (KCL on pairs of mutual
neighbours) is trained on from the closure of the answers, which the true labels give, with the same settings
in both arms; the errors are those of all rows.
"""

from __future__ import annotations

import argparse
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_digits

from coterie import CCN, Pairs
from coterie.cli.label.answers import Answers
from coterie.cli.label.selection import next_question, representatives
from coterie.metrics import clustering_accuracy

BUDGETS = (25, 50, 100)


def answered(start: Any, X: Any, y: Any) -> dict[int, Pairs]:
    """The pairs that the rule asks about, after each budget."""
    candidates = representatives(start.predict_proba(X), start.transform(X))
    answers, found = Answers(), {}
    while len(answers.given) < max(BUDGETS):
        question = next_question(candidates, answers)
        if question is None:
            break
        answers.add(*question, 1 if y[question[0]] == y[question[1]] else -1)
        if len(answers.given) in BUDGETS:
            given = answers.given
            columns = ([getattr(answer, name) for answer in given] for name in ("i", "j", "same"))
            found[len(given)] = Pairs(*columns)
    return found


def error_after(start: Any, X: Any, y: Any, pairs: Pairs, seed: int) -> float:
    """Error of a fit from the start's weights on the closure of some pairs."""
    model = CCN(10, loss="kcl", n_restarts=1, max_steps=300, random_state=seed, over_clustering=True)
    labels = model.start_from(start).fit(X, pairs=pairs.closure()).labels_
    return float(1 - clustering_accuracy(y, labels))


def measure(n_seeds: int) -> list[dict[str, float]]:
    """One entry for each seed and budget."""
    X, y = load_digits(return_X_y=True)
    rows = []
    for seed in range(n_seeds):
        near = Pairs.from_neighbors(X, n_neighbors=5, random_state=seed)
        start = CCN(10, loss="kcl", n_restarts=2, max_steps=600, random_state=seed, over_clustering=True)
        start.fit(X, pairs=near)
        for budget, pairs in answered(start, X, y).items():
            drawn = Pairs.from_labels(y, budget, random_state=100 + seed)
            row = {
                "seed": seed,
                "budget": budget,
                "start": float(1 - clustering_accuracy(y, start.labels_)),
                "rule": error_after(start, X, y, pairs, seed),
                "random": error_after(start, X, y, drawn, seed),
            }
            rows.append(row)
            print(json.dumps(row), flush=True)
    return rows


def main() -> None:
    """Measure and print the ratio of the mean errors for each budget."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    rows = measure(options.seeds)
    options.out.write_text(json.dumps(rows, indent=1) + "\n")
    for budget in BUDGETS:
        own = [row for row in rows if row["budget"] == budget]
        rule, random = (float(np.mean([row[arm] for row in own])) for arm in ("rule", "random"))
        print(f"{budget} answers: error {rule:.3f} by the rule, {random:.3f} random, {rule / random:.2f}x")


if __name__ == "__main__":
    main()
