"""Walks between the views of a batch and its plain rows: what methods learn from views alone."""

from __future__ import annotations

import torch
from torch import Tensor

from coterie._types import Output
from coterie.losses.adc import visit, walker


def view_walker(output: Output) -> Tensor:
    """Walks from views over plain rows, whose labels are the rows' numbers: `coterie.losses.walker`."""
    rows = torch.arange(len(output.embedding), device=output.embedding.device)
    return walker(view_embeddings(output), output.embedding, rows.repeat(len(output.views)))


def view_visit(output: Output) -> Tensor:
    """Plain rows that no walk from a view reaches: `coterie.losses.visit`."""
    return visit(view_embeddings(output), output.embedding)


def view_embeddings(output: Output) -> Tensor:
    """Embeddings of all views, one view of every row after the other: (v b, e)."""
    return torch.cat([view.embedding for view in output.views])
