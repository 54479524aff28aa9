"""Saved models, changed at random: each is refused with an error of ours, or predicts as a model does."""

from __future__ import annotations

import json
import random
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tests.nightly.values import odd_value
from torch import Tensor

import coterie
from coterie import ADC, CCN, DDC, L2C, InputError, SimilarityNetwork
from coterie.engine.storage import read_tensors, write_tensors
from coterie.methods.base import NeuralEstimator
from coterie.methods.clusterer import NeuralClusterer

RNG = np.random.default_rng(0)
X = RNG.normal(size=(24, 6)).astype(np.float32)
Y = np.arange(24) % 3
_QUICK: dict[str, Any] = {"max_steps": 2, "random_state": 0}
_DTYPES = (torch.float64, torch.float16, torch.int64, torch.uint8, torch.bool, torch.complex64)
_FAR = (float("nan"), float("inf"), -1e38, 1e38, 0.0, -1.0, 1e9)


def models(folder: Path) -> list[Path]:
    """A small saved model of every method, of a vote and of images."""
    images = RNG.integers(0, 255, (24, 16, 16)).astype(np.uint8)
    clusters = _QUICK | {"n_clusters": 3, "n_restarts": 1}
    fitted = [
        CCN(**clusters, over_clustering=True).fit(X, Y),
        CCN(**clusters, over_clustering=True, backbone="lenet").fit(images, Y),
        DDC(**clusters | {"n_restarts": 3, "vote": 3}).fit(X),
        ADC(**clusters).fit(X),
        SimilarityNetwork(**_QUICK).fit(X, Y),
        L2C(**_QUICK, max_clusters=3, set_size=8).fit(X, Y),
    ]
    paths = [folder / str(number) for number in range(len(fitted))]
    for model, path in zip(fitted, paths, strict=True):
        coterie.save(model, path)
    return paths


class Mutation:
    """Changes models and looks at what comes of it.

    Parameters
    ----------
    folder : Path
        Empty.
    seed : int
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self.counts: Counter[str] = Counter()
        self.faults: list[str] = []
        self._chance = random.Random(seed)
        self._changed = folder / "changed"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._paths = models(folder)

    def try_one(self) -> None:
        """Change a model in one to three ways; load it and let it predict."""
        path = self._chance.choice(self._paths)
        said = path.name + ": " + self._change(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.counts[self._outcome(said)] += 1

    def _outcome(self, said: str) -> str:
        try:
            loaded = coterie.load(self._changed)
        except InputError:
            return "refused"
        except Exception as error:  # noqa: BLE001  # each is what is looked for
            return self._fault(f"load: {said}: {type(error).__name__}: {error}")
        try:
            wrong = _predict(loaded)
        except (InputError, coterie.InputTypeError):
            return "loaded, refuses to predict"
        except Exception as error:  # noqa: BLE001
            return self._fault(f"predict: {said}: {type(error).__name__}: {error}")
        return self._fault(f"predict: {said}: {wrong}") if wrong else "loaded, predicts"

    def _fault(self, text: str) -> str:
        self.faults.append(text[:600])
        return "faults"

    def _change(self, path: Path) -> str:
        """Write a changed model; how it was changed."""
        if self._chance.random() < 0.3:
            content, said = self._changed_bytes(path.read_bytes())
            self._changed.write_bytes(content)
            return said
        tensors, meta = read_tensors(path, "model")
        said = ""
        for _ in range(self._chance.choice((1, 1, 2, 3))):
            said += self._change_json(meta) if self._chance.random() < 0.5 else self._change_tensors(tensors)
        try:
            write_tensors(self._changed, "model", tensors, meta)
        except (ValueError, TypeError, RuntimeError):  # what safetensors or JSON cannot hold
            return self._change(path)
        return said

    def _changed_bytes(self, content: bytes) -> tuple[bytes, str]:
        place, n = self._chance.randrange(len(content)), self._chance.choice((1, 1, 8, 500))
        if self._chance.random() < 0.5:  # the header is where most can go wrong
            place = self._chance.randrange(min(len(content), 3000))
        noise = self._chance.randbytes(n)
        changed = {
            "replaced": content[:place] + noise + content[place + n :],
            "inserted": content[:place] + noise + content[place:],
            "removed": content[:place] + content[place + n :],
            "cut": content[:place],
        }
        how = self._chance.choice(list(changed))
        return changed[how], f"{n} bytes {how} at {place}"

    def _change_json(self, meta: dict[str, Any]) -> str:
        """Change one value, at any depth, of the JSON data."""
        place: Any = meta
        name: Any = self._chance.choice(list(meta))
        while isinstance(place[name], dict | list) and place[name] and self._chance.random() < 0.7:
            place = place[name]
            name = self._chance.choice(list(place) if isinstance(place, dict) else range(len(place)))
        if self._chance.random() < 0.15:
            del place[name]
            return f"{name} deleted; "
        place[name] = odd_value(self._chance, place[name])
        return f"{name}={json.dumps(place[name])[:80]}; "

    def _change_tensors(self, tensors: dict[str, Tensor]) -> str:
        name = self._chance.choice(list(tensors))
        value = tensors[name]
        how = self._chance.choice(("deleted", "added", "dtype", "shape", "cut", "value"))
        if how == "deleted":
            del tensors[name]
        elif how == "added":
            tensors[f"{name}x"] = value
        else:
            tensors[name] = self._other_tensor(value, how)
        return f"{name} {how} {tuple(value.shape)}; "

    def _other_tensor(self, value: Tensor, how: str) -> Tensor:
        if how == "dtype":
            return value.to(self._chance.choice(_DTYPES))
        if how == "shape":
            return value.reshape(self._chance.choice([(-1,), (1, *value.shape), (*value.shape, 1)]))
        if how == "cut":
            return value.reshape(-1)[: self._chance.randrange(1 + value.numel())]
        far = self._chance.choice(_FAR)
        changed = value.double()
        changed.view(-1)[: self._chance.choice((1, None))] = far
        return changed.to(value.dtype)


def _predict(model: NeuralEstimator) -> str:
    """What is wrong with what a loaded model predicts for samples that fit it; empty where nothing is."""
    samples = RNG.normal(size=(8, *model.sample_shape_))
    if isinstance(model, SimilarityNetwork):
        return _wrong_shares(model.predict_proba_pairs(samples, [0, 1], [2, 3]), sums=False)
    assert isinstance(model, NeuralClusterer | L2C)
    proba, labels = model.predict_proba(samples), model.predict(samples)
    if labels.shape != (8,) or not (proba.argmax(axis=1) == labels).all():
        return f"labels {labels} of probabilities {proba.shape}"
    return _wrong_shares(proba, sums=True)


def _wrong_shares(proba: Any, sums: bool) -> str:
    if not np.isfinite(proba).all() or proba.min() < 0 or proba.max() > 1 + 1e-6:
        return f"probabilities {proba.min()} to {proba.max()}"
    return "" if not sums or np.allclose(proba.sum(axis=1), 1, atol=1e-5) else "rows that do not sum to 1"
