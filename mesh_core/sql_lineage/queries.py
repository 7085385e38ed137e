"""The lineage of a query from its parts: tables, joins, filters, groups, set operations and what WITH defines.

The text is bounded before it is parsed (ADR 0016). A part that is not understood makes everything below it unknown.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from mesh_core.frame_lineage import TRANSFORMATION, Dependencies, indirect, through, unknown
from mesh_core.lineage import ANY_COLUMN, ColumnEdge, PortLineage, RowEdge, Subtype
from mesh_core.sql_lineage.expressions import Expressions
from mesh_core.sql_lineage.relations import Relation, Scope
from mesh_core.sql_lineage.statements import Written, written_by
from mesh_core.sql_text import SqlNotUnderstood, check_sql_size, not_understood

__all__ = ["TableResolver", "query_lineage", "statement_lineage", "to_port_lineage"]

TableResolver = Callable[[tuple[str, ...]], Relation]
"""Gives the relation of a table by the parts of its name."""

_MOST_ROUNDS = 8
_MOST_QUERIES = 20_000
_MOST_FOUND = 200_000
"""Columns and dependencies over all the queries of a text."""
_NOTHING: Dependencies = frozenset()


def query_lineage(sql: str, *, dialect: str, table: TableResolver) -> Relation:
    """The result's columns in order, with what each depends on.

    Of a statement that writes (INSERT, CREATE TABLE AS, MERGE's are not) the query in it. Raises: SqlNotUnderstood.
    """
    return _walked(sql, dialect, table)[1]


def statement_lineage(sql: str, *, dialect: str, table: TableResolver) -> tuple[Written, Relation]:
    """Where the statement writes, and the lineage of what it writes there. Raises: SqlNotUnderstood."""
    tree, relation = _walked(sql, dialect, table)
    return written_by(tree), relation


def _walked(sql: str, dialect: str, table: TableResolver) -> tuple[exp.Expr, Relation]:
    try:
        check_sql_size(sql, dialect)
        logging.getLogger("sqlglot").setLevel(logging.CRITICAL)  # it would log the text of queries, and values with it
        statements = [statement for statement in sqlglot.parse(sql, read=dialect) if statement is not None]
        if len(statements) != 1:
            raise SqlNotUnderstood(f"{len(statements)} statements: only one can be read.")
        return statements[0], _Walk(table).statement(statements[0])
    except (SqlglotError, ValueError) as error:
        if isinstance(error, SqlNotUnderstood):
            raise
        words = not_understood(error) if isinstance(error, SqlglotError) else f"The SQL cannot be understood: {str(error)[:300]}"
        raise SqlNotUnderstood(words) from None
    except RecursionError:
        raise SqlNotUnderstood("The SQL is nested too deeply: name parts of it with WITH.") from None


class _Walk:
    """One walk over one statement."""

    def __init__(self, table: TableResolver) -> None:
        self._table = table
        self._expressions = Expressions(lambda query, scope: self.query(query, scope, self._ctes))
        self._ctes: Mapping[str, Relation] = {}
        self._queries = 0
        self._found = 0

    def statement(self, tree: exp.Expr) -> Relation:
        if isinstance(tree, exp.Insert | exp.Create) and isinstance(tree.expression, exp.Query):
            return self.query(tree.expression, None, self._with(tree, None, {}))
        if not isinstance(tree, exp.Query):
            raise SqlNotUnderstood(f"{tree.key.upper()} is no query.")
        return self.query(tree, None, {})

    def query(self, node: exp.Expr, outer: Scope | None, ctes: Mapping[str, Relation]) -> Relation:
        """The relation of a SELECT, a set operation, VALUES, or one of them in brackets."""
        self._queries += 1
        if self._queries > _MOST_QUERIES:
            raise SqlNotUnderstood("The SQL nests recursive queries in each other too deeply.")
        before = self._ctes
        known = self._ctes = self._with(node, outer, ctes)
        try:
            if isinstance(node, exp.Subquery):
                return self._limited(node, self.query(node.this, outer, known), outer)
            if isinstance(node, exp.Select):
                return self._select(node, outer)
            if isinstance(node, exp.SetOperation):
                return self._limited(node, self._combined(node, outer, known), outer)
            if isinstance(node, exp.Values):
                return self._values(node, Scope(outer))
            if isinstance(node, exp.Table):
                return self._source(node, Scope(outer))
            return self._everything_below(node, outer)
        finally:
            self._ctes = before

    def _with(self, node: exp.Expr, outer: Scope | None, ctes: Mapping[str, Relation]) -> Mapping[str, Relation]:
        clause = node.args.get("with_") or node.args.get("with")
        if not isinstance(clause, exp.With):
            return ctes
        known = dict(ctes)
        for part in clause.expressions:
            name = part.alias.casefold()
            names = [column.name for column in part.args["alias"].args.get("columns") or ()]
            if clause.args.get("recursive") and isinstance(part.this, exp.SetOperation):
                known[name] = self._recursive(part, name, names, outer, known)
            else:
                known[name] = self.query(part.this, outer, known).renamed(names)
        return known

    def _recursive(
        self, part: exp.Expr, name: str, names: list[str], outer: Scope | None, known: Mapping[str, Relation]
    ) -> Relation:
        """The fixpoint: each round adds what the recursive part makes of the round before."""
        current = self.query(part.this.this, outer, known).renamed(names)
        for _ in range(_MOST_ROUNDS):
            following = _stacked(current, self.query(part.this, outer, {**known, name: current}).renamed(names))
            if following == current:
                return current
            current = following
        return Relation(None, current.rows, current.ports)

    def _combined(self, node: exp.SetOperation, outer: Scope | None, ctes: Mapping[str, Relation]) -> Relation:
        left, right = (self.query(side, outer, ctes) for side in (node.this, node.expression))
        both = _stacked(left, right, by_name=bool(node.args.get("by_name")))
        if not isinstance(node, exp.Union):
            columns, compared = left.columns, _all(left) | _all(right)
            return Relation(columns, both.rows | indirect(Subtype.FILTER, compared), both.ports)
        if node.args.get("distinct"):
            return replace(both, rows=both.rows | indirect(Subtype.GROUP_BY, _all(both)))
        return both

    def _limited(self, node: exp.Expr, found: Relation, outer: Scope | None) -> Relation:
        """With its ORDER BY, which may name its own columns, and its LIMIT."""
        order = node.args.get("order")
        scope = Scope(outer, {"": found})
        keys = frozenset(d for key in (order.expressions if order is not None else ()) for d in self._key(key.this, found, scope))
        rows = indirect(Subtype.SORT, keys) | self._counted(node, scope)
        return replace(found, rows=found.rows | rows, ports=found.ports | {d.port for d in rows})

    def _counted(self, node: exp.Expr, scope: Scope) -> Dependencies:
        """What LIMIT and OFFSET depend on, where queries say them."""
        counts = [
            inner
            for name in ("limit", "offset")
            if (clause := node.args.get(name)) is not None
            for inner in clause.iter_expressions()
        ]
        return frozenset(d for count in counts for d in indirect(Subtype.FILTER, self._expressions.dependencies(count, scope)))

    def _values(self, node: exp.Values, scope: Scope) -> Relation:
        rows = [row.expressions if isinstance(row, exp.Tuple) else [row] for row in node.expressions]
        width = max((len(row) for row in rows), default=0)
        columns = [
            frozenset(d for row in rows if place < len(row) for d in self._expressions.dependencies(row[place], scope))
            for place in range(width)
        ]
        return _aliased(node, Relation(tuple((f"col{place}", found) for place, found in enumerate(columns))))

    def _everything_below(self, node: exp.Expr, outer: Scope | None) -> Relation:
        ports = frozenset(port for table in node.find_all(exp.Table) for port in self._named(table).ports)
        return Relation(None, ports=ports | (outer.ports if outer else frozenset()))

    # -- SELECT ------------------------------------------------------------------------------------------------------

    def _select(self, node: exp.Select, outer: Scope | None) -> Relation:
        scope, rows = self._from(node, outer)
        read = self._expressions.dependencies
        for name, subtype in (("where", Subtype.FILTER), ("prewhere", Subtype.FILTER)):
            if node.args.get(name) is not None:
                rows |= indirect(subtype, read(node.args[name].this, scope))
        items = self._items(node, scope)
        result = Relation(
            None if items is None else tuple(items), ports=scope.ports if outer is None else scope.ports - outer.ports
        )
        rows |= self._grouped(node, result, scope)
        for name, subtype in (("having", Subtype.FILTER), ("qualify", Subtype.FILTER)):
            if node.args.get(name) is not None:
                rows |= indirect(subtype, read(node.args[name].this, scope))
        rows |= self._ordered(node, result, scope) | self._exploded(node, scope) | self._counted(node, scope)
        below = frozenset(d.port for d in rows) | frozenset(d.port for d in _all(result))
        return Relation(result.columns, rows, result.ports | below)

    def _from(self, node: exp.Select, outer: Scope | None) -> tuple[Scope, Dependencies]:
        scope = Scope(outer)
        rows: Dependencies = _NOTHING
        clause = node.args.get("from_") or node.args.get("from")
        first = [clause.this] if clause is not None else []
        for source in first:
            rows |= self._add(source, scope)
        for join in [*(node.args.get("joins") or ()), *(node.args.get("laterals") or ())]:
            rows |= self._join(join, scope) if isinstance(join, exp.Join) else self._add(join, scope)
        return scope, rows

    def _add(self, source: exp.Expr, scope: Scope) -> Dependencies:
        relation = self._source(source, scope)
        scope.add(source.alias_or_name or f"?{len(scope.tables)}", relation)
        rows = relation.rows
        for join in source.args.get("joins") or ():
            rows |= self._join(join, scope)
        return rows

    def _join(self, join: exp.Join, scope: Scope) -> Dependencies:
        left = dict(scope.tables)
        kind = f"{join.args.get('kind') or ''} {join.args.get('side') or ''}".upper()
        rows = self._add(join.this, scope)
        right = scope.tables[next(reversed(scope.tables))] if len(scope.tables) > len(left) else Relation(None, ports=scope.ports)
        using = [column.name for column in join.args.get("using") or ()]
        if str(join.args.get("method") or "").upper() == "NATURAL":
            using = _shared(left, right)
            if any(relation.columns is None for relation in (*left.values(), right)):
                rows |= indirect(Subtype.JOIN, unknown(scope.own_ports))
        for name in using:
            sides = [found for relation in [*left.values(), right] if (found := relation.find(name)) is not None]
            rows |= indirect(Subtype.JOIN, frozenset().union(*sides)) if sides else _NOTHING
            scope.merged[name.casefold()] = frozenset().union(*(sides if "FULL" in kind or "RIGHT" in kind else sides[:1]))
        rows |= indirect(Subtype.JOIN, self._expressions.dependencies(join.args.get("on"), scope))
        rows |= indirect(Subtype.SORT, self._expressions.dependencies(join.args.get("match_condition"), scope))
        if "SEMI" in kind or "ANTI" in kind:
            scope.tables = left
        return rows

    def _source(self, source: exp.Expr, scope: Scope) -> Relation:
        """A table, a query in brackets, or rows made by a function; what is none of these is unknown."""
        if source.args.get("pivots"):
            return self._everything_below(source, scope)
        if isinstance(source, exp.Subquery):
            return _aliased(source, self.query(source, scope if scope.tables else scope.outer, self._ctes))
        if isinstance(source, exp.Table) and isinstance(source.this, exp.Identifier):
            return _aliased(source, self._named(source))
        if isinstance(source, exp.Lateral) and isinstance(source.this, exp.Subquery):
            return _aliased(source, self.query(source.this, scope, self._ctes))
        if isinstance(source, exp.Values):
            return self._values(source, scope)
        arguments = self._expressions.dependencies(source.this if isinstance(source, exp.Lateral | exp.Table) else source, scope)
        return self._made_rows(source, arguments)

    def _named(self, table: exp.Table) -> Relation:
        parts = tuple(part.name for part in table.parts)
        if len(parts) == 1 and parts[0].casefold() in self._ctes:
            return self._ctes[parts[0].casefold()]
        return self._table(parts)

    def _made_rows(self, source: exp.Expr, arguments: Dependencies) -> Relation:
        """Rows of a function like unnest: every column may hold any argument, and how many rows there are depends on them."""
        alias = source.args.get("alias")
        names = [column.name for column in alias.args.get("columns") or ()] if isinstance(alias, exp.TableAlias) else []
        names = names or ([alias.name] if isinstance(alias, exp.TableAlias) and alias.name else ["unnest"])
        ports = frozenset(d.port for d in arguments)
        return Relation(
            tuple((name, through(TRANSFORMATION, arguments)) for name in names), indirect(Subtype.JOIN, arguments), ports
        )

    def _items(self, node: exp.Select, scope: Scope) -> list[tuple[str, Dependencies]] | None:
        """The columns of the result; None if a star stands for columns nobody knows."""
        items: list[tuple[str, Dependencies]] = []
        for item in node.expressions:
            inner = item.unalias()
            star = inner if isinstance(inner, exp.Star) else inner.this if isinstance(inner, exp.Column) else None
            if isinstance(star, exp.Star):
                expanded = self._expanded(star, inner.table if isinstance(inner, exp.Column) else "", scope)
                if expanded is None:
                    return None
                items += expanded
                self._count(len(expanded))
                continue
            if isinstance(inner, exp.Columns):
                return None
            found = self._expressions.dependencies(inner, scope)
            items.append((item.alias_or_name, found))
            self._count(len(found))
            if isinstance(item, exp.Alias):
                scope.aliases.setdefault(item.alias.casefold(), found)
        return items

    def _count(self, found: int) -> None:
        """Stars and names that stand for much, again and again, could make a short text endless."""
        self._found += found
        if self._found > _MOST_FOUND:
            raise SqlNotUnderstood("The SQL makes too many columns of each other.")

    def _expanded(self, star: exp.Star, table: str, scope: Scope) -> list[tuple[str, Dependencies]] | None:
        one = scope.table(table) if table else None
        relations = [one] if table else [relation for _, relation in scope.star()]
        if any(relation is None or relation.columns is None for relation in relations):
            return None
        dropped = {c.name.casefold() for c in star.args.get("except_") or star.args.get("except") or ()}
        replaced = {c.alias.casefold(): self._expressions.dependencies(c.this, scope) for c in star.args.get("replace") or ()}
        renamed = {c.this.name.casefold(): c.alias for c in star.args.get("rename") or ()}
        found: list[tuple[str, Dependencies]] = []
        shown: set[str] = set()
        for relation in relations:
            for name, deps in (relation.columns or ()) if relation is not None else ():
                key = name.casefold()
                if key in dropped or (not table and key in scope.merged and key in shown):
                    continue
                shown.add(key)
                merged = scope.merged.get(key) if not table else None
                found.append((renamed.get(key, name), replaced.get(key, merged if merged is not None else deps)))
        return found

    def _grouped(self, node: exp.Select, result: Relation, scope: Scope) -> Dependencies:
        group, distinct = node.args.get("group"), node.args.get("distinct")
        rows: Dependencies = _NOTHING
        if group is not None:
            keys = [found for key in group.find_all(exp.Expr) if key.parent is group for found in self._key(key, result, scope)]
            rows |= indirect(Subtype.GROUP_BY, frozenset(keys) | (_all(result) if group.args.get("all") else _NOTHING))
        if isinstance(distinct, exp.Distinct):
            on = distinct.args.get("on")
            rows |= indirect(Subtype.GROUP_BY, self._expressions.dependencies(on, scope) if on is not None else _all(result))
        return rows

    def _ordered(self, node: exp.Select, result: Relation, scope: Scope) -> Dependencies:
        order = node.args.get("order")
        keys = order.expressions if order is not None else []
        found = frozenset(d for key in keys for d in self._key(key.this, result, scope))
        is_all = any(isinstance(key.this, exp.Column) and key.this.name.upper() == "ALL" for key in keys)
        return indirect(Subtype.SORT, found | (_all(result) if is_all else _NOTHING))

    def _exploded(self, node: exp.Select, scope: Scope) -> Dependencies:
        """What decides how often a row occurs because an item of the SELECT is unnested."""
        made = [inner for item in node.expressions for inner in item.find_all(exp.Explode, exp.Unnest, exp.Posexplode)]
        return frozenset(d for inner in made for d in indirect(Subtype.JOIN, self._expressions.dependencies(inner, scope)))

    def _key(self, key: exp.Expr, result: Relation, scope: Scope) -> Dependencies:
        """A key of GROUP BY or ORDER BY: an item by its place or alias, or an expression."""
        if isinstance(key, exp.Literal) and not key.is_string and result.columns is not None and key.name.isdecimal():
            place = int(key.name) - 1
            return result.columns[place][1] if place < len(result.columns) else _NOTHING
        by_alias = result.find(key.name) if isinstance(key, exp.Column) and not key.table and result.columns is not None else None
        read = self._expressions.dependencies(key, scope)
        return read | by_alias if by_alias is not None else read


def to_port_lineage(relation: Relation, *, target_port: str, names: Sequence[str] | None = None) -> PortLineage:
    """The lineage of a port made of the query's result; columns go by `names` in order, by their own names if None.

    A result whose columns nobody knows, or of another width than `names`, has the ports below it as unknown inputs.
    """
    columns = relation.columns
    if columns is None or (names is not None and len(names) != len(columns)):
        edges, unresolved = set[ColumnEdge](), set(relation.ports)
    else:
        named = list(zip(names or [name for name, _ in columns], (found for _, found in columns), strict=True))
        loose = {name for name, found in named for d in found if d.column == ANY_COLUMN and d.transformation.is_direct}
        unresolved = {d.port for name, found in named if name in loose for d in found if d.transformation.is_direct}
        edges = {
            ColumnEdge(d.port, d.column, name, d.transformation)
            for name, found in named
            for d in found
            if not (d.transformation.is_direct and name in loose) and d.column != ANY_COLUMN
        }
    rows = set(relation.rows) | {
        d for _, found in columns or () for d in found if d.column == ANY_COLUMN and not d.transformation.is_direct
    }
    return PortLineage(
        target_port=target_port,
        inputs=(),
        edges=tuple(sorted(edges)),
        unknown_inputs=tuple(sorted(unresolved)),
        row_edges=tuple(sorted({RowEdge(d.port, d.column, d.transformation) for d in rows if not d.transformation.is_direct}))
        + tuple(sorted({RowEdge(d.port, d.column, d.transformation) for d in rows if d.transformation.is_direct})),
    )


def _stacked(left: Relation, right: Relation, *, by_name: bool = False) -> Relation:
    """Rows of both, columns by place or by name."""
    rows, ports = left.rows | right.rows, left.ports | right.ports
    if left.columns is None or right.columns is None:
        return Relation(None, rows, ports)
    if by_name:
        names = dict.fromkeys(name for name, _ in (*left.columns, *right.columns))
        return Relation(tuple((n, (left.find(n) or _NOTHING) | (right.find(n) or _NOTHING)) for n in names), rows, ports)
    if len(left.columns) != len(right.columns):
        return Relation(None, rows, ports)
    pairs = zip(left.columns, right.columns, strict=True)
    return Relation(tuple((name, found | other) for (name, found), (_, other) in pairs), rows, ports)


def _all(relation: Relation) -> Dependencies:
    if relation.columns is None:
        return unknown(relation.ports)
    return frozenset(d for _, found in relation.columns for d in found)


def _aliased(source: exp.Expr, relation: Relation) -> Relation:
    alias = source.args.get("alias")
    names = [column.name for column in alias.args.get("columns") or ()] if isinstance(alias, exp.TableAlias) else []
    return relation.renamed(names)


def _shared(left: Mapping[str, Relation], right: Relation) -> list[str]:
    """The columns that a natural join is by."""
    known = [name for relation in left.values() for name, _ in relation.columns or ()]
    return [name for name, _ in right.columns or () if any(name.casefold() == other.casefold() for other in known)]
