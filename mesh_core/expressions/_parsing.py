"""Reads a filter's SQL text; see `mesh_core.expressions.sql`.

sqlglot's tokenizer (DuckDB) splits the text; the grammar over its tokens is our own and lists what is allowed. sqlglot's own
parser is not used: it recurses some 25 frames a level (a filter nested 40 deep overflows the stack), and it keeps what matters,
like the NOT of `NOT LIKE`, in attributes that an allow-list of node classes does not see.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

from mesh_core.expressions._literals import TYPED_LITERALS, number, typed_literal
from mesh_core.expressions.errors import InvalidExpression
from mesh_core.expressions.limits import MAX_DEPTH, MAX_TEXT, check_expression, is_term
from mesh_core.expressions.tree import (
    And,
    Column,
    Compare,
    CompareOperator,
    Expression,
    In,
    IsNull,
    Like,
    Literal,
    Not,
    Or,
    Subject,
)

if TYPE_CHECKING:
    from sqlglot.tokenizer_core import Token

__all__ = ["parse"]

_COMPARISONS: Mapping[str, str] = MappingProxyType({"EQ": "=", "NEQ": "!=", "LT": "<", "LTE": "<=", "GT": ">", "GTE": ">="})
_KEYWORDS = frozenset(("AND", "OR", "NOT", "IN", "BETWEEN", "LIKE", "IS"))
_CONSTANTS: Mapping[str, bool | None] = MappingProxyType({"TRUE": True, "FALSE": False, "NULL": None})
_REFUSED: Mapping[str, str] = MappingProxyType(
    {
        "SEMICOLON": "a second statement",
        "SELECT": "a subquery",
        "WITH": "a subquery",
        "FROM": "a subquery",
        "EXISTS": "a subquery",
        "CASE": "CASE",
        "CAST": "a cast",
        "TRY_CAST": "a cast",
        "DCOLON": "a cast",
        "PLUS": "arithmetic",
        "DASH": "arithmetic",
        "STAR": "arithmetic",
        "SLASH": "arithmetic",
        "DIV": "arithmetic",
        "MOD": "arithmetic",
        "CARET": "arithmetic",
        "DPIPE": "string concatenation",
        "INTERVAL": "an interval",
        "PLACEHOLDER": "a parameter",
        "PARAMETER": "a parameter",
        "COLON": "a parameter",
        "ESCAPE": "ESCAPE",
        "ILIKE": "ILIKE",
        "DISTINCT": "IS DISTINCT FROM",
        "BYTE_STRING": "an escape string",
        "HEREDOC_STRING": "a dollar-quoted string",
        "CURRENT_DATE": "current_date",
        "CURRENT_TIME": "current_time",
        "CURRENT_TIMESTAMP": "current_timestamp",
        "CURRENT_USER": "current_user",
        "L_BRACKET": "an array",
        "L_BRACE": "a struct",
        "COLLATE": "COLLATE",
    }
)
_ALLOWED = "Use =, !=, <, <=, >, >=, AND, OR, NOT, IN, BETWEEN, LIKE, IS NULL, literals, columns and subject.<attribute>."


def parse(sql: str) -> Expression:
    """The expression of the text, within the caps of the language; names and types are not checked.

    Raises:
        InvalidExpression: Naming the construct that is not allowed.
    """
    if len(sql) > MAX_TEXT:
        raise InvalidExpression(f"The filter has {len(sql)} characters: at most {MAX_TEXT} are allowed.")
    parser = _Parser(_tokens(sql))
    expression = parser.condition(1)
    parser.expect_end()
    return check_expression(expression)


def _tokens(sql: str) -> list[Token]:
    from sqlglot.dialects.duckdb import DuckDB
    from sqlglot.errors import TokenError

    try:
        tokens = DuckDB().tokenize(sql)
    except TokenError as error:
        raise InvalidExpression("The filter ends inside a string, a quoted name or a comment: close it.") from error
    if any(token.comments for token in tokens):
        raise InvalidExpression("The filter holds a comment: remove it.")
    if not tokens:
        raise InvalidExpression("The filter is empty: write a condition, or TRUE to allow every row.")
    return tokens


class _Parser:
    """Recursive descent over the tokens: four frames a level, `depth` counted before each descent."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._next = 0

    def condition(self, depth: int) -> Expression:
        """OR of ANDs of predicates."""
        operands = [self._conjunction(depth)]
        while self._take("OR"):
            operands.append(self._conjunction(depth))
        return operands[0] if len(operands) == 1 else Or(tuple(operands))

    def expect_end(self) -> None:
        """Returns if every token is read."""
        if self._next < len(self._tokens):
            raise self._refusal()

    def _conjunction(self, depth: int) -> Expression:
        operands = [self._negation(depth)]
        while self._take("AND"):
            operands.append(self._negation(depth))
        return operands[0] if len(operands) == 1 else And(tuple(operands))

    def _negation(self, depth: int) -> Expression:
        if self._take("NOT"):
            self._check_depth(depth)
            return Not(self._negation(depth + 1))
        return self._predicate(depth)

    def _predicate(self, depth: int) -> Expression:
        left = self._primary(depth)
        kind = self._peek()
        if kind in _COMPARISONS:
            self._next += 1
            return Compare(cast("CompareOperator", _COMPARISONS[kind]), self._operand(left, kind), self._term(depth))
        if self._take("IS"):
            negated = self._take("NOT")
            self._expect("NULL")
            is_null = IsNull(self._operand(left, "IS NULL"))
            return Not(is_null) if negated else is_null
        negated = kind == "NOT" and self._peek(1) in ("IN", "LIKE", "BETWEEN") and self._take("NOT")
        if self._peek() in ("IN", "LIKE", "BETWEEN"):
            found = self._suffix(self._operand(left, self._peek()), depth)
            return Not(found) if negated else found
        return left

    def _suffix(self, left: Expression, depth: int) -> Expression:
        if self._take("IN"):
            self._expect("L_PAREN")
            values = [self._term(depth)]
            while self._take("COMMA"):
                values.append(self._term(depth))
            self._expect("R_PAREN")
            return In(left, tuple(values))
        if self._take("LIKE"):
            pattern = self._term(depth)
            if not (isinstance(pattern, Literal) and isinstance(pattern.value, str)):
                raise InvalidExpression("LIKE needs a pattern in quotes, like 'EU-%'.")
            return Like(left, pattern.value)
        self._expect("BETWEEN")
        low = self._term(depth)
        self._expect("AND")
        return And((Compare(">=", left, low), Compare("<=", left, self._term(depth))))

    def _term(self, depth: int) -> Expression:
        return self._operand(self._primary(depth), "a comparison")

    def _operand(self, node: Expression, construct: str) -> Expression:
        if not is_term(node):
            found = _COMPARISONS.get(construct, construct)
            raise InvalidExpression(f"{found} is applied to a condition: compare columns and values.")
        return node

    def _primary(self, depth: int) -> Expression:
        kind, after = self._peek(), self._peek(1)
        if self._take("L_PAREN"):
            self._check_depth(depth)
            inner = self.condition(depth + 1)
            self._expect("R_PAREN")
            return inner
        if kind == "STRING":
            return Literal(self._text())
        if kind == "NUMBER" or (kind == "DASH" and after == "NUMBER"):
            sign = "-" if self._take("DASH") else ""
            return Literal(number(sign + self._text()))
        if kind in _CONSTANTS:
            self._next += 1
            return Literal(_CONSTANTS[kind])
        if after == "STRING" and kind in TYPED_LITERALS:
            self._next += 1
            return typed_literal(kind, self._text())
        return self._name()

    def _name(self) -> Expression:
        name = self._identifier()
        if not self._take("DOT"):
            return Column(name)
        owner = self._tokens[self._next - 2]
        attribute = self._identifier()
        if owner.token_type.name == "IDENTIFIER" or name != "subject" or self._peek() == "DOT":
            raise InvalidExpression(f"{name}.{attribute} is a qualified name: write the column alone, or subject.<attribute>.")
        return Subject(attribute)

    def _identifier(self) -> str:
        if self._next >= len(self._tokens):
            raise self._refusal()
        token = self._tokens[self._next]
        kind = token.token_type.name
        if kind == "IDENTIFIER":
            return self._text()
        if self._peek(1) == "L_PAREN" and token.text.isidentifier() and kind not in _REFUSED:
            raise InvalidExpression(f"{token.text!r} is a function call, which a filter cannot use. {_ALLOWED}")
        if kind in _REFUSED or kind in _KEYWORDS or not token.text.isidentifier():
            raise self._refusal()
        return self._text()

    def _text(self) -> str:
        self._next += 1
        return str(self._tokens[self._next - 1].text)

    def _peek(self, ahead: int = 0) -> str:
        position = self._next + ahead
        return str(self._tokens[position].token_type.name) if position < len(self._tokens) else ""

    def _take(self, kind: str) -> bool:
        taken = self._peek() == kind
        self._next += taken
        return taken

    def _expect(self, kind: str) -> None:
        if not self._take(kind):
            raise self._refusal()

    def _check_depth(self, depth: int) -> None:
        if depth >= MAX_DEPTH:
            raise InvalidExpression(f"The filter is nested deeper than {MAX_DEPTH} levels: flatten it.")

    def _refusal(self) -> InvalidExpression:
        if self._next >= len(self._tokens):
            return InvalidExpression(f"The filter ends too early. {_ALLOWED}")
        token = self._tokens[self._next]
        construct = _REFUSED.get(token.token_type.name)
        found = f"{construct} ({token.text!r})" if construct else repr(token.text)
        return InvalidExpression(f"A filter cannot use {found} at character {token.start + 1}. {_ALLOWED}")
