"""What one SQL expression depends on: conditions, aggregates and windows by what they do, everything else as a transformation."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sqlglot import exp

from mesh_core.frame_lineage import IDENTITY, TRANSFORMATION, Dependencies, through, unknown
from mesh_core.lineage import Subtype, Transformation
from mesh_core.sql_lineage.relations import Relation, Scope

__all__ = ["Expressions"]

_FUNCTION_NAMES = {
    exp.Count: "count", exp.Sum: "sum", exp.Avg: "mean", exp.Min: "min", exp.Max: "max", exp.First: "first", exp.Last: "last",
    exp.ArrayAgg: "list", exp.ApproxDistinct: "count_distinct", exp.Median: "median",
}  # fmt: skip
_HASHES = frozenset({"sha224", "sha256", "sha384", "sha512"})
_SHORTEST_KEY = 16
"""Characters of a key that nobody guesses."""
_NOTHING: Dependencies = frozenset()
_Step = tuple[exp.Expr, Transformation]


class Expressions:
    """Reads expressions; `query` gives the relation of a query inside one."""

    def __init__(self, query: Callable[[exp.Expr, Scope], Relation]) -> None:
        self._query = query

    def dependencies(self, expression: exp.Expr | None, scope: Scope) -> Dependencies:
        """What the expression's value depends on."""
        if expression is None:
            return _NOTHING
        found: set[object] = set()
        stack: list[_Step] = [(expression, IDENTITY)]
        while stack:
            node, outer = stack.pop()
            own = self._own(node, scope)
            if own is not None:
                found |= through(outer, own)
                continue
            stack += [(child, outer.after(step)) for child, step in self._children(node)]
        return frozenset(found)  # type: ignore[arg-type] # only dependencies are added

    def _own(self, node: exp.Expr, scope: Scope) -> Dependencies | None:
        """Of a node that is looked at as a whole; None if its parts are."""
        if isinstance(node, exp.Column) and not isinstance(node.this, exp.Star):
            return self._column(node, scope)
        if isinstance(node, exp.Star | exp.Columns) or (isinstance(node, exp.Column) and isinstance(node.this, exp.Star)):
            is_counted = isinstance(node.parent, exp.Count)
            return _NOTHING if is_counted else unknown(scope.ports)
        if isinstance(node, exp.Query):
            inner = self._query(node, scope)
            values = _NOTHING if inner.columns is None else frozenset(d for _, found in inner.columns for d in found)
            return through(TRANSFORMATION, values) | (unknown(inner.ports) if inner.columns is None else _NOTHING) | inner.rows
        if isinstance(node, exp.Lambda):  # its parameters are named like columns
            return unknown(scope.ports)
        if isinstance(node, exp.Placeholder | exp.Parameter | exp.SessionParameter):
            return _NOTHING
        return None

    def _column(self, node: exp.Column, scope: Scope) -> Dependencies:
        if not node.table:
            whole = scope.table(node.name) if isinstance(node.this, exp.Identifier) else None
            meant = scope.column(node.name)
            return unknown(whole.ports) if whole is not None and not _is_certain(meant) else meant
        relation = scope.table(node.table)
        if relation is None:  # perhaps a field of a struct: column.field
            return through(TRANSFORMATION, scope.column(node.table))
        found = relation.find(node.name)
        return found if found is not None else unknown(relation.ports)

    def _children(self, node: exp.Expr) -> Iterator[_Step]:
        if isinstance(node, exp.Paren | exp.Alias):
            yield node.this, IDENTITY
        elif isinstance(node, exp.Case):
            if node.this is not None:
                yield node.this, Transformation.of(Subtype.CONDITIONAL)
            for branch in node.args.get("ifs") or ():
                yield branch.this, Transformation.of(Subtype.CONDITIONAL)
                yield branch.args["true"], TRANSFORMATION
            if node.args.get("default") is not None:
                yield node.args["default"], TRANSFORMATION
        elif isinstance(node, exp.If):
            yield node.this, Transformation.of(Subtype.CONDITIONAL)
            yield from ((node.args[key], TRANSFORMATION) for key in ("true", "false") if node.args.get(key) is not None)
        elif isinstance(node, exp.Window):
            yield node.this, IDENTITY if isinstance(node.this, exp.AggFunc) else TRANSFORMATION
            yield from ((part, Transformation.of(Subtype.WINDOW)) for part in _window_parts(node))
        elif isinstance(node, exp.Filter):
            yield node.this, IDENTITY
            yield node.expression, Transformation.of(Subtype.FILTER)
        elif _is_keyed_hash(node):
            masked = Transformation.of(Subtype.TRANSFORMATION, masking=True)
            yield from ((child, masked) for child in node.iter_expressions())
        elif isinstance(node, exp.AggFunc) and not isinstance(node, exp.IgnoreNulls | exp.RespectNulls):
            step = Transformation.of(Subtype.AGGREGATION, function=_function(node))
            yield from ((child, step) for child in node.iter_expressions())
        elif isinstance(node, exp.Order | exp.Ordered | exp.WithinGroup | exp.IgnoreNulls | exp.RespectNulls | exp.Distinct):
            yield from ((child, IDENTITY) for child in node.iter_expressions())
        else:
            yield from ((child, TRANSFORMATION) for child in node.iter_expressions())


def _window_parts(node: exp.Window) -> Iterator[exp.Expr]:
    """What partitions, orders and bounds a window, also where it has that from windows named in the clause WINDOW."""
    select = node.find_ancestor(exp.Select)
    named = {it.name.casefold(): it for it in (select.args.get("windows") or () if select is not None else ())}
    window: exp.Expr | None = node
    while window is not None:
        parts = [*(window.args.get("partition_by") or ()), window.args.get("order"), window.args.get("spec")]
        yield from (part for part in parts if isinstance(part, exp.Expr))
        alias = window.args.get("alias")
        window = named.pop(alias.name.casefold(), None) if alias is not None else None


def _is_keyed_hash(node: exp.Expr) -> bool:
    """True of an HMAC, and of a SHA-2 of values together with a text long enough to be a key: nobody guesses what went in."""
    name = node.name if isinstance(node, exp.Anonymous) else node.sql_name() if isinstance(node, exp.Func) else ""
    if name.lower().startswith("hmac"):
        return True
    is_sha = isinstance(node, exp.SHA2 | exp.SHA2Digest)
    if not is_sha and name.lower() not in _HASHES:
        return False
    hashed = node.this if is_sha else next(iter(node.expressions), None)
    return any(isinstance(part, exp.Literal) and part.is_string and len(part.this) >= _SHORTEST_KEY for part in _joined(hashed))


def _joined(node: exp.Expr | None) -> Iterator[exp.Expr]:
    """The texts that an expression puts one after the other."""
    waiting = [node]
    while waiting:
        part = waiting.pop()
        if isinstance(part, exp.Concat):
            waiting += part.expressions
        elif isinstance(part, exp.DPipe | exp.Add):
            waiting += [part.left, part.right]
        elif isinstance(part, exp.Paren | exp.Cast):
            waiting.append(part.this)
        elif part is not None:
            yield part


def _function(node: exp.Expr) -> str:
    """The aggregate's name; `count_distinct` for one over distinct values."""
    named = next((name for kind, name in _FUNCTION_NAMES.items() if type(node) is kind), "")
    name = named or (node.sql_name() if isinstance(node, exp.Func) else node.name).lower()
    return "count_distinct" if name == "count" and isinstance(node.this, exp.Distinct) else name


def _is_certain(found: Dependencies) -> bool:
    return all(d.column for d in found)
