"""Tags along lineage, kept up to date: after a change only what it can concern is looked at, in either direction.

Tags flow along DIRECT edges, whatever the tag, and stop at a breaker with evidence (design §5): an edge that was masked, a count,
a sum or a mean, or a rescan of the column that found nothing. INDIRECT edges carry no tags. From an unknown input every tag of
every column flows into every target column without a DIRECT edge: nobody can show that it is not in there.

How far a column lies from the nearest that declares a tag is kept; the path is found when somebody asks. A change of a port's
lineage or of a product's tags can make only its own columns wrong, so repairing them and what hangs on them gives what
computing everything anew would give (Ramalingam and Reps 1996, in batches, for edges of length one).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from types import MappingProxyType

from governance_server.rules.lineage_graph import Graph
from governance_server.rules.lineage_nodes import LOOSE
from mesh_core.lineage import ANY_COLUMN

__all__ = ["Path", "TagFlow", "Tagged"]

Path = tuple[str, ...]
"""Column objects from the one that declares the tag to the one that inherits it."""

_Tags = frozenset[str]
_NO_TAGS: _Tags = frozenset()
_NO_DISTANCES: Mapping[str, int] = MappingProxyType({})


class TagFlow:
    """The derived tags of every column of one graph."""

    def __init__(self, graph: Graph, columns: Callable[[str], Iterable[str]]) -> None:
        """`columns` gives the columns that a port has now: those without any edge are known from there only.

        A dataset outside the mesh has one that stands for all, as nobody knows them: unknown values flow through that one.
        """
        self._graph = graph
        self._columns = columns
        self._declared: dict[int, _Tags] = {}
        self._cleared: dict[int, _Tags] = {}
        self._distances: dict[int, dict[str, int]] = {}
        self._concerned: dict[int, set[str]] = {}

    def copy(self, graph: Graph, columns: Callable[[str], Iterable[str]]) -> TagFlow:
        """The same tags over a copy of the graph; it goes its own way from here."""
        copied = copy(self)
        copied._graph, copied._columns = graph, columns
        copied._declared, copied._cleared = dict(self._declared), dict(self._cleared)
        copied._distances = dict(self._distances)
        copied._concerned = {node: set(tags) for node, tags in self._concerned.items()}
        return copied

    # -- what changed ------------------------------------------------------------------------------------------------

    def declare(self, port: str, tags: Mapping[str, _Tags]) -> None:
        """The port's columns declare these tags and no others; all its columns are looked at by the next `settle`."""
        number = self._graph.nodes.port(port)
        self.touch(number)
        self._replace(self._declared, number, tags)

    def clear(self, port: str, tags: Mapping[str, _Tags]) -> None:
        """A rescan of these columns' own values found no trace of the tags: they neither stay there nor pass on."""
        self._replace(self._cleared, self._graph.nodes.port(port), tags)

    def touch(self, port: int) -> None:
        """The lineage or the columns of the port changed: they are looked at by the next `settle`."""
        nodes = self._graph.nodes
        if self._graph.loose_ends(port):
            for name in self._columns(nodes.labels[port]):
                nodes.column(port, name)
        for node in nodes.columns(port).values():
            self._concerned.setdefault(node, set())

    def _replace(self, kept: dict[int, _Tags], port: int, tags: Mapping[str, _Tags]) -> None:
        for known in self._graph.nodes.columns(port).values():
            gone = kept.pop(known, None)
            if gone is not None:
                self._concerned.setdefault(known, set()).update(gone)
        for column, found in tags.items():
            if found:
                node = self._graph.nodes.column(port, column)
                kept[node] = found
                self._concerned.setdefault(node, set()).update(found)

    # -- what follows ------------------------------------------------------------------------------------------------

    def settle(self) -> set[int]:
        """The derived tags are those of the graph and the declarations as they are. Returns the columns whose tags changed."""
        concerned, self._concerned = self._concerned, {}
        if not concerned or not (self._declared or self._distances):
            return set()
        walk = _Flows(self._graph, self._columns)
        places: dict[str, list[int]] = {}
        for node, tags in concerned.items():
            tags.update(self._tags_at(node))
            for source in walk.into(node):
                tags.update(self._tags_at(source))
            for tag in tags:
                places.setdefault(tag, []).append(node)
        changed: set[int] = set()
        for tag, nodes in places.items():
            changed |= _Repair(self, walk, tag).run(nodes)
        return changed

    def tags(self, node: int | None) -> Iterable[str]:
        """The derived tags of a column."""
        return self._distances.get(node, _NO_DISTANCES) if node is not None else ()

    def tagged(self) -> Iterator[int]:
        """Every column that has a derived tag."""
        return iter(self._distances)

    def path(self, node: int, tag: str) -> Path:
        """The way by which the tag came: the shortest, of equals the first by name."""
        walk, nodes = _Flows(self._graph, self._columns), self._graph.nodes
        layers = [{node}]
        for distance in range(self._distances[node][tag] - 1, -1, -1):
            layers.append({s for n in layers[-1] for s in walk.into(n) if self._at(s, tag) == distance})
        here = min(layers.pop(), key=nodes.name)
        found = [here]
        while layers:
            layer = layers.pop()
            here = min((n for n in walk.out_of(here) if n in layer), key=nodes.name)
            found.append(here)
        return tuple(nodes.name(n) for n in found)

    def _tags_at(self, node: int) -> Iterator[str]:
        yield from self._declared.get(node, ())
        yield from self._distances.get(node, ())

    def _at(self, node: int, tag: str) -> int | None:
        """How far the column is from the nearest that declares the tag; None if the tag does not reach it."""
        if tag in self._declared.get(node, _NO_TAGS):
            return 0
        return self._held(node, tag)

    def _held(self, node: int, tag: str) -> int | None:
        return self._distances.get(node, _NO_DISTANCES).get(tag)

    def _set(self, node: int, tag: str, distance: int | None) -> None:
        """Replaces the column's entry: copies share entries, so they are never changed in place."""
        entry = dict(self._distances.get(node, _NO_DISTANCES))
        if distance is None:
            entry.pop(tag, None)
        else:
            entry[tag] = distance
        if entry:
            self._distances[node] = entry
        else:
            self._distances.pop(node, None)


class _Flows:
    """Where values flow unbroken, one step in either direction; each answer is found once."""

    def __init__(self, graph: Graph, columns: Callable[[str], Iterable[str]]) -> None:
        self._graph, self._nodes = graph, graph.nodes
        self._layout = graph.layout()
        self._size = len(self._layout.ports)
        self._is_open = graph.kinds.is_open
        self._columns = columns
        self._out: dict[int, list[int]] = {}
        self._into: dict[int, list[int]] = {}
        self._known: dict[int, dict[str, None]] = {}

    def out_of(self, node: int) -> list[int]:
        """Columns that the column's values flow to."""
        known = self._out.get(node)
        if known is None:
            found: dict[int, None] = {}
            for asked in (*self._alike(node), self._nodes.ports[node] + LOOSE):
                for target, kind in self._around(asked, is_upstream=False):
                    if self._is_open[kind]:
                        found.update(dict.fromkeys(self._whole(target)))
            known = self._out[node] = list(found)
        return known

    def into(self, node: int) -> list[int]:
        """Columns whose values flow to the column."""
        known = self._into.get(node)
        if known is None:
            edges = self._around(node, is_upstream=True)
            for end, fed in self._graph.loose_ends(self._nodes.ports[node]).items():
                if node not in fed and self._nodes.labels[node] in self._names(self._nodes.ports[node]):
                    edges = [*edges, *self._around(end, is_upstream=True)]
            found = dict.fromkeys(s for source, kind in edges if self._is_open[kind] for s in self._sources(source))
            known = self._into[node] = list(found)
        return known

    def _around(self, node: int, *, is_upstream: bool) -> list[tuple[int, int]]:
        return self._layout.around(node, is_upstream=is_upstream) if node < self._size else []

    def _whole(self, target: int) -> Sequence[int]:
        """The column itself; of a loose end, the port's columns that flow in from nowhere else."""
        if self._nodes.is_column(target):
            return (target,)
        port = self._nodes.ports[target]
        fed = self._graph.loose_ends(port).get(target, frozenset())
        return [node for name in self._names(port) if (node := self._nodes.column(port, name)) not in fed]

    def _sources(self, source: int) -> Iterable[int]:
        """The column itself, and the one that stands for all of its port; of a loose end, every column of its port."""
        columns = self._nodes.columns(self._nodes.ports[source])
        if not self._nodes.is_column(source):
            return columns.values()
        return (source, columns[ANY_COLUMN]) if ANY_COLUMN in columns else (source,)

    def _alike(self, node: int) -> Iterable[int]:
        """The column; every one of its port if it stands for all."""
        return self._nodes.columns(self._nodes.ports[node]).values() if self._nodes.labels[node] == ANY_COLUMN else (node,)

    def _names(self, port: int) -> dict[str, None]:
        known = self._known.get(port)
        if known is None:
            known = self._known[port] = dict.fromkeys(self._columns(self._nodes.labels[port]))
        return known


class _Repair:
    """One tag's distances made right, given the columns that may be wrong."""

    def __init__(self, flow: TagFlow, walk: _Flows, tag: str) -> None:
        self._flow, self._walk, self._tag = flow, walk, tag
        self._before: dict[int, int | None] = {}
        self._lost: set[int] = set()

    def run(self, concerned: Iterable[int]) -> set[int]:
        """Returns the columns that gained or lost the tag."""
        self._take_away(concerned)
        self._give(concerned)
        flow, tag = self._flow, self._tag
        return {n for n, was in self._before.items() if (was is None) != (flow._held(n, tag) is None)}

    def _take_away(self, concerned: Iterable[int]) -> None:
        """Columns that nothing supports any more lose their distance, nearest first, so that each support is decided already."""
        flow, tag = self._flow, self._tag
        levels: dict[int, set[int]] = {}
        for node in concerned:
            held = flow._held(node, tag)
            if held is not None:
                levels.setdefault(held, set()).add(node)
            elif tag not in flow._declared.get(node, _NO_TAGS):  # it may have declared the tag until now
                levels.setdefault(1, set()).update(n for n in self._walk.out_of(node) if flow._held(n, tag) == 1)
        while levels:
            distance = min(levels)
            for node in levels.pop(distance):
                if flow._held(node, tag) != distance or self._is_supported(node, distance):
                    continue
                is_origin = tag in flow._declared.get(node, _NO_TAGS)
                self._keep(node, None)
                self._lost.add(node)
                if not is_origin:
                    for target in self._walk.out_of(node):
                        if flow._held(target, tag) == distance + 1:
                            levels.setdefault(distance + 1, set()).add(target)

    def _is_supported(self, node: int, distance: int) -> bool:
        if not self._can_inherit(node):
            return False
        reached = (self._flow._at(source, self._tag) for source in self._walk.into(node))
        return any(near is not None and near < distance for near in reached)

    def _can_inherit(self, node: int) -> bool:
        flow, tag = self._flow, self._tag
        return tag not in flow._declared.get(node, _NO_TAGS) and tag not in flow._cleared.get(node, _NO_TAGS)

    def _give(self, concerned: Iterable[int]) -> None:
        """Every column that is reached has its distance, nearest first."""
        flow, tag, walk = self._flow, self._tag, self._walk
        levels: dict[int, set[int]] = {}
        for node in {*concerned, *self._lost}:
            if tag in flow._declared.get(node, _NO_TAGS):
                levels.setdefault(1, set()).update(walk.out_of(node))
            near = min((at for source in walk.into(node) if (at := flow._at(source, tag)) is not None), default=None)
            if near is not None:
                levels.setdefault(near + 1, set()).add(node)
        while levels:
            distance = min(levels)
            following = levels.setdefault(distance + 1, set())
            for node in levels.pop(distance):
                held = flow._held(node, tag)
                if (held is None or held > distance) and self._can_inherit(node):
                    self._keep(node, distance)
                    following.update(walk.out_of(node))
            if not following:
                del levels[distance + 1]

    def _keep(self, node: int, distance: int | None) -> None:
        self._before.setdefault(node, self._flow._held(node, self._tag))
        self._flow._set(node, self._tag, distance)


class Tagged(Mapping[str, Mapping[str, Path]]):
    """Column object → tag that came along lineage → its path, origin first; paths are found when they are looked at."""

    def __init__(self, graph: Graph, flow: TagFlow) -> None:
        self._nodes = graph.nodes
        self._flow = flow

    def __getitem__(self, obj: str) -> Mapping[str, Path]:
        node = self._nodes.find(obj)
        if node is None or not self._flow.tags(node):
            raise KeyError(obj)
        return _Paths(self._flow, node)

    def __iter__(self) -> Iterator[str]:
        return (self._nodes.name(node) for node in self._flow.tagged())

    def __len__(self) -> int:
        return sum(1 for _ in self._flow.tagged())


class _Paths(Mapping[str, Path]):
    """A column's derived tags with their paths."""

    def __init__(self, flow: TagFlow, node: int) -> None:
        self._flow, self._node = flow, node

    def __getitem__(self, tag: str) -> Path:
        if tag not in self._flow.tags(self._node):
            raise KeyError(tag)
        return self._flow.path(self._node, tag)

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._flow.tags(self._node)))

    def __len__(self) -> int:
        return len(tuple(self._flow.tags(self._node)))

    def __contains__(self, tag: object) -> bool:
        return any(tag == known for known in self._flow.tags(self._node))
