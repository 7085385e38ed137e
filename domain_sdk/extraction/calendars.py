"""Appointments and tasks of an invitation as a reader is shown them: what, when, where, and who. Pure.

Source: RFC 5545 (iCalendar): content lines, their folding, components and properties.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from domain_sdk.extraction.extracted import Extracted, Unreadable

__all__ = ["calendar_document"]

_FOLD = re.compile(r"\r?\n[ \t]")
_LINE_END = re.compile(r"\r\n?|\n")
_LINE = re.compile(r'([A-Za-z0-9-]+)((?:;[A-Za-z0-9-]+=(?:"[^"]*"|[^";:])*)*):(.*)')
_PARAMETER = re.compile(r';([A-Za-z0-9-]+)=("[^"]*"|[^";:]*)')
_TIME = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)(Z?))?\Z")
_ESCAPED = re.compile(r"\\([nN\\;,])")
_SHOWN = {"VEVENT": "Event", "VTODO": "Task", "VJOURNAL": "Entry"}
_PEOPLE = (("ORGANIZER", "Organizer"), ("ATTENDEE", "Attendees"))


@dataclass(slots=True)
class _Property:
    name: str
    value: str
    parameters: dict[str, str]


@dataclass(slots=True)
class _Component:
    kind: str
    properties: list[_Property] = field(default_factory=list)

    def all(self, name: str) -> list[_Property]:
        return [it for it in self.properties if it.name == name]

    def text(self, name: str) -> str:
        """The first value of this name as it reads; "" if there is none."""
        found = next(iter(self.all(name)), None)
        return _ESCAPED.sub(lambda it: "\n" if it[1] in "nN" else it[1], found.value).strip() if found else ""


def calendar_document(text: str) -> Extracted:
    """The appointments and tasks; `people` of its facts are who takes part. Raises: Unreadable if there are none."""
    found = [it for it in _components(text) if it.kind in _SHOWN]
    blocks = ["\n".join(filter(None, _lines(it))) for it in found]
    if not blocks:
        raise Unreadable("it is a calendar without appointments: remove it.")
    people = (it for component in found for kind, _ in _PEOPLE for it in component.all(kind))
    names = dict.fromkeys(filter(None, map(_name, people)))
    return Extracted("\n\n".join(blocks), facts={"people": "\n".join(names)}, parser="calendar")


def _components(text: str) -> Iterator[_Component]:
    """Those that end, with their own properties: an alarm's are not its event's."""
    within: list[_Component] = []
    for line in _LINE_END.split(_FOLD.sub("", text)):
        found = _LINE.match(line)
        if found is None:
            continue
        name, value = found[1].upper(), found[3]
        if name == "BEGIN":
            within.append(_Component(value.strip().upper()))
        elif name == "END" and within:
            yield within.pop()
        elif within:
            parameters = {it[0].upper(): it[1].strip('"') for it in _PARAMETER.findall(found[2])}
            within[-1].properties.append(_Property(name, value, parameters))


def _lines(component: _Component) -> Iterator[str]:
    is_off = component.text("STATUS").upper() == "CANCELLED"
    yield f"{'Cancelled ' if is_off else ''}{_SHOWN[component.kind]}: {component.text('SUMMARY')}".strip().rstrip(":")
    yield _when(component)
    for name, word in (("LOCATION", "Where"), ("RRULE", "Repeats")):
        if said := " ".join(component.text(name).split()):
            yield f"{word}: {said}"
    for name, word in _PEOPLE:
        if people := ", ".join(dict.fromkeys(filter(None, map(_person, component.all(name))))):
            yield f"{word}: {people}"
    if said := component.text("DESCRIPTION"):
        yield f"\n{said}"


def _when(component: _Component) -> str:
    times: Sequence[_Property] = [it for name in ("DTSTART", "DTEND", "DUE") for it in component.all(name)[:1]]
    shown = " to ".join(dict.fromkeys(_moment(it.value) for it in times))
    zone = next((it.parameters["TZID"] for it in times if "TZID" in it.parameters), "")
    lasting = f" for {length}" if (length := component.text("DURATION")) else ""
    return f"When: {shown}{lasting}{f' ({zone})' if zone else ''}" if shown else ""


def _moment(value: str) -> str:
    """`2024-03-15 14:00`, `2024-03-15` for a whole day; as it is written if it is no time."""
    found = _TIME.match(value.strip())
    if found is None:
        return value.strip()
    year, month, day, hour, minute, _, zone = found.groups()
    return f"{year}-{month}-{day}" + (f" {hour}:{minute}{' UTC' if zone else ''}" if hour else "")


def _name(person: _Property) -> str:
    return " ".join(person.parameters.get("CN", "").split())


def _person(person: _Property) -> str:
    """Name and address of who takes part."""
    name, address = _name(person), re.sub("mailto:", "", person.value, count=1, flags=re.IGNORECASE).strip()
    return f"{name} <{address}>" if name and name != address else address
