"""What a model may ask for while it writes: the catalog, passages and queries, all as the asker and in the asker's scope.

Arguments choose among what the asker may see; none of them names an identity, a purpose or a version. What comes back is text
between marks that say so, since documents may contain anything, instructions included.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from governance_server.asking.evidence import Evidence
from governance_server.asking.model_queries import check_invents_nothing, stems_of, words_of_tables
from governance_server.policy.readable import Readable
from governance_server.rules.errors import AccessDenied, GovernanceError
from governance_server.search.index import SearchIndex
from mesh_core.answers.answer import Citation, Figure
from mesh_core.chat_endpoint import ToolCall

__all__ = ["TOOLS", "Toolbox", "shown_source"]

_MOST_ROWS, _MOST_HITS, _MOST_COLUMNS = 20, 10, 40
_LONGEST_ARGUMENT = 4000


def _tool(name: str, description: str, **arguments: str) -> Mapping[str, Any]:
    properties = {it: {"type": "string", "description": words} for it, words in arguments.items()}
    parameters = {"type": "object", "properties": properties, "required": list(arguments)[:1], "additionalProperties": False}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


TOOLS: Sequence[Mapping[str, Any]] = (
    _tool("discover", "Finds tables and collections in the catalog by words; tables come with their columns.", query="Words."),
    _tool(
        "retrieve", "Finds passages of documents; each becomes a source with a number.",
        query="What to look for, in words.", collection="Only this collection, by its full name; leave it out for all.",
    ),
    _tool(
        "sql", "Runs one SELECT in DuckDB's dialect; its result becomes a source with a number. At most 20 rows are shown.",
        query="The SELECT. Tables are named in three parts, like finance.ledger.entries. It gives columns and what is computed "
        "of them: texts and numbers of its own stand in conditions only, and no column is called what neither the question nor "
        "the tables have, or what another column is called.",
    ),
)  # fmt: skip


class Toolbox:
    """Runs tools for a model on one asker's evidence."""

    def __init__(self, evidence: Evidence, catalog: SearchIndex) -> None:
        self._evidence = evidence
        self._catalog = catalog
        self._tools: Mapping[str, Callable[[Mapping[str, str]], str]] = {
            "discover": self._discover,
            "retrieve": self._retrieve,
            "sql": self._sql,
        }

    def run(self, call: ToolCall) -> str:
        """What the tool found, or why it did not; a mistake of the model's is told to it and nothing worse."""
        tool = self._tools.get(call.name)
        if tool is None:
            return f"There is no tool {call.name[:60]!r}: use discover, retrieve or sql."
        try:
            return tool(_arguments(call.arguments))
        except ValueError as error:
            return f"That cannot be used: {error}"
        except GovernanceError as error:
            return f"That is not possible: {error.message}"

    def _discover(self, arguments: Mapping[str, str]) -> str:
        evidence = self._evidence
        visible = evidence.readers.backend.policy.visibility(evidence.asking.caller)
        is_whole = Readable(evidence.readers.backend.policy, evidence.asking.caller).whole_now
        hits = self._catalog.find(arguments["query"], visible=visible, is_whole=is_whole, limit=_MOST_HITS)
        tables = {table.port.name: table for table in evidence.scope.tables}
        found = []
        for hit in hits:
            columns = [column.name for column in tables[hit.name].plan.columns] if hit.name in tables else []
            found.append({"name": hit.name, "kind": hit.kind, "description": hit.description, "columns": columns[:_MOST_COLUMNS]})
        return json.dumps(found, ensure_ascii=False)

    def _retrieve(self, arguments: Mapping[str, str]) -> str:
        evidence = self._evidence
        try:
            found = evidence.search(arguments["query"], arguments.get("collection", ""))
        except AccessDenied as error:
            return error.message
        return "\n".join(map(shown_source, dict.fromkeys(found))) or "Nothing was found."

    def _sql(self, arguments: Mapping[str, str]) -> str:
        evidence = self._evidence
        tables = evidence.scope.models(evidence.readers.backend)
        known = words_of_tables(tables) | stems_of(evidence.asking.question)
        columns = {table.port: [column.name for column in table.definition.columns] for table in tables}
        check_invents_nothing(arguments["query"], known, columns)
        figure, is_cut = evidence.look_up(arguments["query"], most_rows=_MOST_ROWS)
        return shown_source(figure) + ("\nThere are more rows than are shown." if is_cut else "")


def shown_source(source: Citation | Figure, said: Sequence[str] = ()) -> str:
    """A source as a model is shown it: one line of JSON, so that nothing in its text can end it."""
    if isinstance(source, Citation):
        where = {"document": source.document, "title": source.title, "section": source.section}
        shown: dict[str, Any] = {"source": source.number, "collection": source.port, **where, "text": source.text}
    else:
        shown = {
            "source": source.number,
            "computed": source.basis,
            "sql": source.sql,
            "columns": source.columns,
            "rows": source.rows,
        }
        shown |= {"in_words": list(said)} if said else {}
    return json.dumps({name: value for name, value in shown.items() if value}, ensure_ascii=False)


def _arguments(text: str) -> Mapping[str, str]:
    """The arguments that tools know. Raises: ValueError."""
    if len(text) > 2 * _LONGEST_ARGUMENT:
        raise ValueError("they are too long.")
    try:
        given = json.loads(text or "{}")
    except RecursionError:
        raise ValueError("they are nested too deeply.") from None
    if not isinstance(given, dict) or not isinstance(given.get("query"), str) or not given["query"].strip():
        raise ValueError("send an object with a text `query`.")
    return {name: given[name][:_LONGEST_ARGUMENT] for name in ("query", "collection") if isinstance(given.get(name), str)}
