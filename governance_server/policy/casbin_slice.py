"""The part of a policy that one request can depend on, found by plain scans, so that stock casbin can be asked in a live server.

Stock takes time linear in the rules and square in the links of a domain. Left out are only rules of other actions and other
domains, and links that lead nowhere from the request. Shares no code with the index: it is what the index is checked by.
"""

from __future__ import annotations

from collections.abc import Iterable

from governance_server.policy.engine import Request
from governance_server.policy.graphs import close_over, implied_links
from governance_server.rules.policy_rows import ANY, Link, Row, Rule

__all__ = ["relevant_rows"]


def relevant_rows(rows: Iterable[Row], request: Request) -> tuple[list[Rule], list[Link]]:
    """The rules with the request's action in its domain or everywhere, and the links that start at something it leads to."""
    domains = (request.dom, ANY)
    rules: list[Rule] = []
    links: list[Link] = []
    for row in rows:
        if isinstance(row, Rule):
            if row.act == request.act and row.dom in domains:
                rules.append(row)
        elif row.section != "g" or row.domain in domains:
            links.append(row)
    named = implied_links({request.obj, *(name for link in links if link.section == "g2" for name in (link.child, link.parent))})
    reached = {
        "g": close_over(request.sub, [link for link in links if link.section == "g"]),
        "g2": close_over(request.obj, [*named, *(link for link in links if link.section == "g2")]),
        "g3": close_over(request.purpose, [link for link in links if link.section == "g3"]),
    }
    return rules, [link for link in links if link.child in reached[link.section]]
