"""Small policies for tests: builders with defaults, and strategies whose few names make collisions frequent."""

from hypothesis import strategies as st

from governance_server.policy.engine import Request
from governance_server.rules.policy_rows import (
    FOREVER,
    FROM_THE_START,
    Link,
    Rule,
    UnreadableRule,
    check_rule,
    domain_of,
)

NOW = "2026-09-15T00:00:00Z"
TIMES = [FROM_THE_START, "2026-01-01T00:00:00Z", "2026-06-01T00:00:00Z", FOREVER]
MOMENTS = ["2025-12-31T23:59:59Z", "2026-01-01T00:00:00Z", "2026-03-01T00:00:00Z", "2026-06-01T00:00:00Z"]
SUBJECTS = ["user:a", "user:b", "role:r1", "role:r2", "*"]
DOMAINS = ["d1", "d2", "*"]
OBJECTS = ["d1.p.t#c", "d1.p.t#it's, odd)", "d1.p.t", "d1.p", "d1", "d2.q.u#k", "d2.q", "mesh", "tag:x.y", "tag:x"]
PURPOSES = ["x", "y", "z"]
ACTS = ["read", "discover"]


def rule(sub="*", obj="mesh", **changes):
    """An allow to read, for any purpose and all time, in the object's own domain; `changes` replace fields."""
    defaults = {
        "section": "p", "sub": sub, "dom": domain_of(obj), "obj": obj, "act": "read", "purpose": "*", "unless": "-",
        "nbf": FROM_THE_START, "exp": FOREVER, "value": "allow", "kind": "grant", "rid": "rule-1",
    }  # fmt: skip
    return Rule(**{**defaults, **changes})


def deny(sub="*", obj="mesh", **changes):
    """A central ban on reading."""
    return rule(sub, obj, **{"value": "deny", "kind": "guard", "dom": "*", "rid": "guard-1", **changes})


def ask(sub, obj, act="read", purpose="x", now=NOW):
    """The request as the server makes it: the domain comes from the object's name."""
    return Request(sub, domain_of(obj), obj, act, purpose, now)


def _readable(candidate):
    try:
        check_rule(candidate)
    except UnreadableRule:
        return False
    return True


_VALUES = {"p": ["allow", "allow", "deny"], "p2": ["show-last-4", "sha-256-global"], "p3": ["f1", "f2"]}


@st.composite
def _rules(draw):
    section = draw(st.sampled_from(["p", "p", "p", "p2", "p3"]))
    begin, end = draw(st.sampled_from([(0, 3), (0, 3), (0, 1), (1, 2), (1, 3), (2, 3)]))
    return Rule(
        section=section,
        sub=draw(st.sampled_from(SUBJECTS)),
        dom=draw(st.sampled_from(DOMAINS)),
        obj=draw(st.sampled_from(OBJECTS)),
        act=draw(st.sampled_from(ACTS)),
        purpose=draw(st.sampled_from([*PURPOSES, "*"])),
        unless=draw(st.sampled_from(["-", "-", "-", *PURPOSES, "role:r1"])),
        nbf=TIMES[begin],
        exp=TIMES[end],
        value=draw(st.sampled_from(_VALUES[section])),
        kind=draw(st.sampled_from(["grant", "guard"])),
        rid=draw(st.sampled_from(["g1", "g2", "g3", "g4"])),
    )


def rules():
    """Readable rules."""
    return _rules().filter(_readable)


def links():
    """Memberships, tags, cross-links and purposes, cycles included."""
    subjects, roles = st.sampled_from(SUBJECTS[:4]), st.sampled_from(SUBJECTS[2:4])
    members = st.builds(Link, st.just("g"), subjects, roles, st.sampled_from(DOMAINS))
    tags = st.builds(Link, st.just("g2"), st.sampled_from(OBJECTS), st.sampled_from(OBJECTS))
    purposes = st.builds(Link, st.just("g3"), st.sampled_from(PURPOSES), st.sampled_from(PURPOSES))
    return st.one_of(members, tags, purposes).filter(lambda link: link.child != link.parent)


def requests():
    """Requests of which a fair part is allowed."""
    return st.builds(
        ask,
        st.sampled_from(SUBJECTS[:4]),
        st.sampled_from(OBJECTS),
        st.sampled_from(ACTS),
        st.sampled_from(PURPOSES),
        st.sampled_from(MOMENTS),
    )
