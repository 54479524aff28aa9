"""A fitted clusterer as an ONNX file, scaling and votes included."""

from __future__ import annotations

import contextlib
import copy
import logging
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn
from torch.nn.functional import one_hot

from coterie._checks import check_path
from coterie._errors import InputError, InputTypeError
from coterie.data.arrays import Scaling
from coterie.data.files import atomic_write
from coterie.methods.clusterer import NeuralClusterer
from coterie.metrics import vote_shares
from coterie.nn import ClusterNetwork

NEEDED = ("onnx", "onnxscript", "onnxruntime")
_ROUNDING = 2.0**-24  # of float32, relative
_LOST = 1e-4  # of a feature's deviation: what rounding of the input may change
_MEASURED = 1_000  # samples at most, and drawn ones
_DRAWN = 100
_LARGE_ERROR = 1e-3


@dataclass(frozen=True)
class ExportedGraph:
    """What `export_onnx` wrote, and how far it is from the model.

    Attributes
    ----------
    input_type : {"float32", "float64"}
        Type of the input ``X``.
    max_error : float
        Largest difference of a probability, over all measured samples, between the graph as onnxruntime
        runs it and `predict_proba`.
    n_measured : int
        Number of samples that were measured.
    """

    input_type: str
    max_error: float
    n_measured: int


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
        self._n_clusters = n_clusters
        for name in ("offset", "factor"):
            values = np.asarray(getattr(scaling, name), dtype=np.float64)
            self.register_buffer(name, torch.from_numpy(values.copy()))
        # what each voter's word is worth: the shares of votes for m clusters, one for each voter
        ranks = [[rank] for rank in range(len(networks))]
        self.register_buffer("votes", torch.from_numpy(vote_shares(ranks, len(networks))[0].copy()))

    def forward(self, X: Tensor) -> tuple[Tensor, Tensor]:
        """Map X (n, *sample_shape) to probabilities (n, k), float32, and clusters (n,), int64."""
        samples = ((X.double() - self.offset) * self.factor).float()
        networks = cast(Iterable[ClusterNetwork], self.networks)
        found = [network.named(network(samples))["logits"].double().softmax(dim=1) for network in networks]
        if len(found) == 1:
            prob = found[0]
        else:
            voted = [one_hot(one.argmax(dim=1), self._n_clusters).double() for one in found]
            prob = (torch.stack(voted, dim=2) * self.votes).sum(dim=2)
        return prob.float(), prob.argmax(dim=1)


def export_onnx(estimator: NeuralClusterer, path: str | Path, X: Any = None) -> ExportedGraph:
    """Write `predict_proba` and `predict` of a fitted CCN, DDC or ADC as an ONNX graph, atomically.

    The graph takes one input, ``X``, of shape (n, ...), n free, of the values that `predict` takes (uint8
    images as 0 to 255): scaling is part of it. The input is float32, or float64 if float32 would round away
    what distinguishes samples, as it does with timestamps. The graph gives ``probability``, float32 of shape
    (n, n_clusters), and ``label``, int64 of shape (n,). The function runs the graph and reports its largest
    error. It needs the packages of the extra ``onnx``.

    Parameters
    ----------
    estimator : CCN, DDC or ADC
        Fitted; of a vote, all networks are exported.
    path : str or Path
        The file, conventionally ending in ``.onnx``; its folder is made where it is missing.
    X : array-like of shape (n, ...), optional
        Samples to measure the error on, such as those of the fit; up to 1,000 of them, evenly spaced, are
        used. None: 100 random samples with the mean and the deviation of the training samples.

    Returns
    -------
    ExportedGraph
        Type of the input and measured error.

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

    Warns
    -----
    UserWarning
        A probability differs by more than 0.001.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np, onnxruntime
    >>> from coterie import CCN, export_onnx
    >>> X = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
    >>> model = CCN(n_clusters=3, n_restarts=1, max_steps=5, over_clustering=True).fit(X, np.arange(40) % 3)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     written = export_onnx(model, f"{folder}/model.onnx", X)
    ...     session = onnxruntime.InferenceSession(f"{folder}/model.onnx")
    ...     probability, label = session.run(None, {"X": X})
    >>> written.input_type, written.max_error < 1e-5, label.shape
    ('float32', True, (40,))
    """
    if not isinstance(estimator, NeuralClusterer):
        raise InputTypeError(
            f"estimator must assign single samples, as CCN, DDC and ADC do, got {type(estimator).__name__}"
        )
    check_path("path", path)
    check_is_fitted(estimator, "network_")
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        raise ImportError(f"ONNX files need {', '.join(missing)}, not installed: pip install '.[onnx]'")
    samples = _samples_to_measure(estimator, X)
    portable = PortableClusterer(estimator.members_, estimator.scaling_, estimator.n_outputs_).eval()
    kind = input_type(estimator.scaling_)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as temporary:
        _write(portable, torch.zeros(2, *estimator.sample_shape_, dtype=getattr(torch, kind)), temporary)
        found = _run(temporary, samples.astype(kind))
    error = float(np.abs(found - estimator._probabilities(samples)).max())
    if error > _LARGE_ERROR:
        warnings.warn(
            f"path: a probability of the ONNX graph differs by {error:.2g} from predict_proba; check its "
            "results on your own samples, or use the saved model",
            UserWarning,
            stacklevel=2,
        )
    return ExportedGraph(kind, error, len(samples))


def input_type(scaling: Scaling) -> str:
    """float64 where rounding to float32 moves a scaled value of a typical sample visibly."""
    lost = np.abs(scaling.offset * scaling.factor) * _ROUNDING
    return "float64" if bool((lost > _LOST).any()) else "float32"


def _samples_to_measure(estimator: NeuralClusterer, X: Any) -> npt.NDArray[Any]:
    """Evenly spaced samples of X, or drawn ones of the training samples' mean and deviation."""
    if X is not None:
        samples = estimator._check_samples(X, reset=False)
        return np.asarray(samples[:: -(-len(samples) // _MEASURED)])
    drawn = np.random.default_rng(0).normal(size=(_DRAWN, *estimator.sample_shape_))
    values: npt.NDArray[Any] = drawn / estimator.scaling_.factor + estimator.scaling_.offset
    return values


def _run(file: Path, samples: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Probabilities as onnxruntime computes them."""
    import onnxruntime  # of an extra

    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    probability: npt.NDArray[np.float32] = session.run(["probability"], {"X": samples})[0]
    return probability


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
                f"backbone cannot be exported to ONNX: {reason}; its control flow must not "
                "depend on input values"
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
