"""A set network of attention over samples: pair similarities, seeds, assignments for every k."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from coterie._checks import check_int

_SMALL = 1e-6  # under square roots and logarithms of distances: two samples may coincide
_LEAST_DENSITY = 1e-4  # of a walk, where 1 is the uniform one
_LEAST_GAIN = 1e-4
_NEIGHBOUR = 4  # the distance to this neighbour is a sample's own scale
_PAIR_FEATURES = 3


class SetAttention(nn.Module):
    """Clusters a set by attention; any order of its samples gives the same clustering.

    Attention logits start from a learned function of the samples' distances and are carried from layer to
    layer, so that who-is-like-whom is refined along chains of neighbours. The last layer's vectors z_i give
    the logits of "same cluster" t z_i . z_j + b. Seeds follow from them one at a time: the one whose cluster
    covers most of what the seeds so far leave uncovered. P(l | x_i, k) is a softmax over the first k seeds,
    after one step of soft k-means; P(k) is read off what each seed adds.

    Parameters
    ----------
    in_features : int
        Width of a sample's embedding; each set is centred.
    max_clusters : int
        Largest number of clusters k.
    width, depth, heads : int
        Of the attention layers.
    rescale : bool
        Divide each set by its own spread. A learned embedding has a scale of its own, which tells one group
        from several; points have none.

    Examples
    --------
    >>> network = SetAttention(2, max_clusters=3, width=16, depth=1, heads=2)
    >>> count_logits, assignments, pair_logits = network(torch.zeros(4, 7, 2))
    >>> tuple(count_logits.shape), tuple(assignments.shape), tuple(pair_logits.shape)
    ((4, 3), (4, 7, 6), (4, 7, 7))
    """

    outputs = ("count_logits", "assignments", "pair_logits")

    def __init__(
        self,
        in_features: int,
        max_clusters: int,
        *,
        width: int = 96,
        depth: int = 6,
        heads: int = 8,
        rescale: bool = True,
    ) -> None:
        super().__init__()
        self.rescale = rescale
        self.max_clusters = check_int("max_clusters", max_clusters, 1)
        self.into = nn.Linear(in_features, width)
        self.pairs = nn.Sequential(nn.Linear(_PAIR_FEATURES, 16), nn.GELU(), nn.Linear(16, heads))
        # nothing comes after the last layer that would take its logits
        self.layers = nn.ModuleList(
            AttentionLayer(width, heads, walks=number < depth) for number in range(1, depth + 1)
        )
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, width // 2)
        self.scale = nn.Parameter(torch.tensor(2.0))
        self.offset = nn.Parameter(torch.tensor(0.0))
        self.count = nn.Sequential(
            nn.Linear(2 * width + 2 * max_clusters, width), nn.GELU(), nn.Linear(width, max_clusters)
        )

    def forward(self, embedding: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Map sets (b, n, e) to count logits (b, K), assignments and pair logits (b, n, n).

        The assignments P(l | x_i, k) of k = 1..K stand side by side, (b, n, K (K + 1) / 2).
        """
        with torch.autocast(embedding.device.type, enabled=False):  # half precision has no small distances
            samples = _centred(embedding.to(self.into.weight.dtype), self.rescale)
            features = _pair_features(samples)
        hidden = self.into(samples)
        logits = self.pairs(features).to(samples.dtype).permute(0, 3, 1, 2)
        for layer in self.layers:
            hidden, logits = layer(hidden, logits)
        with torch.autocast(embedding.device.type, enabled=False):
            return self._cluster(self.norm(hidden.to(samples.dtype)))

    def _cluster(self, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The outputs, from the last layer's (b, n, width)."""
        z = functional.normalize(self.out(hidden), dim=-1)
        scale = functional.softplus(self.scale) * 5
        pair_logits = scale * (z @ z.mT) + self.offset
        seeds, gains = choose_seeds(pair_logits.sigmoid(), self.max_clusters)
        summary = torch.cat(
            [hidden.mean(dim=1), hidden.amax(dim=1), gains, (gains + _LEAST_GAIN).log()], dim=1
        )
        return self.count(summary), _assign(z, seeds, scale), pair_logits


class AttentionLayer(nn.Module):
    """Attention whose logits are added to those of the layer before, and a two-layer perceptron.

    Two steps of the walk that attention is (each row a distribution over the samples) reach along chains of
    neighbours; the logarithm of their density, mixed over the heads, is added to the carried logits.
    """

    def __init__(self, width: int, heads: int, *, walks: bool) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        mixing = nn.Parameter(0.05 * torch.randn(heads, heads))
        self.walk = mixing if walks else None
        self.perceptron = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 3 * width), nn.GELU(), nn.Linear(3 * width, width)
        )

    def forward(self, hidden: Tensor, carried: Tensor) -> tuple[Tensor, Tensor]:
        """Hidden (b, n, width) and carried logits (b, heads, n, n) to the same of the next layer."""
        b, n, width = hidden.shape
        parts = self.query_key_value(self.norm(hidden)).view(b, n, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        query, key, value = parts.unbind()
        logits = carried + (query * query.shape[-1] ** -0.5) @ key.mT
        attention = logits.softmax(dim=-1)
        if self.walk is not None:
            density = (n * (attention @ attention) + _LEAST_DENSITY).log()
            logits = logits + torch.einsum("gh,bhij->bgij", self.walk, density)
        mixed = (attention @ value).transpose(1, 2).reshape(b, n, width)
        hidden = hidden + self.out(mixed)
        return hidden + self.perceptron(hidden), logits


def _centred(embedding: Tensor, rescale: bool) -> Tensor:
    """Sets (b, n, e) moved to mean 0; divided by one number each, so that their mean square is 1."""
    samples = embedding - embedding.mean(dim=1, keepdim=True)
    if not rescale:
        return samples
    return samples / (samples.square().mean(dim=(1, 2), keepdim=True) + _SMALL).sqrt()


def _pair_features(samples: Tensor) -> Tensor:
    """Log distances, also relative to the scale of either sample: (b, n, e) -> (b, n, n, 3)."""
    norms = samples.square().sum(dim=-1)
    squares = (norms.unsqueeze(1) + norms.unsqueeze(2) - 2 * samples @ samples.mT).clamp_min(0) + _SMALL
    logs = squares.log() / 2
    neighbour = min(_NEIGHBOUR, samples.shape[1] - 1) + 1
    own = logs.kthvalue(neighbour, dim=2).values
    return torch.stack([logs, logs - own.unsqueeze(2), logs - own.unsqueeze(1)], dim=-1)


def choose_seeds(same: Tensor, n_seeds: int) -> tuple[Tensor, Tensor]:
    """Seeds one at a time: the sample whose cluster covers most of what is not covered yet.

    Parameters
    ----------
    same : tensor of shape (b, n, n)
        Probabilities of "same cluster".
    n_seeds : int

    Returns
    -------
    seeds : int64 tensor of shape (b, n_seeds)
        Distinct where n allows it.
    gains : tensor of shape (b, n_seeds)
        Share of the set that each seed adds, in [0, 1].

    Examples
    --------
    >>> same = torch.eye(3)[[0, 0, 0, 1, 1, 2]] @ torch.eye(3)[:, [0, 0, 0, 1, 1, 2]]
    >>> seeds, gains = choose_seeds(same.unsqueeze(0), 3)
    >>> seeds.tolist(), (6 * gains).tolist()
    ([[0, 3, 5]], [[3.0, 2.0, 1.0]])
    """
    n = same.shape[1]
    free = same.new_ones(same.shape[:2])
    uncovered = same.new_ones(same.shape[:2])
    seeds, gains = [], []
    for _ in range(n_seeds):
        gain = (same @ uncovered.unsqueeze(2)).squeeze(2) / n
        # n may be less than n_seeds: then a seed comes twice
        seed = (gain.detach() * free + free).argmax(dim=1, keepdim=True)
        gains.append(gain.gather(1, seed))
        chosen = same.gather(1, seed.unsqueeze(2).expand(-1, -1, n)).squeeze(1)
        uncovered = uncovered * (1 - chosen)
        free = free.scatter(1, seed, 0.0)
        seeds.append(seed)
    return torch.cat(seeds, dim=1), torch.cat(gains, dim=1)


def _assign(z: Tensor, seeds: Tensor, scale: Tensor) -> Tensor:
    """P(l | x_i, k), k = 1..K side by side: unit vectors (b, n, e), seeds (b, K) -> (b, n, K (K + 1) / 2)."""
    seeded = z.gather(1, seeds.unsqueeze(2).expand(-1, -1, z.shape[2]))
    logits = scale * (z @ seeded.mT)
    parts = []
    for k in range(1, seeds.shape[1] + 1):
        shares = logits[:, :, :k].softmax(dim=2)
        centres = functional.normalize(shares.mT @ z, dim=-1)
        parts.append((scale * (z @ centres.mT)).softmax(dim=2))
    return torch.cat(parts, dim=2)
