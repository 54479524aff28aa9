"""A set network for rows of any table: attention over rows whose logits are features of pairs of rows."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from coterie._checks import check_int
from coterie.nn.set_attention import choose_seeds
from coterie.nn.table_features import (
    CELL_FEATURES,
    N_HIERARCHIES,
    PAIR_FEATURES,
    PROFILE_FEATURES,
    column_cells,
    pair_features,
    standard_columns,
)

_LEAST_GAIN = 1e-4
_COMPONENTS = 6
FRONT = "columns"
PAIRS = "all"


class TableAttention(nn.Module):
    outputs = ("count_logits", "assignments", "pair_logits")

    def __init__(self, max_clusters: int, *, width: int = 96, depth: int = 6, heads: int = 8) -> None:
        super().__init__()
        self.front, self.kinds = FRONT, PAIRS
        self.max_clusters = check_int("max_clusters", max_clusters, low=1)
        self.profile = nn.Linear(PROFILE_FEATURES, width)
        if self.front == "columns":
            self.cell = nn.Sequential(nn.Linear(CELL_FEATURES, 32), nn.GELU(), nn.Linear(32, 32))
            self.pooled = nn.Linear(64, width)
        if self.front == "projections":
            self.projected = nn.Linear(_COMPONENTS, width)
        n_pairs = PAIR_FEATURES if self.kinds == "all" else 3
        self.pairs = nn.Sequential(nn.Linear(n_pairs, 32), nn.GELU(), nn.Linear(32, heads))
        self.layers = nn.ModuleList(_Layer(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, width // 2)
        self.decide = nn.Sequential(nn.Linear(heads, 32), nn.GELU(), nn.Linear(32, 1))
        self.scale = nn.Parameter(torch.tensor(2.0))
        self.sharpness = nn.Parameter(torch.tensor(1.0))
        n_summary = 2 * width + (2 + N_HIERARCHIES) * max_clusters
        self.count = nn.Sequential(nn.Linear(n_summary, width), nn.GELU(), nn.Linear(width, max_clusters))

    def forward(self, tables: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        with torch.autocast(tables.device.type, enabled=False):
            standard, used = standard_columns(tables.float())
            items = standard / used.sum(dim=1).clamp_min(1).sqrt()[:, None, None]
            with torch.no_grad():
                features, profiles, heights = pair_features(items)
            if self.kinds != "all":
                features = features[..., :3]
        hidden = self.profile(profiles)
        if self.front == "columns":
            cells = self.cell(column_cells(standard)) * used[:, None, :, None]
            mean = cells.sum(dim=2) / used.sum(dim=1).clamp_min(1)[:, None, None]
            hidden = hidden + self.pooled(torch.cat([mean, cells.amax(dim=2)], dim=2))
        if self.front == "projections":
            hidden = hidden + self.projected(principal(items, self.training).to(hidden.dtype))
        logits = self.pairs(features).permute(0, 3, 1, 2)
        for layer in self.layers:
            hidden, logits = layer(hidden, logits)
        pair_logits = self.decide(logits.permute(0, 2, 3, 1)).squeeze(3)
        with torch.autocast(tables.device.type, enabled=False):
            return self._cluster(self.norm(hidden.float()), pair_logits.float(), heights)

    def _cluster(self, hidden: Tensor, edges: Tensor, heights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        z = functional.normalize(self.out(hidden), dim=-1)
        pair_logits = (edges + edges.mT) / 2 + functional.softplus(self.scale) * 5 * (z @ z.mT)
        seeds, gains = choose_seeds(pair_logits.sigmoid(), self.max_clusters)
        short = max(0, self.max_clusters - heights.shape[2])
        top = functional.pad(heights[:, :, : self.max_clusters], (0, short), value=-7.0)
        summary = torch.cat(
            [hidden.mean(dim=1), hidden.amax(dim=1), gains, (gains + _LEAST_GAIN).log(), top.flatten(1)],
            dim=1,
        )
        return self.count(summary), self._assign(pair_logits, seeds), pair_logits

    def _assign(self, pair_logits: Tensor, seeds: Tensor) -> Tensor:
        n, widths = pair_logits.shape[1], list(range(1, seeds.shape[1] + 1))
        seeded = pair_logits.gather(2, seeds.unsqueeze(1).expand(-1, n, -1))
        shares = torch.cat([seeded[:, :, :k].softmax(dim=2) for k in widths], dim=2)
        means = pair_logits @ (shares / (shares.sum(dim=1, keepdim=True) + 1e-3))
        sharpness = functional.softplus(self.sharpness)
        return torch.cat([(sharpness * part).softmax(dim=2) for part in means.split(widths, dim=2)], dim=2)


class _Layer(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.perceptron = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 3 * width), nn.GELU(), nn.Linear(3 * width, width)
        )

    def forward(self, hidden: Tensor, carried: Tensor) -> tuple[Tensor, Tensor]:
        b, n, width = hidden.shape
        parts = self.query_key_value(self.norm(hidden)).view(b, n, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        query, key, value = parts.unbind()
        logits = carried + (query * query.shape[-1] ** -0.5) @ key.mT
        mixed = (logits.softmax(dim=-1) @ value).transpose(1, 2).reshape(b, n, width)
        hidden = hidden + self.out(mixed)
        return hidden + self.perceptron(hidden), logits


def principal(items: Tensor, random_signs: bool) -> Tensor:
    _, vectors = torch.linalg.eigh(items.mT @ items)
    projected = items @ vectors[:, :, -min(_COMPONENTS, items.shape[2]) :].flip(2)
    if random_signs:
        signs = torch.randint(0, 2, projected[:, :1].shape) * 2.0 - 1
    else:
        signs = projected.pow(3).sum(dim=1, keepdim=True).sign()
    return functional.pad(projected * signs, (0, _COMPONENTS - projected.shape[2]))
