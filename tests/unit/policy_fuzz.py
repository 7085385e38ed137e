"""Differential fuzzing of the index against stock casbin: seeded policies, questions and changes.

Owns drawing and comparing. Casbin parses the matcher anew for every question; here the parse of one text is remembered, which
changes no answer and lets a hundred thousand questions fit into a test run.
"""

import ast
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import SimpleNamespace
from unittest import mock

from governance_server.policy.casbin_engine import CasbinEngine, _casbin_row
from governance_server.policy.engine import PolicyEngine, Request
from governance_server.rules.policy_rows import Link, PolicyDelta, Row, Rule, UnreadableRule, check_rule
from tests.unit.policy_samples import ACTS, DOMAINS, MOMENTS, OBJECTS, PURPOSES, SUBJECTS, TIMES, ask

__all__ = ["Tally", "compare", "differences"]

_QUESTIONS = 40
_EXPLAINED = 8
_CHANGES = 2


def differences(specification: CasbinEngine, engine: PolicyEngine, request: Request) -> list[str]:
    """The names of the questions that the engine answers differently, explanations included."""
    found = []
    expected, got = specification.decide(request), engine.decide(request)
    if expected != got:
        found.append("decide")
    if not _explains(specification, request, got.rules):
        found.append("enforce_ex")
    found += [s for s in ("p2", "p3") if specification.matching(s, request) != engine.matching(s, request)]
    if got.rules and not set(got.rules) <= set(engine.matching("p", request)):
        found.append("p")
    return found


def _explains(specification: CasbinEngine, request: Request, rules: tuple[Rule, ...]) -> bool:
    """True if the row that stock `enforce_ex` names as decisive is one of the rules the index gives."""
    stock = specification._loaded._enforcer
    if not stock.model["p"]["p"].policy:
        return not rules
    _, explanation = stock.enforce_ex(*request)
    return not explanation or list(explanation) in [_casbin_row(rule) for rule in rules]


def random_rule(dice: random.Random) -> Rule:
    section = dice.choice(["p", "p", "p", "p2", "p3"])
    value = {"p": dice.choice(["allow", "allow", "deny"]), "p2": "show-last-4", "p3": "f1"}[section]
    begin, end = sorted(dice.sample(range(4), 2))
    return Rule(
        section, dice.choice(SUBJECTS), dice.choice(DOMAINS), dice.choice(OBJECTS), dice.choice(ACTS),
        dice.choice([*PURPOSES, "*", "*"]), dice.choice(["-", "-", "-", "role:r1", *PURPOSES]), TIMES[begin], TIMES[end],
        value, "grant", f"g{dice.randrange(9)}",
    )  # fmt: skip


def random_link(dice: random.Random) -> Link | None:
    link = {
        "g": lambda: Link("g", dice.choice(SUBJECTS[:4]), dice.choice(SUBJECTS[2:4]), dice.choice(DOMAINS)),
        "g2": lambda: Link("g2", dice.choice(OBJECTS), dice.choice(OBJECTS)),
        "g3": lambda: Link("g3", dice.choice(PURPOSES), dice.choice(PURPOSES)),
    }[dice.choice(["g", "g", "g2", "g3"])]()
    return link if link.child != link.parent else None


def random_rows(dice: random.Random, *, rules: int, links: int) -> list[Row]:
    """Readable rows, about as many as asked for."""
    rows: list[Row] = []
    for _ in range(rules):
        candidate = random_rule(dice)
        try:
            rows.append(check_rule(candidate))
        except UnreadableRule:
            continue
    return rows + [link for _ in range(links) if (link := random_link(dice))]


def random_request(dice: random.Random) -> Request:
    subject, obj = dice.choice(SUBJECTS[:4]), dice.choice(OBJECTS)
    return ask(subject, obj, dice.choice(ACTS), dice.choice(PURPOSES), dice.choice(MOMENTS))


@dataclass
class Tally:
    """What was asked and found."""

    asked: int = 0
    allowed: int = 0
    different: int = 0


def compare(seed: int, engine: PolicyEngine, *, wanted: int, until_different: bool = False) -> Tally:
    """Policies are loaded, asked about, changed and asked the same again; stock is loaded anew each time."""
    dice, tally = random.Random(seed), Tally()
    remembering = SimpleNamespace(parse=lru_cache(64)(ast.parse))
    with mock.patch("casbin.util.expression.ast", remembering):
        while tally.asked < wanted and not (until_different and tally.different):
            rows = random_rows(dice, rules=dice.randrange(1, 18), links=dice.randrange(8))
            questions = [random_request(dice) for _ in range(_QUESTIONS)]
            _load(engine, rows)
            _ask(questions, engine, rows, tally)
            for _ in range(_CHANGES):
                change = _random_change(dice, rows)
                engine.apply(change, revision=1)
                rows = [*(Counter(rows) - Counter(change.remove)).elements(), *change.add]
                _ask(dice.sample(questions, len(questions)), engine, rows, tally)
    return tally


def _random_change(dice: random.Random, rows: list[Row]) -> PolicyDelta:
    gone = dice.sample(rows, min(len(rows), dice.randrange(4)))
    return PolicyDelta(add=tuple(random_rows(dice, rules=dice.randrange(3), links=dice.randrange(4))), remove=tuple(gone))


def _ask(questions: Sequence[Request], engine: PolicyEngine, rows: list[Row], tally: Tally) -> None:
    """Every fifth question is compared with all its explanations, the others by what stock `enforce` says."""
    specification = CasbinEngine()
    _load(specification, rows)
    stock = specification._loaded
    for number, request in enumerate(questions):
        if number % (_QUESTIONS // _EXPLAINED) == 0:
            tally.different += bool(differences(specification, engine, request))
        expected = stock.allows(request)
        tally.asked += 1
        tally.allowed += expected
        tally.different += expected != engine.decide(request).allowed


def _load(engine: PolicyEngine, rows: list[Row]) -> None:
    rules = [row for row in rows if isinstance(row, Rule)]
    engine.load(rules, [row for row in rows if isinstance(row, Link)], revision=1)
