"""A set network for the rows of any table: attention whose logits are features of pairs of rows."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from coterie._checks import check_int
from coterie.nn.set_attention import AttentionLayer, choose_seeds
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
_LEAST_SHARE = 1e-3  # of rows in a cluster, under the mean over it
_NO_HEIGHT = -7.0  # log height of joins that a small table does not have
_HIDDEN = 32  # units that see one pair of rows, or one cell


class TableAttention(nn.Module):
    """Clusters the rows of a table; the order of rows and columns and the columns' scales change nothing.

    Two fronts see the table with standardised columns. The first maps each cell by itself: its value, its
    rank, and the density of its column about it. The mean and maximum over the columns of a row, and the
    row's distances to its neighbours, make its vector. The second sees pairs of rows: their distances, and
    where four hierarchies join them. It gives the attention logits of the first layer; each layer adds its
    own. The last logits and the similarity of the last row vectors give the logits of "same cluster". Seeds
    follow from them as in `SetAttention`. P(l | x_i, k) is a softmax over the mean logits of a row to the
    clusters around the first k seeds. P(k) is read off what each seed adds, the heights of the last joins,
    and how well the clustering for each k fits the pair logits.

    Parameters
    ----------
    max_clusters : int
        Largest number of clusters k.
    width, depth, heads : int
        Of the attention layers.

    Examples
    --------
    >>> network = TableAttention(max_clusters=3, width=16, depth=1, heads=2)
    >>> count_logits, assignments, pair_logits = network(torch.rand(4, 7, 5))
    >>> tuple(count_logits.shape), tuple(assignments.shape), tuple(pair_logits.shape)
    ((4, 3), (4, 7, 6), (4, 7, 7))
    """

    outputs = ("count_logits", "assignments", "pair_logits")

    def __init__(self, max_clusters: int, *, width: int = 96, depth: int = 6, heads: int = 8) -> None:
        super().__init__()
        self.max_clusters = check_int("max_clusters", max_clusters, 1)
        self.profile = nn.Linear(PROFILE_FEATURES, width)
        self.cell = nn.Sequential(nn.Linear(CELL_FEATURES, _HIDDEN), nn.GELU(), nn.Linear(_HIDDEN, _HIDDEN))
        self.pooled = nn.Linear(2 * _HIDDEN, width)
        self.pairs = nn.Sequential(nn.Linear(PAIR_FEATURES, _HIDDEN), nn.GELU(), nn.Linear(_HIDDEN, heads))
        self.layers = nn.ModuleList(AttentionLayer(width, heads, walks=False) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, width // 2)
        self.decide = nn.Sequential(nn.Linear(heads, _HIDDEN), nn.GELU(), nn.Linear(_HIDDEN, 1))
        self.scale = nn.Parameter(torch.tensor(2.0))
        self.sharpness = nn.Parameter(torch.tensor(1.0))
        n_summary = 2 * width + (2 + N_HIERARCHIES) * max_clusters
        self.count_fit = _CountFit()
        self.count = nn.Sequential(nn.Linear(n_summary, width), nn.GELU(), nn.Linear(width, max_clusters))

    def forward(self, tables: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Map tables (b, n, d) to count logits (b, K), assignments and pair logits (b, n, n).

        Constant columns count as absent. The assignments P(l | x_i, k) of k = 1..K stand side by side,
        (b, n, K (K + 1) / 2).
        """
        with torch.autocast(tables.device.type, enabled=False):  # half precision has no small distances
            standard, used = standard_columns(tables.float())
            filled = used.any(dim=0).index_fill(0, torch.zeros(1, dtype=torch.long, device=used.device), True)
            standard, used = standard[:, :, filled], used[:, filled]
            n_used = used.sum(dim=1).clamp_min(1)[:, None, None]
            with torch.no_grad():
                features, profiles, heights = pair_features(standard / n_used.sqrt())
                cells = column_cells(standard)
        hidden = self.profile(profiles) + self._see_cells(cells, used, n_used)
        logits = self.pairs(features).permute(0, 3, 1, 2)
        for layer in self.layers:
            hidden, logits = layer(hidden, logits)
        edges = self.decide(logits.permute(0, 2, 3, 1)).squeeze(3)
        with torch.autocast(tables.device.type, enabled=False):
            return self._cluster(self.norm(hidden.float()), edges.float(), heights)

    def _see_cells(self, cells: Tensor, used: Tensor, n_used: Tensor) -> Tensor:
        """Row vectors (b, n, width) from cells (b, n, d, CELL_FEATURES) of the columns that are used."""
        seen = self.cell(cells) * used[:, None, :, None]
        # at least 0, as where some columns are constant
        largest = seen.amax(dim=2).clamp_min(0)
        pooled: Tensor = self.pooled(torch.cat([seen.sum(dim=2) / n_used, largest], dim=2))
        return pooled

    def _cluster(self, hidden: Tensor, edges: Tensor, heights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The outputs, from row vectors (b, n, width), pair logits (b, n, n) and heights of joins."""
        z = functional.normalize(self.out(hidden), dim=-1)
        pair_logits = (edges + edges.mT) / 2 + functional.softplus(self.scale) * 5 * (z @ z.mT)
        seeds, gains = choose_seeds(pair_logits.sigmoid(), self.max_clusters)
        missing = max(0, self.max_clusters - heights.shape[2])
        top = functional.pad(heights[:, :, : self.max_clusters], (0, missing), value=_NO_HEIGHT)
        rows, log_gains = (hidden.mean(dim=1), hidden.amax(dim=1)), (gains + _LEAST_GAIN).log()
        summary = torch.cat([*rows, gains, log_gains, top.flatten(1)], dim=1)
        assignments = self._assign(pair_logits, seeds)
        found = torch.stack([gains, log_gains, *top.unbind(1)], dim=1)
        count_logits = self.count(summary) + self.count_fit(pair_logits, assignments, found)
        return count_logits, assignments, pair_logits

    def _assign(self, pair_logits: Tensor, seeds: Tensor) -> Tensor:
        """P(l | x_i, k), k = 1..K side by side: (b, n, n), seeds (b, K) -> (b, n, K (K + 1) / 2)."""
        n, widths = pair_logits.shape[1], list(range(1, seeds.shape[1] + 1))
        seeded = pair_logits.gather(2, seeds.unsqueeze(1).expand(-1, n, -1))
        shares = torch.cat([seeded[:, :, :k].softmax(dim=2) for k in widths], dim=2)
        means = pair_logits @ (shares / (shares.sum(dim=1, keepdim=True) + _LEAST_SHARE))
        sharp = functional.softplus(self.sharpness) * means
        return torch.cat([part.softmax(dim=2) for part in torch.split(sharp, widths, dim=2)], dim=2)


class _CountFit(nn.Module):
    """Logits of the numbers of clusters, from how well the clustering for each of them fits the pair logits.

    The features of each k are the same for all k, and each k is seen with its neighbours, so that what is
    learned of few clusters holds for many.
    """

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv1d(6 + N_HIERARCHIES, _HIDDEN, 5, padding=2),
            nn.GELU(),
            nn.Conv1d(_HIDDEN, _HIDDEN, 5, padding=2),
            nn.GELU(),
            nn.Conv1d(_HIDDEN, 1, 1),
        )

    def forward(self, pair_logits: Tensor, assignments: Tensor, found: Tensor) -> Tensor:
        """Pair logits (b, n, n), assignments as `forward` gives them, more of each k (b, m, K) -> (b, K)."""
        widths, n = list(range(1, found.shape[2] + 1)), pair_logits.shape[1]
        together = ((pair_logits @ assignments) * assignments).sum(dim=1) / n**2
        sums = torch.stack([part.sum(dim=1) for part in torch.split(together, widths, dim=1)], dim=1)
        lost = pair_logits.clamp_min(0).mean(dim=(1, 2)).unsqueeze(1) - sums
        parts = torch.split(assignments, widths, dim=2)
        sure = torch.stack([part.amax(dim=2).mean(dim=1) for part in parts], dim=1)
        numbers = torch.tensor(widths, device=lost.device).log().to(lost.dtype).expand_as(lost)
        known = torch.stack([lost, (lost.clamp_min(0) + _LEAST_GAIN).log(), sure, numbers], dim=1)
        logits: Tensor = self.layers(torch.cat([known, found], dim=1)).squeeze(1)
        return logits
