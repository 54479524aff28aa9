"""The number of clusters of fixed features: communities of their neighbor graphs.

Blondel, Guillaume, Lambiotte and Lefebvre, "Fast unfolding of communities in large networks", 2008
(arXiv:0803.0476).
"""

from __future__ import annotations

import statistics
from typing import Any

import networkx as nx
from scipy.sparse.csgraph import connected_components

from coterie.methods.feature_starts import GRAPH_ROWS, some_rows
from coterie.methods.neighbor_graphs import Graph, Points, neighbor_graph, shared_graph

# Graphs of few neighbors divide clusters that are long, those of many join small ones.
NEIGHBORS = (7, 10, 15, 20)
# Clusters that come apart in graphs of few neighbors: communities are few more than connected components,
# and have four times as many samples as a sample has neighbors. COIL-100 is such a set.
FEWER, OF_COMPONENTS, TIMES, ENOUGH_GRAPHS = (3, 4, 5, 7), 1.5, 4, 3
# Clusters smaller than neighborhoods: communities of the graph of two neighbors are small, and that of twenty
# keeps less than this share of its modularity. Shared neighbors tell them apart.
FEWEST, SMALL, KEPT_MODULARITY, SHARED = 2, 12, 0.75, 3


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
        "n_clusters": the lower median over several graphs of their communities, the partition of large
        modularity that Louvain's method finds. "lowest", "highest": of these counts. "tried": a dict a graph,
        of which those with "counts" are meant.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> points = 6 * rng.normal(size=(4, 20)).repeat(60, axis=0) + rng.normal(size=(240, 20))
    >>> count_communities(points, 80, 0)["n_clusters"]
    4
    """
    chosen = points[some_rows(len(points), GRAPH_ROWS, seed)]
    tried = _graphs(chosen, seed)
    counts = [min(row["communities"], most) for row in tried if row["counts"]]
    return {
        "n_clusters": statistics.median_low(counts),
        "lowest": min(counts),
        "highest": max(counts),
        "tried": tried,
    }


def _graphs(points: Points, seed: int) -> list[dict[str, Any]]:
    """The communities of several graphs, and which of these count."""
    usual = {one: _communities(neighbor_graph(points, one), one, seed) for one in NEIGHBORS}
    fewer = {one: _communities(neighbor_graph(points, one), one, seed) for one in FEWER if one not in usual}
    tried = list((fewer | usual).values())
    few = [row for row in tried if row["neighbors"] in FEWER]
    apart = [row for row in few if _is_apart(row)]
    whole = [row for row in few if row["communities"] == row["components"] > 1]
    # of clusters of any size: the same communities, and no edge between them
    if len(whole) >= ENOUGH_GRAPHS and len({row["communities"] for row in whole}) == 1:
        return [row | {"counts": row in whole} for row in tried]
    if len(apart) >= ENOUGH_GRAPHS:
        return [row | {"counts": row in apart} for row in tried]
    finest = _communities(neighbor_graph(points, FEWEST), FEWEST, seed)
    is_blurred = usual[max(NEIGHBORS)]["modularity"] < KEPT_MODULARITY * finest["modularity"]
    if is_blurred and finest["median_size"] <= SMALL:
        shared = _communities(shared_graph(points, SHARED), SHARED, seed)
        return [*(row | {"counts": False} for row in [finest, *tried]), shared | {"counts": True}]
    return [row | {"counts": row["neighbors"] in NEIGHBORS} for row in [finest, *tried]]


def _is_apart(found: dict[str, Any]) -> bool:
    """Whether the graph has nearly come apart into its communities, which are large enough for it."""
    large = found["median_size"] >= TIMES * found["neighbors"]
    return bool(large and found["communities"] <= OF_COMPONENTS * found["components"])


def _communities(graph: Graph, n_neighbors: int, seed: int) -> dict[str, Any]:
    """What Louvain's method finds in a graph."""
    network = nx.from_scipy_sparse_array(graph)
    found = nx.community.louvain_communities(network, seed=seed)
    modularity = nx.community.modularity(network, found) if network.number_of_edges() else 0.0
    return {
        "neighbors": n_neighbors,
        "communities": len(found),
        "components": int(connected_components(graph, directed=False)[0]),
        "median_size": int(statistics.median_low(len(one) for one in found)),
        "modularity": float(modularity),
    }
