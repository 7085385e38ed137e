"""What an earlier answer tells beside what it cites, and whether its asker may still be told it.

Notices, caveats without a source and what a recommendation misses rest on no passage and no figure that could be read anew: they
speak of tables that were looked at. They are told again only while all of those may be known of.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from domainmesh.v1 import answer_pb2
from governance_server.asking.scope import look
from governance_server.backend import Backend
from governance_server.caller import Caller
from mesh_core.names import InvalidName, parse_port

__all__ = ["Retold", "is_of_figure", "retold"]

_NAME = re.compile(r"[a-z][a-z0-9_-]*\.[a-z][a-z0-9_-]*\.[A-Za-z_][A-Za-z0-9_-]*")
_OF_FIGURE = re.compile(rf" \(.*{_NAME.pattern}.*\)\.\Z", re.DOTALL)


class Retold:
    """What is told once more."""

    def __init__(self, *, may_read_tables: bool, may_know: Callable[[str], bool]) -> None:
        self.may_read_tables = may_read_tables
        """True if every table that was queried may still be read."""
        self._may_know = may_know

    def tells(self, text: str) -> bool:
        """True if every port that the text names may still be known of."""
        return all(self._may_know(name) for name in set(_NAME.findall(text)))


def is_of_figure(notice: str) -> bool:
    """True if the notice tells of a figure, whose basis, which names a port, ends it in parentheses."""
    return _OF_FIGURE.search(notice) is not None


def retold(backend: Backend, caller: Caller, kept: answer_pb2.Answer) -> Retold:
    """What of the answer may be told again to the caller, for the purpose it was asked for."""
    visible = backend.policy.visibility(caller)

    def may_know(name: str) -> bool:
        try:
            parse_port(name)
        except InvalidName:
            return True  # no name, so it tells of no port
        can_read = look(backend, caller, name, kept.purpose) is not None
        return can_read or (name not in tables and visible.allows(name))  # of a table that was read its rows are told of

    tables = [it.port for it in kept.ports if it.columns]
    return Retold(may_read_tables=all(look(backend, caller, name, kept.purpose) for name in tables), may_know=may_know)
