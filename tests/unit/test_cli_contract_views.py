"""What a contract says is shown: every field that the documentation calls shown appears on the screen."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from rich.console import Console

from domain_sdk.cli.contract_views import contract_view, port_extras_view
from mesh_core.contract.coverage import Part, Treatment, not_enforced, parts_of, treatment_of
from tests.odcs_documents import document_of


def rendered(document: dict[str, Any]) -> str:
    console = Console(width=5000, record=True, file=None, quiet=False, highlight=False)
    with console.capture() as captured:
        for part in contract_view(document, not_enforced(document)):
            console.print(part)
        for port in document["schema"]:
            for part in port_extras_view(port):
                console.print(part)
    return " ".join(captured.get().split())


def test_every_text_that_is_called_shown_is_on_the_screen() -> None:
    """Each such text is made one of its kind first, so that no other stands for it."""
    missing: set[tuple[str, str]] = set()
    for seed in range(12):
        document = deepcopy(document_of(seed))
        marks: dict[str, tuple[str, str]] = {}
        recorded: list[str] = []
        for part, path, entry in parts_of(document):
            recorded += [f"{path}.{field}" for field in entry if treatment_of(part, field) is Treatment.RECORDED]
            if path.startswith(tuple(recorded)):
                continue  # what stands in a part that is only kept is only kept
            for field, value in entry.items():
                if isinstance(value, str) and treatment_of(part, field) is Treatment.SHOWN:
                    mark = f"mark{len(marks)}x"
                    marks[mark] = (part.value, field)
                    entry[field] = mark  # type: ignore[index] # a copy of our own
        text = rendered(document)
        missing |= {place for mark, place in marks.items() if mark not in text}
    assert missing == {("schema", "description"), ("schema.properties", "description")}  # these are in the tables of ports


def test_what_is_not_enforced_is_said_of_rules_levels_and_places() -> None:
    lines = not_enforced(
        {
            "servers": [{"server": "s", "type": "local"}],
            "slaProperties": [{"property": "latency", "value": 1}, {"property": "retention", "value": 2}],
            "schema": [
                {
                    "name": "t",
                    "quality": [{"type": "text", "description": "x"}],
                    "properties": [{"name": "a", "encryptedName": "b"}],
                }
            ],
        }
    )
    assert lines == [
        "servers: shown, not enforced",
        "slaProperties[].property: retention is shown, not enforced",
        "schema[].quality[].type: a text rule is recorded, not enforced",
        "schema[].properties[].encryptedName: shown, not enforced",
    ]
    assert Part.QUALITY.value == "quality"
