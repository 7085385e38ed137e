"""Policy rows: the rules and links the policy engines evaluate, as values, and what makes one readable.

Owns the row types of `policy/model.conf` and every check made when one is written or loaded: what cannot be understood is
refused, so that it never becomes an allow and never silently stops being a deny. Knows nothing of casbin, storage or the wire.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from mesh_core.masks import Mask
from mesh_core.names import MESH

__all__ = [
    "ACTIONS",
    "ANY",
    "FOREVER",
    "FROM_THE_START",
    "NO_EXEMPTION",
    "Kind",
    "Link",
    "LinkSection",
    "PolicyDelta",
    "Row",
    "Rule",
    "RuleSection",
    "UnreadableRule",
    "check_link",
    "check_rule",
    "domain_of",
    "is_policy_time",
]

RuleSection = Literal["p", "p2", "p3"]
LinkSection = Literal["g", "g2", "g3"]
Kind = Literal["grant", "guard"]

ACTIONS = frozenset({"discover", "request", "read", "write", "grant", "administer"})
"""Every action; none implies another."""

ANY = "*"
"""Any subject, domain or purpose."""

NO_EXEMPTION = "-"
"""The `unless` of a rule from which nobody is exempt."""

FROM_THE_START = "1970-01-01T00:00:00Z"
FOREVER = "9999-12-31T23:59:59Z"

_EFFECTS = frozenset({"allow", "deny"})
_MASKS = frozenset(Mask)
_PLAIN = re.compile(r"(?!#)[A-Za-z0-9_.:@+/=#-]+(?<!#)\Z")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\Z", re.ASCII)


class UnreadableRule(ValueError):
    """A rule or link that cannot be understood; the message names the row, the field and the way out."""


@dataclass(frozen=True, slots=True, order=True)
class Rule:
    """One row of section p (effect), p2 (mask) or p3 (row filter).

    `value` is the effect, the mask or the id of the filter; `rid` names the grant or guardrail the row belongs to. The rule holds
    from `nbf` until before `exp`, for subjects not exempt by `unless` (a purpose or a mesh-wide role).
    """

    section: RuleSection
    sub: str
    dom: str
    obj: str
    act: str
    purpose: str
    unless: str
    nbf: str
    exp: str
    value: str
    kind: Kind
    rid: str


@dataclass(frozen=True, slots=True, order=True)
class Link:
    """One row of section g (membership in `domain`, `*` for mesh-wide), g2 (containment and tags) or g3 (purposes).

    `domain` is empty for g2 and g3. What names alone imply needs none: column → port → product → domain → mesh, tag → wider tag.
    """

    section: LinkSection
    child: str
    parent: str
    domain: str = ""


Row = Rule | Link


@dataclass(frozen=True, slots=True)
class PolicyDelta:
    """What one change adds to and removes from the policy. Rows count: a row added twice is gone after two removals."""

    add: tuple[Row, ...] = ()
    remove: tuple[Row, ...] = ()


def domain_of(obj: str) -> str:
    """The domain an object belongs to by its name: `finance` for `finance.ledger.entries#x`, `*` for `mesh` and tags."""
    if obj == MESH or obj.startswith("tag:"):
        return ANY
    first = obj.partition(".")[0]
    return first.partition("#")[0] if "#" in first else first


def is_policy_time(text: str) -> bool:
    """True if the text is a UTC time of fixed width, `YYYY-MM-DDTHH:MM:SSZ`, so that text order is time order."""
    return _TIME.match(text) is not None


def check_rule(rule: Rule) -> Rule:
    """The rule, if every field of it can be understood. Raises: UnreadableRule."""
    if rule.section not in ("p", "p2", "p3"):
        raise _unreadable(rule, "section", "use p, p2 or p3")
    if rule.kind not in ("grant", "guard"):
        raise _unreadable(rule, "kind", "use grant or guard")
    if rule.act not in ACTIONS:
        raise _unreadable(rule, "act", f"use one of {', '.join(sorted(ACTIONS))}")
    _check_texts(rule, ("sub", "dom", "purpose"), wildcard=True)
    _check_texts(rule, ("obj", "value", "rid"), wildcard=False)
    if rule.unless != NO_EXEMPTION:
        _check_texts(rule, ("unless",), wildcard=False)
    _check_value(rule)
    _check_validity(rule)
    if rule.dom != ANY and domain_of(rule.obj) not in (ANY, rule.dom):
        raise _unreadable(rule, "obj", f"name an object of domain {rule.dom!r} or a tag: the rule could never apply")
    return rule


def check_link(link: Link) -> Link:
    """The link, if every field of it can be understood. Raises: UnreadableRule."""
    if link.section not in ("g", "g2", "g3"):
        raise _unreadable(link, "section", "use g, g2 or g3")
    _check_texts(link, ("child", "parent"), wildcard=False)
    if link.section == "g":
        _check_texts(link, ("domain",), wildcard=True)
    elif link.domain:
        raise _unreadable(link, "domain", "leave it empty: only memberships (g) belong to a domain")
    if link.child == link.parent:
        raise _unreadable(link, "parent", "link two different names")
    return link


def _check_value(rule: Rule) -> None:
    if rule.section == "p" and rule.value not in _EFFECTS:
        raise _unreadable(rule, "value", "write the effect exactly as allow or deny")
    if rule.section == "p2" and rule.value not in _MASKS:
        raise _unreadable(rule, "value", f"use one of {', '.join(sorted(_MASKS))}")


def _check_validity(rule: Rule) -> None:
    for field, text in (("nbf", rule.nbf), ("exp", rule.exp)):
        if not is_policy_time(text) or not _is_on_the_calendar(text):
            raise _unreadable(rule, field, "write a UTC time like 2026-11-23T18:00:00Z")
    if rule.nbf >= rule.exp:
        raise _unreadable(rule, "exp", "let the rule end after it begins")


def _is_on_the_calendar(text: str) -> bool:
    try:
        datetime.fromisoformat(text.removesuffix("Z"))
    except ValueError:
        return False
    return True


def _check_texts(row: Row, fields: tuple[str, ...], *, wildcard: bool) -> None:
    for field in fields:
        text = getattr(row, field)
        if _PLAIN.match(text) and text != NO_EXEMPTION:
            continue
        if wildcard and text == ANY:
            continue
        problem = _problem(text, names_an_object=field in ("obj", "child", "parent"))
        if problem:
            raise _unreadable(row, field, problem)


def _problem(text: str, *, names_an_object: bool) -> str | None:
    """Why the text is refused. The column part of an object is a contract's own name and may hold any printable character."""
    name, mark, column = text.partition("#") if names_an_object else (text, "", "")
    if not name or text == NO_EXEMPTION or (mark and not column):
        return "name something: empty names match what nobody meant"
    if not text.isprintable():
        return "leave out line ends and control characters"
    if any(c in "\"'`,;*\\" or c.isspace() for c in name):
        return "leave out quotes, commas, wildcards, backslashes and spaces"
    if not _is_balanced(name):
        return "close every parenthesis that is opened"
    return None


def _is_balanced(text: str) -> bool:
    depth = 0
    for char in text:
        depth += (char in "([{") - (char in ")]}")
        if depth < 0:
            return False
    return depth == 0


def _unreadable(row: Row, field: str, advice: str) -> UnreadableRule:
    value = getattr(row, field)
    name = row.rid if isinstance(row, Rule) else f"{row.child} → {row.parent}"
    return UnreadableRule(f"{row.section} row {name!r} cannot be read: {field} is {value!r}; {advice}.")
