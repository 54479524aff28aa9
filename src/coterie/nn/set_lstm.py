"""The set network of the L2C paper: residual bidirectional LSTM layers over the samples, a head for each k.

Meier, Elezi, Amirian, Dürr and Stadelmann, "Learning neural models for end-to-end clustering", ANNPR 2018
(arXiv:1807.04001), sections 3.1 and 3.3.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from coterie._checks import check_int
from coterie._errors import InputError

DISTANCES = ("implicit", "euclidean", "diagonal", "full")
_SLOPE = 0.3  # of every LeakyReLU
_UNITS = 288  # of the first layer; half of them a direction of each LSTM
_COUNT_UNITS = 64  # a direction of the LSTM that counts


class SetLSTM(nn.Module):
    """The paper's stack: FC, residual bidirectional LSTM layers, softmax heads for k = 1..K, count network.

    Parameters
    ----------
    in_features : int
        Width of a sample's embedding.
    max_clusters : int
        Largest number of clusters K.
    width : int, default=288
        Units of the FC layer, even.
    depth : int, default=14
        LSTM layers.
    distance : {"implicit", "euclidean", "diagonal", "full"}, default="implicit"
        Not "implicit": the LSTM layers see each sample's distances (x_i - x_j)' A (x_i - x_j) to all others,
        with A the identity, a trained diagonal or a trained matrix (section 3.3; not in the released code).
        The first LSTM layer then sees rows of length n, so `n_samples` fixes the size of every set.
    n_samples : int or None
        Samples of a set, for explicit distances.

    Notes
    -----
    The gates are torch's, with the logistic function; Keras of the paper's time had a hard sigmoid, which the
    fused LSTM does not offer. Input and recurrent weights and the open forget gates begin as in Keras.

    Examples
    --------
    >>> network = SetLSTM(2, max_clusters=3, width=16, depth=2)
    >>> count_logits, assignments = network(torch.zeros(4, 7, 2))
    >>> tuple(count_logits.shape), tuple(assignments.shape)
    ((4, 3), (4, 7, 6))
    """

    outputs = ("count_logits", "assignments")

    def __init__(
        self,
        in_features: int,
        max_clusters: int,
        *,
        width: int = _UNITS,
        depth: int = 14,
        distance: str = "implicit",
        n_samples: int | None = None,
    ) -> None:
        super().__init__()
        self.max_clusters = check_int("max_clusters", max_clusters, 1)
        self.into = nn.Linear(in_features, width)
        self.distance = make_distance(distance, width)
        self.n_samples = None if distance == "implicit" else check_int("n_samples", n_samples, 2)
        first = self.n_samples or width
        self.layers = nn.ModuleList(
            nn.LSTM(width if number else first, width // 2, batch_first=True, bidirectional=True)
            for number in range(depth)
        )
        self.heads = nn.ModuleList(nn.Linear(width, k) for k in range(1, max_clusters + 1))
        self.count_lstm = nn.LSTM(width, _COUNT_UNITS, batch_first=True, bidirectional=True)
        self.count = nn.Sequential(
            nn.BatchNorm1d(4 * _COUNT_UNITS),
            nn.Linear(4 * _COUNT_UNITS, 4 * _COUNT_UNITS),
            nn.LeakyReLU(_SLOPE),
            nn.BatchNorm1d(4 * _COUNT_UNITS),
            nn.Dropout(0.5),
            nn.Linear(4 * _COUNT_UNITS, max_clusters),
        )
        for layer in (*self.layers, self.count_lstm):
            _start_like_keras(cast(nn.LSTM, layer))

    def forward(self, embedding: Tensor) -> tuple[Tensor, Tensor]:
        """Map sets (b, n, e) to count logits (b, K) and assignments (b, n, K (K + 1) / 2), k side by side."""
        hidden = functional.leaky_relu(self.into(embedding), _SLOPE)
        if self.distance is not None:
            if hidden.shape[1] != self.n_samples:
                raise InputError(
                    f"X must hold sets of {self.n_samples} samples, as in fit, with explicit "
                    f"distances, got sets of {hidden.shape[1]}"
                )
            hidden = self.distance(hidden)
        before = hidden
        for layer in self.layers:
            before = hidden
            out = layer(hidden)[0]
            # with explicit distances the first layer's input is n wide, and nothing is added there
            hidden = out + hidden if out.shape == hidden.shape else out
        assignments = torch.cat([head(hidden).softmax(dim=2) for head in self.heads], dim=2)
        # the released code counts from what the last layer is given
        counted = before if before.shape[-1] == self.count_lstm.input_size else hidden
        states = self.count_lstm(counted)[0]
        return self.count(torch.cat([states[:, 0], states[:, -1]], dim=1)), assignments


def make_distance(kind: str, width: int) -> PairDistance | None:
    """The distance block that a name stands for; None for the implicit distance."""
    if kind not in DISTANCES:
        raise InputError(f"distance={kind!r} must be one of {', '.join(map(repr, DISTANCES))}")
    return None if kind == "implicit" else PairDistance(kind, width)


class PairDistance(nn.Module):
    """d_A^2(x_i, x_j) = (x_i - x_j)' A (x_i - x_j) of all samples of a set (section 3.3).

    Parameters
    ----------
    kind : {"euclidean", "diagonal", "full"}
        A is the identity, a trained diagonal, or a trained matrix.
    width : int

    Examples
    --------
    >>> PairDistance("euclidean", 2)(torch.tensor([[[0.0, 0.0], [3.0, 4.0]]]))
    tensor([[[ 0., 25.],
             [25.,  0.]]])
    """

    def __init__(self, kind: str, width: int) -> None:
        super().__init__()
        self.kind = kind
        start = torch.eye(width) if kind == "full" else torch.ones(width)
        self.matrix = nn.Parameter(start, requires_grad=kind != "euclidean")

    def forward(self, samples: Tensor) -> Tensor:
        """Samples (b, n, width) to squared distances (b, n, n), A projected first."""
        self.project()
        scaled = samples @ self.matrix if self.kind == "full" else samples * self.matrix
        products = scaled @ samples.mT
        own = products.diagonal(dim1=1, dim2=2)
        distances: Tensor = own.unsqueeze(1) + own.unsqueeze(2) - products - products.mT
        return distances

    @torch.no_grad()
    def project(self) -> None:
        """Move A to the nearest positive semidefinite matrix, as is done in every step of training."""
        if self.kind == "full":
            values, vectors = torch.linalg.eigh((self.matrix + self.matrix.T) / 2)
            self.matrix.copy_((vectors * values.clamp_min(0)) @ vectors.T)
        else:
            self.matrix.clamp_(min=0)


def _start_like_keras(layer: nn.LSTM) -> None:
    """Keras's start: Glorot input weights, orthogonal recurrent ones, forget gates open."""
    for name, weight in layer.named_parameters():
        units = weight.shape[0] // 4
        if name.startswith("weight_ih"):
            nn.init.xavier_uniform_(weight)
        elif name.startswith("weight_hh"):
            nn.init.orthogonal_(weight)
        else:
            nn.init.zeros_(weight)
            if name.startswith("bias_ih"):
                nn.init.ones_(weight[units : 2 * units])
