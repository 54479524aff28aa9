"""What is the same and what differs: samples and clusters under statements, and shortest contradictions."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from coterie._errors import ConflictError

# a sample is its row number, a cluster the complement of its id, so that one graph holds both
Node = int
# the entry of what nobody has said: two clusters are two things until they are merged
IMPLIED = 0


def cluster_node(cluster: int) -> Node:
    """The node of a cluster; of a cluster's node, the cluster."""
    return ~cluster


@dataclass(frozen=True)
class Link:
    """One statement about two nodes, and the journal's entry that makes it."""

    a: Node
    b: Node
    same: bool
    entry: int


class Contradiction(ConflictError):
    """A statement against what was said before.

    Attributes
    ----------
    chain : tuple of Link
        The fewest statements that contradict each other: all but one of them join nodes, one after the other.
    """

    def __init__(self, chain: Sequence[Link]) -> None:
        self.chain = tuple(chain)
        super().__init__(f"contradicts {len(self.chain) - 1} earlier statements")


class Relations:
    """Nodes joined by statements, in components; each has at most one cluster, which merged ones share.

    Examples
    --------
    >>> said = Relations()
    >>> said.add(Link(0, 1, True, 1))
    >>> said.add(Link(1, 2, False, 2))
    >>> said.relation(0, 2), said.relation(0, 3)
    (-1, 0)
    >>> try:
    ...     said.add(Link(0, 2, True, 3))
    ... except Contradiction as found:
    ...     [(link.a, link.b, link.same) for link in found.chain]
    [(1, 0, True), (0, 2, True), (1, 2, False)]
    """

    def __init__(self) -> None:
        self._root: dict[Node, Node] = {}
        self._members: dict[Node, list[Node]] = {}
        self._edges: dict[Node, list[tuple[Node, int]]] = {}
        self._apart: dict[Node, dict[Node, list[Link]]] = {}
        self._cluster: dict[Node, Node] = {}

    def add(self, link: Link, *, merges: bool = False) -> None:
        """Take a statement; one that `merges` joins two clusters, of which the first gives its id.

        Raises
        ------
        Contradiction
            It contradicts earlier ones; nothing has changed then.
        """
        a, b = self._component(link.a), self._component(link.b)
        if not link.same:
            self._separate(link, a, b)
        elif a != b:
            self._check_join(link, a, b, merges)
            self._join(link, a, b)
        else:
            self._connect(link)

    def relation(self, a: Node, b: Node) -> int:
        """1 or -1 if two nodes are known to be the same or to differ, else 0."""
        first, second = self._root.get(a, a), self._root.get(b, b)
        if first == second:
            return 1
        clusters = self._cluster_at(first), self._cluster_at(second)
        differ = None not in clusters or second in self._apart.get(first, ())
        return -1 if differ else 0

    def cluster_of(self, node: Node) -> Node | None:
        """The node of the cluster that a node belongs to, or None where nothing is said of it."""
        return self._cluster_at(self._root.get(node, node))

    def components(self) -> Iterator[tuple[Node, list[Node]]]:
        """Each component's root and nodes, in the order of their first mention."""
        yield from self._members.items()

    def apart_from(self, node: Node) -> list[Node]:
        """Roots of the components that a node is known to differ from."""
        return list(self._apart.get(self._root.get(node, node), ()))

    def root(self, node: Node) -> Node:
        """The node that stands for a node's component."""
        return self._root.get(node, node)

    def _cluster_at(self, root: Node) -> Node | None:
        return root if root < 0 and root not in self._root else self._cluster.get(root)

    def _component(self, node: Node) -> Node:
        if node not in self._root:
            self._root[node] = node
            self._members[node] = [node]
            if node < 0:
                self._cluster[node] = node
        return self._root[node]

    def _separate(self, link: Link, a: Node, b: Node) -> None:
        if a == b:
            raise Contradiction([*self._path(link.a, link.b), link])
        self._apart.setdefault(a, {}).setdefault(b, []).append(link)
        self._apart.setdefault(b, {}).setdefault(a, []).append(link)

    def _check_join(self, link: Link, a: Node, b: Node, merges: bool) -> None:
        """Raise where the two components are known to differ, with the shortest of all chains that say it."""
        chains = [
            self._chain(link, *self._ends(apart, a), apart) for apart in self._apart.get(a, {}).get(b, ())
        ]
        if not merges and a in self._cluster and b in self._cluster:
            first, second = (self._nearest_cluster(node) for node in (link.a, link.b))
            chains.append(self._chain(link, first, second, Link(first, second, False, IMPLIED)))
        if chains:
            raise Contradiction(min(chains, key=len))

    def _chain(self, link: Link, first: Node, last: Node, apart: Link) -> list[Link]:
        return [*self._path(first, link.a), link, *self._path(link.b, last), apart]

    def _nearest_cluster(self, node: Node) -> Node:
        return next(other for other in self._walk(node) if other < 0)

    def _ends(self, apart: Link, a: Node) -> tuple[Node, Node]:
        """The nodes of a separating statement, that of component `a` first."""
        return (apart.a, apart.b) if self._root[apart.a] == a else (apart.b, apart.a)

    def _join(self, link: Link, a: Node, b: Node) -> None:
        cluster = self._cluster.get(a, self._cluster.get(b))
        keep, drop = (a, b) if len(self._members[a]) >= len(self._members[b]) else (b, a)
        for node in self._members[drop]:
            self._root[node] = keep
        self._members[keep] += self._members.pop(drop)
        for other, links in self._apart.pop(drop, {}).items():
            self._apart.setdefault(keep, {}).setdefault(other, []).extend(links)
            self._apart[other].setdefault(keep, []).extend(self._apart[other].pop(drop))
        self._cluster.pop(drop, None)
        if cluster is not None:
            self._cluster[keep] = cluster
        self._connect(link)

    def _connect(self, link: Link) -> None:
        self._edges.setdefault(link.a, []).append((link.b, link.entry))
        self._edges.setdefault(link.b, []).append((link.a, link.entry))

    def _path(self, start: Node, end: Node) -> list[Link]:
        """The fewest joining statements from one node to another of its component."""
        before = self._walk(start, end)
        path: list[Link] = []
        while (step := before[end]) is not None:
            path.append(Link(step[0], end, True, step[1]))
            end = step[0]
        return path[::-1]

    def _walk(self, start: Node, end: Node | None = None) -> dict[Node, tuple[Node, int] | None]:
        """Nodes by their distance, up to an end: the one before each, and the entry that joins the two."""
        before: dict[Node, tuple[Node, int] | None] = {start: None}
        waiting = deque([start])
        while waiting and end not in before:
            node = waiting.popleft()
            for other, entry in self._edges.get(node, ()):
                if other not in before:
                    before[other] = node, entry
                    waiting.append(other)
        return before
