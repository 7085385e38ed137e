"""The executable specification: stock `casbin.Enforcer` over model.conf, guarded where casbin alone would allow.

Linear in the rules and meant for tests and shadow checks. Guards: no rules or an empty field is a denial, chains of links are
walked to their end, every reload builds a new enforcer and swaps it under one lock, and names asked about are forgotten again.
"""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import casbin
from casbin.util import generate_g_function

from governance_server.policy.engine import (
    Collected,
    Decision,
    Matches,
    Request,
    UnknownRow,
    Visibility,
    in_order,
    is_complete,
)
from governance_server.policy.graphs import chain_depth, close_over, implied_links
from governance_server.rules.policy_rows import (
    ANY,
    Link,
    PolicyDelta,
    Row,
    Rule,
    RuleSection,
    UnreadableRule,
    check_link,
    check_rule,
    domain_of,
)

__all__ = ["CasbinEngine"]

_MODEL = Path(__file__).with_name("model.conf")
_DEEPEST_CHAIN = 300
_LEVELS_OF_A_NAME = 16
_REQUESTS_BEFORE_FORGETTING = 10_000


class _Specification:
    """One loaded policy in one stock enforcer; not safe for threads."""

    def __init__(self, rows: Counter[Row], revision: int) -> None:
        self.rows = rows
        self.revision = revision
        self.rules = [row for row, count in rows.items() if count and isinstance(row, Rule)]
        self.links = [row for row, count in rows.items() if count and isinstance(row, Link)]
        self._enforcer: casbin.Enforcer = casbin.Enforcer(casbin.Enforcer.new_model(path=str(_MODEL)))
        self._rows = {
            section: [(rule, _parameters(rule, self._enforcer)) for rule in self.rules if rule.section == section]
            for section in ("p", "p2", "p3")
        }
        self._fill()
        self._forget()
        self._expressions = {section: self._expression(section) for section in ("p", "p2", "p3")}

    def _fill(self) -> None:
        sections = self._enforcer.model["p"]
        for rule in self.rules:
            sections[rule.section].policy.append(_casbin_row(rule))
        linked = {name for link in self.links if link.section == "g2" for name in (link.child, link.parent)}
        implied = implied_links(linked | {rule.obj for rule in self.rules})
        for link in {*self.links, *implied}:
            names = [link.child, link.parent, *([link.domain] if link.section == "g" else [])]
            self._enforcer.model["g"][link.section].policy.append(names)
        for section, manager in self._enforcer.rm_map.items():
            depth = chain_depth(row for row in {*self.links, *implied} if row.section == section)
            if depth > _DEEPEST_CHAIN:
                raise UnreadableRule(f"a chain of {section} links is {depth} long: shorten it to {_DEEPEST_CHAIN}.")
            manager.max_hierarchy_level = depth + _LEVELS_OF_A_NAME

    def _forget(self) -> None:
        """Casbin keeps a role for every name it is asked about: links are rebuilt from the policy now and then."""
        self._enforcer.build_role_links()
        self._asked = 0

    def _make_known(self, obj: str) -> None:
        """The object's containment by name is part of g2, although no row says so."""
        self._asked += 1
        if self._asked > _REQUESTS_BEFORE_FORGETTING:
            self._forget()
        for link in implied_links({obj}):
            self._enforcer.rm_map["g2"].add_link(link.child, link.parent)

    def allows(self, request: Request) -> bool:
        if not is_complete(request) or not self._enforcer.model["p"]["p"].policy:
            return False
        self._make_known(request.obj)
        return bool(self._enforcer.enforce(*_values(request)))

    def matching(self, section: RuleSection, request: Request) -> tuple[Rule, ...]:
        """Evaluates the same matcher text, by casbin's own evaluator, row by row over the section."""
        if not is_complete(request):
            return ()
        self._make_known(request.obj)
        expression = self._expressions[section]
        asked = dict(zip(self._enforcer.model["r"]["r"].tokens, _values(request), strict=True))
        return in_order(rule for rule, row in self._rows[section] if expression.eval({**asked, **row}) is True)

    def _expression(self, section: RuleSection) -> Any:  # noqa: ANN401  # casbin is untyped
        """The matcher of the model, said of another rule section, in casbin's own evaluator."""
        model = self._enforcer.model
        functions = self._enforcer.fm.get_functions()
        functions.update({key: generate_g_function(ast.rm) for key, ast in model["g"].items()})
        return self._enforcer._get_expression(re.sub(r"\bp_", f"{section}_", model["m"]["m"].value), functions)


class CasbinEngine:
    """`PolicyEngine` by stock casbin: slow, plainly right."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # while loading too: casbin parses, which CPython 3.11 cannot do in two threads
        self._loaded = _Specification(Counter(), 0)

    @property
    def revision(self) -> int:
        """The revision of the policy being served."""
        return self._loaded.revision

    def load(self, rules: Iterable[Rule], links: Iterable[Link], *, revision: int) -> None:
        """The given rows are the policy, or nothing has changed. Raises: UnreadableRule."""
        rows: Counter[Row] = Counter(check_rule(rule) for rule in rules)
        rows.update(check_link(link) for link in links)
        with self._lock:
            self._loaded = _Specification(rows, revision)

    def apply(self, delta: PolicyDelta, *, revision: int) -> None:
        """The delta is part of the policy, or nothing has changed. Raises: UnreadableRule, UnknownRow."""
        rows = Counter(self._loaded.rows)
        for row in delta.add:
            rows[check_rule(row) if isinstance(row, Rule) else check_link(row)] += 1
        for row in delta.remove:
            if not rows[row]:
                raise UnknownRow(row)
            rows[row] -= 1
        with self._lock:
            self._loaded = _Specification(rows, revision)

    def decide(self, request: Request) -> Decision:
        """What `Enforcer.enforce` says, with the rules that decided."""
        with self._lock:
            allowed = self._loaded.allows(request)
            matched = self._loaded.matching("p", request)
            revision = self._loaded.revision
        denies = tuple(rule for rule in matched if rule.value == "deny")
        return Decision(allowed, denies or matched, revision)

    def matching(self, section: RuleSection, request: Request) -> tuple[Rule, ...]:
        """Every rule of the section whose matcher holds, in order."""
        with self._lock:
            return self._loaded.matching(section, request)

    def collect(self, request: Request, objects: Sequence[str]) -> Collected:
        """What each object matches, asked one by one."""
        with self._lock:
            loaded = self._loaded
            matches = []
            for obj in objects:
                asked = Request(request.sub, request.dom, obj, request.act, request.purpose, request.now)
                match = partial(loaded.matching, request=asked)
                matches.append(Matches(obj, match("p"), match("p2"), match("p3")))
            return Collected(loaded.revision, tuple(matches))

    def visible_objects(self, sub: str, act: str, purpose: str, now: str) -> Visibility:
        """The objects of the rules that hold for the principal, found by asking about each rule's own object."""
        found: dict[str, set[tuple[str, str]]] = {"allow": set(), "deny": set()}
        with self._lock:
            loaded = self._loaded
            effects = [rule for rule in loaded.rules if rule.section == "p"]
            domains = {d for rule in effects for d in (rule.dom, domain_of(rule.obj))}
            domains.update(link.domain for link in loaded.links if link.section == "g")
            for rule in {rule.obj: rule for rule in effects}.values():
                for domain in domains:
                    for hit in loaded.matching("p", Request(sub, domain, rule.obj, act, purpose, now)):
                        if hit.obj == rule.obj:
                            found[hit.value].add((domain, hit.obj))
        return Visibility(frozenset(found["allow"]), frozenset(found["deny"]), loaded.revision, partial(_ancestors, loaded))

    def rules_on(self, obj: str, act: str) -> tuple[Rule, ...]:
        """Every rule that reaches the object for the action, whoever its subject."""
        around = self.ancestors(obj)
        return in_order(
            rule for rule in self._loaded.rules if rule.act == act and rule.dom in (ANY, domain_of(obj)) and rule.obj in around
        )

    def rules_on_any(self, objects: Sequence[str], act: str) -> tuple[Rule, ...]:
        """Every rule that reaches one of the objects, asked one by one."""
        return in_order({rule for obj in objects for rule in self.rules_on(obj, act)})

    def ancestors(self, obj: str) -> frozenset[str]:
        """Everything that contains the object, itself included."""
        return _ancestors(self._loaded, obj)

    def roles_of(self, principal: str, domain: str) -> frozenset[str]:
        """The groups and roles of the principal in the domain, itself included."""
        return close_over(principal, [link for link in self._loaded.links if link.section == "g" and link.domain == domain])

    def purposes_above(self, purpose: str) -> frozenset[str]:
        """The purposes and exemptions that include the purpose, itself included."""
        return close_over(purpose, [link for link in self._loaded.links if link.section == "g3"])

    def fork(self) -> CasbinEngine:
        """An engine that starts from the same loaded policy."""
        fork = CasbinEngine()
        fork._loaded = _Specification(self._loaded.rows, self.revision)
        return fork


def _ancestors(loaded: _Specification, obj: str) -> frozenset[str]:
    links = [link for link in loaded.links if link.section == "g2"]
    known = [*links, *implied_links({obj} | {n for k in links for n in (k.child, k.parent)})]
    return close_over(obj, known)


def _parameters(rule: Rule, enforcer: casbin.Enforcer) -> dict[str, str]:
    return dict(zip(enforcer.model["p"][rule.section].tokens, _casbin_row(rule), strict=True))


def _values(request: Request) -> tuple[str, ...]:
    return (request.sub, request.dom, request.obj, request.act, request.purpose, request.now)


def _casbin_row(rule: Rule) -> list[str]:
    row = [rule.sub, rule.dom, rule.obj, rule.act, rule.purpose, rule.unless, rule.nbf, rule.exp, rule.value]
    return [*row, rule.kind, rule.rid] if rule.section == "p3" else [*row, rule.rid]
