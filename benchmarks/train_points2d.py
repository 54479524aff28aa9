"""Train L2C's model for 2-D points: ``python -m benchmarks.train_points2d --out FOLDER``.

Sets are drawn anew at every step from (seed, step): no set is seen twice, and a run that was stopped goes on
where it was when the same command is given again. Validation sets come from another seed.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import shlex
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

import coterie
from benchmarks import record
from coterie import L2C
from coterie.data.arrays import Scaling
from coterie.data.files import atomic_write
from coterie.data.shapes2d import shapes2d
from coterie.losses.l2c import class_weights, l2c_terms, pair_cross_entropy, same_matrices, true_counts
from coterie.metrics import misclassification_rate, nmi
from coterie.nn.set_attention import SetAttention
from coterie.nn.set_network import ItemVectors, SetNetwork

PACKAGE = record.ROOT / "src" / "coterie" / "pretrained"
WEIGHT = 5.0  # lambda
PAIR_WEIGHT = 5.0  # of the cross entropy of the network's pair logits, which the paper does not have
WARM_UP = 100
COUNT_ITEMS = (72, 120, 200, 400, 1000)
COUNT_EPOCHS = 100
EVERY = 500  # steps
VALIDATION_SEED = 777


def make_parser() -> argparse.ArgumentParser:
    """The command line; its defaults made the model points2d."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.train_points2d", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of checkpoint, log and weights")
    parser.add_argument("--steps", type=int, default=3400)
    parser.add_argument("--horizon", type=int, default=5000, help="steps to the end of the cosine")
    parser.add_argument("--cool", type=int, default=500, help="last steps, over which the rate falls to 0")
    parser.add_argument("--sets", type=int, default=16, help="sets in a step, for 72 items")
    parser.add_argument("--items", type=int, nargs="+", default=[72], help="sizes of sets, in turn")
    parser.add_argument("--max-clusters", type=int, default=5)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--init", type=Path, help="weights to start from, where their shapes agree")
    parser.add_argument(
        "--count-sets",
        type=int,
        nargs="+",
        metavar="N",
        help="at the end, train P(k) alone on so many sets of 72, 120, 200, 400 and 1,000 items",
    )
    parser.add_argument("--ship", metavar="NAME", help="put the model into the package under this name")
    return parser


def sets_of_step(options: argparse.Namespace, step: int) -> tuple[Tensor, Tensor]:
    """Points (b, n, 2) and labels (b, n): a function of the seed and the step."""
    n = options.items[step % len(options.items)]
    b = max(4, round(options.sets * (72 / n) ** 1.5))
    rng = np.random.default_rng([options.seed, step])
    points, labels = shapes2d(b, n, n_clusters=(1, options.max_clusters), random_state=rng)
    return torch.from_numpy(points), torch.from_numpy(labels)


def loss_of(network: SetAttention, points: Tensor, labels: Tensor, prior: float) -> dict[str, Tensor]:
    """The paper's terms, and the cross entropy of the pair logits."""
    with torch.autocast("cpu", torch.bfloat16):  # half the time, on processors that have it
        count_logits, packed, pair_logits = network(points)
    same = same_matrices(labels)
    parts = torch.split(packed, list(range(1, network.max_clusters + 1)), dim=2)
    terms = l2c_terms(count_logits.softmax(1), parts, same, true_counts(same), class_weights(prior), WEIGHT)
    terms["pair"] = pair_cross_entropy(pair_logits, same)
    terms["total"] = terms["total"] + PAIR_WEIGHT * terms["pair"]
    return terms


def fit_count(network: SetAttention, n_sets: list[int], seed: int) -> None:
    """Train the layers that give P(k) afresh, all others fixed: cheap, and so also on large sets.

    A fifth of the sets is held out and chooses the epoch.
    """
    seen, counts = _summaries(network, n_sets, seed)
    held = torch.arange(len(counts)) % 5 == 0
    torch.manual_seed(seed)
    for layer in network.count:
        if isinstance(layer, torch.nn.Linear):
            layer.reset_parameters()
    optimizer = torch.optim.AdamW(network.count.parameters(), lr=1e-3, weight_decay=0.1)
    best, state = math.inf, copy.deepcopy(network.count.state_dict())
    for _ in range(COUNT_EPOCHS):
        for rows in torch.split(torch.randperm(int((~held).sum())), 64):
            optimizer.zero_grad()
            loss = functional.cross_entropy(network.count(seen[~held][rows]), counts[~held][rows])
            torch.autograd.backward(loss)
            optimizer.step()
        with torch.no_grad():
            logits = network.count(seen[held])
            value = functional.cross_entropy(logits, counts[held]).item()
        if value < best:
            best, state = value, copy.deepcopy(network.count.state_dict())
            right = (logits.argmax(dim=1) == counts[held]).float().mean().item()
    network.count.load_state_dict(state)
    print(json.dumps({"count_held_out": round(best, 4), "right_counts": round(right, 4)}), flush=True)


@torch.no_grad()
def _summaries(network: SetAttention, n_sets: list[int], seed: int) -> tuple[Tensor, Tensor]:
    """What P(k) is read off, and the true k - 1, of sets of several sizes."""
    seen: list[Tensor] = []
    counts: list[Tensor] = []
    hook = network.count.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    for number, (n, total) in enumerate(zip(COUNT_ITEMS, n_sets, strict=True)):
        if total == 0:
            continue
        rng = np.random.default_rng([seed, 2**31 + number])
        points, labels = shapes2d(total, n, n_clusters=(1, network.max_clusters), random_state=rng)
        for some in torch.split(torch.from_numpy(points), max(1, 1000 // n)):
            with torch.autocast("cpu", torch.bfloat16):
                network(some)
        counts.append(torch.from_numpy(labels).amax(dim=1))
    hook.remove()
    order = torch.randperm(sum(n_sets), generator=torch.Generator().manual_seed(seed))
    return torch.cat(seen)[order], torch.cat(counts)[order]


@torch.no_grad()
def validate(network: SetAttention, n: int, n_sets: int = 300) -> dict[str, float]:
    """Mean NMI, misclassification rate and share of right counts; labels from the outputs alone."""
    k_max = network.max_clusters
    points, labels = shapes2d(n_sets, n, n_clusters=(1, k_max), random_state=VALIDATION_SEED)
    network.eval()
    found: list[tuple[float, float, float]] = []
    for start in range(0, n_sets, 50):
        count_logits, packed, _ = network(torch.from_numpy(points[start : start + 50]))
        parts = torch.split(packed, list(range(1, k_max + 1)), dim=2)
        for row, k in enumerate((count_logits.argmax(1) + 1).tolist()):
            y, clusters = labels[start + row], parts[k - 1][row].argmax(1).numpy()
            scores = nmi(y, clusters, average="geometric"), misclassification_rate(y, clusters)
            found.append((*scores, float(k == y.max() + 1)))
    network.train()
    return dict(zip(("nmi", "mr", "right_counts"), np.mean(found, axis=0).round(4).tolist(), strict=True))


def same_prior(k_max: int, n: int) -> float:
    """Expected share of same pairs with k uniform in 1..k_max and clusters of equal size."""
    return float(np.mean([(n / k - 1) / (n - 1) for k in range(1, k_max + 1)]))


def learning_rate_at(step: int, options: argparse.Namespace) -> float:
    """A cosine over the horizon, with a linear rise at the start and a linear fall to 0 at the end."""
    cosine = 0.5 + 0.5 * math.cos(math.pi * step / options.horizon)
    rise, fall = (step + 1) / WARM_UP, (options.steps - step) / max(1, options.cool)
    return float(options.learning_rate * min(1, rise, fall) * cosine)


def main() -> None:
    """Train, with a checkpoint and a validation every so many steps."""
    options = make_parser().parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    network = SetAttention(2, options.max_clusters)
    if options.init:
        _take_over(network, torch.load(options.init, weights_only=True))
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=options.learning_rate, weight_decay=1e-4, betas=(0.9, 0.98)
    )
    step, seconds = _resume(options.out / "checkpoint.pt", network, optimizer)
    sums: dict[str, float] = {}
    reported = step
    before, start = seconds, time.process_time()
    while step < options.steps:
        optimizer.param_groups[0]["lr"] = learning_rate_at(step, options)
        points, labels = sets_of_step(options, step)
        terms = loss_of(network, points, labels, same_prior(options.max_clusters, points.shape[1]))
        optimizer.zero_grad()
        torch.autograd.backward(terms["total"])
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        step += 1
        sums = {name: sums.get(name, 0.0) + value.item() for name, value in terms.items()}
        if step % EVERY == 0 or step == options.steps:
            seconds = before + time.process_time() - start
            line: dict[str, Any] = {"step": step, "seconds": round(seconds)}
            line |= {name: round(value / (step - reported), 4) for name, value in sums.items()}
            line |= validate(network, options.items[0])
            sums, reported = {}, step
            _write(options.out, network, optimizer, line)
    if options.count_sets:
        fit_count(network, options.count_sets, options.seed)
    if options.ship:
        log = [json.loads(text) for text in (options.out / "log.jsonl").read_text().splitlines()]
        ship(
            network,
            options.ship,
            log,
            shlex.join(["python", "-m", "benchmarks.train_points2d", *sys.argv[1:]]),
        )


def ship(network: SetAttention, name: str, log: list[dict[str, Any]], command: str) -> None:
    """Write the network as a fitted estimator into the package, and beside it how it was made."""
    model = L2C(max_clusters=network.max_clusters)
    model.item_shape_, model.n_features_in_ = (2,), 2
    model.scaling_ = Scaling(np.zeros(()), np.ones(()))  # every set is centred and scaled by itself
    model.loss_, model.history_, model.runs_ = log[-1]["total"], log, []
    model.network_ = SetNetwork(ItemVectors((2,)), network)
    coterie.save(model, PACKAGE / f"{name}.safetensors")
    facts = {
        "command": command,
        "data": "coterie.data.shapes2d, sets drawn anew at every step; no set is seen twice",
        "validation": f"300 sets of seed {VALIDATION_SEED}; they chose no checkpoint",
        "last": log[-1],
        **record.surroundings(),
    }
    (PACKAGE / f"{name}.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


def _take_over(network: SetAttention, state: dict[str, Tensor]) -> None:
    """Weights of another model where names and shapes agree."""
    own = network.state_dict()
    fitting = {name: value for name, value in state.items() if value.shape == own[name].shape}
    network.load_state_dict(own | fitting)


def _resume(path: Path, network: SetAttention, optimizer: torch.optim.Optimizer) -> tuple[int, float]:
    if not path.exists():
        return 0, 0.0
    state = torch.load(path, weights_only=True)
    network.load_state_dict(state["network"])
    optimizer.load_state_dict(state["optimizer"])
    return state["step"], state["seconds"]


def _write(out: Path, network: SetAttention, optimizer: torch.optim.Optimizer, line: dict[str, Any]) -> None:
    print(json.dumps(line), flush=True)
    with (out / "log.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
    with atomic_write(out / "checkpoint.pt") as temporary:
        state = {"network": network.state_dict(), "optimizer": optimizer.state_dict()}
        torch.save(state | {"step": line["step"], "seconds": line["seconds"]}, temporary)
    with atomic_write(out / "weights.pt") as temporary:
        torch.save(network.state_dict(), temporary)


if __name__ == "__main__":
    main()
