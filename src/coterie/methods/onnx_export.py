"""A fitted clusterer as an ONNX file, scaling and votes included."""

from __future__ import annotations

import contextlib
import copy
import logging
import warnings
from collections.abc import Iterable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import cast

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn
from torch.nn.functional import one_hot

from coterie._errors import InputError, InputTypeError
from coterie.data.arrays import Scaling
from coterie.data.files import atomic_write
from coterie.methods.base import NeuralClusterer
from coterie.metrics import vote_shares
from coterie.nn import ClusterNetwork

NEEDED = ("onnx", "onnxscript")


class PortableClusterer(nn.Module):
    """Raw samples to clusters, as one network without this library around it.

    Parameters
    ----------
    networks : sequence of ClusterNetwork
        One, or several that vote, the most trusted first.
    scaling : Scaling
    n_clusters : int
    """

    offset: Tensor
    factor: Tensor
    votes: Tensor

    def __init__(self, networks: Sequence[ClusterNetwork], scaling: Scaling, n_clusters: int) -> None:
        super().__init__()
        self.networks = nn.ModuleList(copy.deepcopy(network).cpu().eval() for network in networks)
        self.n_clusters = n_clusters
        for name in ("offset", "factor"):
            values = np.asarray(getattr(scaling, name), dtype=np.float64)
            self.register_buffer(name, torch.from_numpy(values.copy()))
        # what each voter's word is worth: the shares of votes for m clusters, one for each voter
        ranks = [[rank] for rank in range(len(networks))]
        self.register_buffer("votes", torch.from_numpy(vote_shares(ranks, len(networks))[0].copy()))

    def forward(self, X: Tensor) -> tuple[Tensor, Tensor]:
        """Map X (n, *sample_shape), float32, to probabilities (n, k), float32, and clusters (n,), int64."""
        samples = ((X.double() - self.offset) * self.factor).float()
        networks = cast(Iterable[ClusterNetwork], self.networks)
        found = [network.named(network(samples))["logits"].double().softmax(dim=1) for network in networks]
        if len(found) == 1:
            prob = found[0]
        else:
            voted = [one_hot(one.argmax(dim=1), self.n_clusters).double() for one in found]
            prob = (torch.stack(voted, dim=2) * self.votes).sum(dim=2)
        return prob.float(), prob.argmax(dim=1)


def export_onnx(estimator: NeuralClusterer, path: str | Path) -> None:
    """Write `predict_proba` and `predict` of a fitted CCN, DDC or ADC as an ONNX graph, atomically.

    The graph takes one input, ``X``: float32 of shape (n, ...), n free, of the values that `predict` takes
    (uint8 images as 0 to 255): scaling is part of it. It gives ``probability``, float32 of shape
    (n, n_clusters), and ``label``, int64 of shape (n,). Needs the packages of ``coterie[onnx]``.

    Parameters
    ----------
    estimator : CCN, DDC or ADC
        Fitted; of a vote, all networks are exported.
    path : str or Path
        The file, conventionally ending in ``.onnx``; its folder is made where it is missing.

    Raises
    ------
    NotFittedError
        The estimator has not been fitted.
    InputTypeError
        It assigns no cluster to single samples, as L2C and SimilarityNetwork.
    InputError
        A network of the caller's has parts that ONNX cannot express.
    ImportError
        The packages are missing.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np, onnxruntime
    >>> from coterie import CCN, export_onnx
    >>> X = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
    >>> model = CCN(n_clusters=3, n_restarts=1, max_steps=5, over_clustering=True).fit(X, np.arange(40) % 3)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     export_onnx(model, f"{folder}/model.onnx")
    ...     session = onnxruntime.InferenceSession(f"{folder}/model.onnx")
    ...     probability, label = session.run(None, {"X": X})
    >>> bool(np.allclose(probability, model.predict_proba(X), atol=1e-5)), label.shape
    (True, (40,))
    """
    if not isinstance(estimator, NeuralClusterer):
        raise InputTypeError(
            f"estimator: {type(estimator).__name__}; CCN, DDC or ADC is expected, which assign single samples"
        )
    check_is_fitted(estimator, "network_")
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        raise ImportError(f"ONNX files need {', '.join(missing)}, not installed: pip install 'coterie[onnx]'")
    portable = PortableClusterer(estimator.members_, estimator.scaling_, estimator.n_outputs_).eval()
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as temporary:
        _write(portable, torch.zeros(2, *estimator.sample_shape_), temporary)


def _write(portable: PortableClusterer, example: Tensor, file: Path) -> None:
    with _quiet():
        try:
            torch.onnx.export(
                portable,
                (example,),
                file,
                input_names=["X"],
                output_names=["probability", "label"],
                dynamic_shapes={"X": {0: torch.export.Dim("n")}},
                dynamo=True,
                external_data=False,
                verbose=False,
            )
        except torch.onnx.OnnxExporterError as error:
            reason = str(error.__cause__ or error).strip().partition("\n")[0]
            raise InputError(
                f"backbone: a network that cannot be expressed in ONNX: {reason}; one whose way does not "
                "depend on the values it sees is expected"
            ) from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without what torch's exporter says about its own parts and about packages that it does not need."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)
