"""The immutable policy state of the index: domain shards, cached closures, and the copy-on-write draft that makes the next one.

A state is never changed once it is published (its closure caches only ever gain or lose entries that its own links imply), so
readers need no lock. A write copies the shards it touches. Knows nothing of the matcher or of decisions.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Iterator, Sequence

from governance_server.policy.engine import UnknownRow
from governance_server.rules.policy_rows import ANY, Link, Row, Rule, domain_of
from mesh_core.names import containment, parents

__all__ = ["Draft", "Places", "Shard", "State"]

_MOST_CACHED = 65_536
_LONGEST_CACHED_NAME = 512

_Bucket = dict[str, Sequence[Rule]]
Places = dict[str, _Bucket]
"""Rules by object and subject. A sequence of rules is a tuple once its state is published: most hold one, a million may."""
_Objects = dict[str, tuple[str, ...]]
_Closed = dict[str, frozenset[str]]
_Up = dict[str, tuple[str, ...]]


class Shard:
    """The rows of one domain: rules by (section, action), object and subject, and what its names lead to."""

    __slots__ = ("containers", "objects", "roles", "roles_closed", "rules", "stamp")

    def __init__(self, origin: Shard | None = None) -> None:
        self.rules: dict[tuple[str, str], Places] = dict(origin.rules) if origin else {}
        self.objects: dict[str, _Objects] = dict(origin.objects) if origin else {}
        """By action and subject, the objects of its effects, each once."""
        self.roles: _Up = origin.roles if origin else {}
        self.containers: _Up = origin.containers if origin else {}
        self.roles_closed: _Closed = origin.roles_closed if origin else {}
        self.stamp = object()
        """No other shard has it, nor any other state of this one."""


class State:
    """One revision of the policy; implements `matcher.Closures`."""

    __slots__ = ("containers_closed", "links_stamp", "purposes", "purposes_closed", "repeats", "revision", "shards")

    def __init__(self, revision: int, shards: dict[str, Shard]) -> None:
        self.revision = revision
        self.shards = shards
        self.purposes: _Up = {}
        self.repeats: dict[Row, int] = {}
        self.purposes_closed: _Closed = {}
        self.containers_closed: _Closed = {}
        self.links_stamp = object()
        """Another one as soon as any containment, tag or purpose is."""

    def stamps(self, domain: str) -> tuple[object, object, object]:
        """Equal for two states in which every question about the domain's objects has the same answer at one time."""
        shards = self.shards
        own, everywhere = shards.get(domain), shards.get(ANY)
        return own and own.stamp, everywhere and everywhere.stamp, self.links_stamp

    def rows(self) -> Iterator[Row]:
        """Every row of the policy once, however often it was added."""
        for domain, shard in self.shards.items():
            for places in shard.rules.values():
                for bucket in places.values():
                    for rules in bucket.values():
                        yield from rules
            yield from (Link("g", child, parent, domain) for child, up in shard.roles.items() for parent in up)
            yield from (Link("g2", child, parent) for child, up in shard.containers.items() for parent in up)
        yield from (Link("g3", child, parent) for child, up in self.purposes.items() for parent in up)

    def g(self, name: str, domain: str) -> Collection[str]:
        """The roles and groups of a principal in a domain, itself included, each once."""
        shard = self.shards.get(domain)
        if shard is None or name not in shard.roles:
            return (name,)
        closed = shard.roles_closed.get(name)
        return closed if closed is not None else _remember(shard.roles_closed, name, _close(name, shard.roles))

    def g2(self, name: str) -> frozenset[str]:
        """The containers and tags of an object, itself included, by name and by link."""
        closed = self.containers_closed.get(name)
        if closed is not None:
            return closed
        if "#" in name and not name.startswith("tag:") and not self._links(name):
            return frozenset((name, *self.g2(name.partition("#")[0])))  # most columns: not worth a place in the cache
        return _remember(self.containers_closed, name, self._contain(name))

    def containers(self, name: str) -> Collection[str]:
        """What `g2` gives, each once; of most objects the name says it all, and no set is made."""
        by_name = containment(name)
        for domain in (domain_of(name), ANY):
            shard = self.shards.get(domain)
            if shard is not None and shard.containers and not shard.containers.keys().isdisjoint(by_name):
                return self.g2(name)
        return by_name

    def g3(self, name: str) -> Collection[str]:
        """The purposes that include a purpose, itself included, each once."""
        if name not in self.purposes:
            return (name,)
        closed = self.purposes_closed.get(name)
        return closed if closed is not None else _remember(self.purposes_closed, name, _close(name, self.purposes))

    def linked(self, domain: str) -> Container[str]:
        """The objects of the domain that something contains besides what their names lie in: a tag, say."""
        shard = self.shards.get(domain)
        return shard.containers if shard else ()

    def _links(self, name: str) -> tuple[str, ...]:
        shard = self.shards.get(domain_of(name))
        return shard.containers.get(name, ()) if shard else ()

    def _contain(self, name: str) -> frozenset[str]:
        if not self._links(name):
            above = parents(name)  # names alone make no cycles
            return frozenset((name, *self.g2(above[0]))) if above else frozenset((name,))
        seen = {name}
        todo = [name]
        while todo:
            child = todo.pop()
            for parent in (*parents(child), *self._links(child)):
                if parent not in seen:
                    seen.add(parent)
                    todo.append(parent)
        return frozenset(seen)


def _close(start: str, up: _Up) -> frozenset[str]:
    seen = {start}
    todo = [start]
    while todo:
        for name in up.get(todo.pop(), ()):
            if name not in seen:
                seen.add(name)
                todo.append(name)
    return frozenset(seen)


def _remember(cache: _Closed, name: str, closed: frozenset[str]) -> frozenset[str]:
    """Keeps the closure; names come from callers, so a full cache starts again rather than grow."""
    if len(name) <= _LONGEST_CACHED_NAME:
        if len(cache) >= _MOST_CACHED:
            cache.clear()
        cache[name] = closed
    return closed


class Draft:
    """The next state while it is being made; used by one thread and then dropped."""

    def __init__(self, origin: State) -> None:
        """Starts from the origin, which stays as it is."""
        self._origin = origin
        self._shards = dict(origin.shards)
        self._purposes = origin.purposes
        self._repeats = dict(origin.repeats)
        self._own: set[tuple[str, object]] = set()
        self._containers_changed = False
        self._purposes_changed = False

    def add(self, row: Row) -> None:
        """The row, already checked, is part of the draft."""
        known = self._holds(row)
        if known:
            self._repeats[row] = self._repeats.get(row, 0) + 1
        elif isinstance(row, Rule):
            bucket = self._bucket(row)
            if row.sub not in bucket:
                self._note_object(row, present=True)
            bucket[row.sub] = (*bucket.get(row.sub, ()), row)
        else:
            up = self._up(row)
            up[row.child] = (*up.get(row.child, ()), row.parent)

    def add_all(self, rows: Iterable[Row]) -> None:
        """All rows are part of the draft, which held no rules; linear in their number however many share a place."""
        seen: dict[Rule, None] = {}
        for row in rows:
            if not isinstance(row, Rule):
                self.add(row)
                continue
            before = len(seen)
            seen[row] = None
            if len(seen) == before:
                self._repeats[row] = self._repeats.get(row, 0) + 1
        for row in seen:
            kind = self._shard(row.dom).rules.setdefault((row.section, row.act), {})
            bucket = kind.setdefault(row.obj, {})
            known = bucket.get(row.sub)
            if isinstance(known, list):
                known.append(row)
            else:
                bucket[row.sub] = [row]
        for shard in self._shards.values():
            _settle(shard)

    def remove(self, row: Row) -> None:
        """One occurrence of the row is gone. Raises: UnknownRow."""
        if not self._holds(row):
            raise UnknownRow(row)
        repeats = self._repeats.pop(row, 0)
        if repeats > 1:
            self._repeats[row] = repeats - 1
        if repeats:
            return
        if isinstance(row, Rule):
            self._remove_rule(row)
        else:
            up = self._up(row)
            _set_or_drop(up, row.child, tuple(parent for parent in up[row.child] if parent != row.parent))

    def finish(self, revision: int) -> State:
        """The new state; closures that no changed link can affect stay cached."""
        state = State(revision, self._shards)
        state.purposes = self._purposes
        state.repeats = self._repeats
        if not self._purposes_changed:
            state.purposes_closed = self._origin.purposes_closed
        if not self._containers_changed:
            state.containers_closed = self._origin.containers_closed
            if not self._purposes_changed:
                state.links_stamp = self._origin.links_stamp
        return state

    def _holds(self, row: Row) -> bool:
        if isinstance(row, Rule):
            shard = self._shards.get(row.dom)
            places = shard.rules.get((row.section, row.act), {}) if shard else {}
            return row in places.get(row.obj, {}).get(row.sub, ())
        if row.section == "g3":
            return row.parent in self._purposes.get(row.child, ())
        shard = self._shards.get(_home(row))
        up = {} if shard is None else shard.roles if row.section == "g" else shard.containers
        return row.parent in up.get(row.child, ())

    def _remove_rule(self, row: Rule) -> None:
        bucket = self._bucket(row)
        left = tuple(rule for rule in bucket[row.sub] if rule != row)
        if left:
            bucket[row.sub] = left
            return
        del bucket[row.sub]
        self._note_object(row, present=False)
        if not bucket:
            del self._shard(row.dom).rules[row.section, row.act][row.obj]
            self._own.discard((row.dom, (row.section, row.act, row.obj)))

    def _note_object(self, row: Rule, *, present: bool) -> None:
        """Keeps, per action and subject, the objects of its effects: the reverse index of `visible_objects`."""
        if row.section != "p":
            return
        objects, own = self._shard(row.dom).objects, (row.dom, row.act)
        if own not in self._own:
            self._own.add(own)
            objects[row.act] = dict(objects.get(row.act, {}))
        of_act = objects[row.act]
        known = of_act.get(row.sub, ())
        _set_or_drop(of_act, row.sub, (*known, row.obj) if present else tuple(obj for obj in known if obj != row.obj))

    def _shard(self, domain: str) -> Shard:
        if (domain, "shard") not in self._own:
            self._own.add((domain, "shard"))
            self._shards[domain] = Shard(self._shards.get(domain))
        return self._shards[domain]

    def _bucket(self, row: Rule) -> _Bucket:
        kind, place = (row.section, row.act), (row.section, row.act, row.obj)
        rules = self._shard(row.dom).rules
        if (row.dom, kind) not in self._own:
            self._own.add((row.dom, kind))
            rules[kind] = dict(rules.get(kind, {}))
        if (row.dom, place) not in self._own:
            self._own.add((row.dom, place))
            rules[kind][row.obj] = dict(rules[kind].get(row.obj, {}))
        return rules[kind][row.obj]

    def _up(self, link: Link) -> _Up:
        """The draft's own copy of the links among which this one lies."""
        if link.section == "g3":
            if not self._purposes_changed:
                self._purposes_changed = True
                self._purposes = dict(self._purposes)
            return self._purposes
        home = _home(link)
        shard = self._shard(home)
        fresh = (home, link.section) not in self._own
        self._own.add((home, link.section))
        if link.section == "g":
            if fresh:
                shard.roles, shard.roles_closed = dict(shard.roles), {}
            return shard.roles
        self._containers_changed = True
        if fresh:
            shard.containers = dict(shard.containers)
        return shard.containers


def _home(link: Link) -> str:
    return link.domain if link.section == "g" else domain_of(link.child)


def _settle(shard: Shard) -> None:
    """The shard of a load, whose places hold lists so far, is as small as it can be, and its objects can be found by subject."""
    objects: dict[str, dict[str, list[str]]] = {}
    for (section, act), places in shard.rules.items():
        for obj, bucket in places.items():
            for sub, rules in bucket.items():
                bucket[sub] = tuple(rules)
                if section == "p":
                    objects.setdefault(act, {}).setdefault(sub, []).append(obj)
    shard.objects = {act: {sub: tuple(found) for sub, found in of_act.items()} for act, of_act in objects.items()}


def _set_or_drop(target: dict[str, tuple[str, ...]], key: str, value: tuple[str, ...]) -> None:
    if value:
        target[key] = value
    else:
        target.pop(key, None)
