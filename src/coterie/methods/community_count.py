"""The number of clusters of fixed features: communities of their neighbor graphs.

Blondel, Guillaume, Lambiotte and Lefebvre, "Fast unfolding of communities in large networks", 2008
(arXiv:0803.0476).
"""

from __future__ import annotations

import statistics
from typing import Any

import networkx as nx

from coterie.methods.feature_starts import GRAPH_ROWS, some_rows
from coterie.methods.neighbor_graphs import Points, neighbor_graph

# Graphs of few neighbors divide clusters that are long, those of many join small ones.
NEIGHBORS = (7, 10, 15, 20)


def count_communities(points: Points, most: int, seed: int) -> dict[str, Any]:
    """Count the communities of several neighbor graphs of points (n, d).

    Parameters
    ----------
    points : float array of shape (n, d)
        Of many, `GRAPH_ROWS` at random are looked at.
    most : int
        Largest number of clusters.
    seed : int

    Returns
    -------
    dict
        "n_clusters": the lower median over the graphs of their communities, the partition of large
        modularity that Louvain's method finds. "lowest", "highest": of these counts. "tried": a dict a graph.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> points = 6 * rng.normal(size=(4, 20)).repeat(60, axis=0) + rng.normal(size=(240, 20))
    >>> count_communities(points, 80, 0)["n_clusters"]
    4
    """
    chosen = points[some_rows(len(points), GRAPH_ROWS, seed)]
    tried = []
    for n_neighbors in NEIGHBORS:
        graph = nx.from_scipy_sparse_array(neighbor_graph(chosen, min(n_neighbors, len(chosen) - 1)))
        found = nx.community.louvain_communities(graph, seed=seed)
        modularity = nx.community.modularity(graph, found) if graph.number_of_edges() else 0.0
        tried.append({"neighbors": n_neighbors, "communities": len(found), "modularity": float(modularity)})
    counts = [min(row["communities"], most) for row in tried]
    return {
        "n_clusters": statistics.median_low(counts),
        "lowest": min(counts),
        "highest": max(counts),
        "tried": tried,
    }
