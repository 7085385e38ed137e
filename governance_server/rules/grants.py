"""What makes a grant or guardrail understandable: every check at write time, so that no rule is ever misread later."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from domainmesh.v1 import grant_pb2, product_pb2
from governance_server.rules.errors import Invalid, InvalidFilter, Problem
from governance_server.rules.policy_facts import OWN_PEOPLE, grant_rows, guardrail_rows, own_data_rows
from governance_server.rules.policy_rows import ACTIONS, ANY, Link, Row, Rule, UnreadableRule, check_link, check_rule
from mesh_core.expressions.errors import InvalidExpression
from mesh_core.masks import Mask, allowed_masks
from mesh_core.names import MESH, InvalidName, check_domain, check_principal, parse_port, parse_product, tag_object

__all__ = [
    "FILTERED",
    "check_grant",
    "check_guardrail",
    "check_resource",
    "column_types",
    "contains",
    "parse_row_filter",
    "settle_resource",
]

FILTERED = ("document", "title", "heading")
"""The columns of a collection that a row filter can use."""
_GOVERNING = frozenset({"grant", "administer"})


def contains(outer: str, inner: str) -> bool:
    """True if the outer resource is the inner one or contains it by name."""
    return outer in (MESH, inner) or inner.startswith((outer + ".", outer + "#"))


def check_resource(resource: str) -> str:
    """The resource, if it is `mesh`, a domain, a product or a port by its name. Raises: InvalidName."""
    if resource == MESH:
        return resource
    depth = resource.count(".")
    if depth == 0:
        return check_domain(resource)
    if depth == 1:
        parse_product(resource)
    else:
        parse_port(resource)
    return resource


def settle_resource(grant: grant_pb2.Grant, product: product_pb2.Product | None) -> None:
    """A grant with columns, masks or a row filter on a product with one port is on that port. Raises: Invalid, InvalidName."""
    check_resource(grant.resource)
    if not (grant.columns or grant.masks or grant.row_filter) or grant.resource.count(".") == 2:
        return
    if product is None or grant.resource != product.name or len(product.ports) != 1:
        raise Invalid(
            "Columns, masks and a row filter belong to one port: name the port, like finance.ledger.entries.",
            resource=grant.resource,
        )
    grant.resource = product.ports[0].name


def column_types(port: product_pb2.Port) -> Mapping[str, str]:
    """Logical type by column name."""
    return {column.name: column.logical_type for column in port.columns}


def parse_row_filter(text: str, port: product_pb2.Port) -> None:
    """Returns if the text is a predicate over the port's columns; of a collection, those its passages are found by.

    Raises: InvalidFilter.
    """
    from mesh_core.expressions.sql import parse_filter

    types = column_types(port)
    if port.kind == product_pb2.PORT_KIND_COLLECTION:
        types = {name: kind for name, kind in types.items() if name in FILTERED}
    try:
        parse_filter(text, types)
    except InvalidExpression as error:
        raise InvalidFilter(f"The row filter cannot be used on {port.name}: {error}", resource=port.name) from error


def check_grant(grant: grant_pb2.Grant, product: product_pb2.Product | None, *, now: datetime) -> None:
    """Returns if every part of the grant is understood. Raises: Invalid, InvalidFilter, InvalidName; all problems at once."""
    problems = [*_time_problems(grant, now), *_shape_problems(grant)]
    port = next((p for p in product.ports if p.name == grant.resource), None) if product else None
    if grant.columns or grant.masks or grant.row_filter:
        if port is None:
            problems.append(Problem("resource", f"{grant.resource} is not a published port, so its columns are unknown"))
        else:
            problems.extend(_column_problems(grant, port))
    if problems:
        raise Invalid("The grant cannot be understood: mend what is listed.", resource=grant.resource, problems=problems)
    if grant.row_filter and port is not None:
        parse_row_filter(grant.row_filter, port)
    _check_rows(tuple(grant_rows(grant)), grant.resource)


def _time_problems(grant: grant_pb2.Grant, now: datetime) -> list[Problem]:
    problems = []
    for field in ("start_time", "expire_time"):
        try:
            time = getattr(grant, field).ToDatetime(tzinfo=UTC)
        except (ValueError, OverflowError):
            problems.append(Problem(field, "is not a time between the years 1 and 9999"))
            continue
        if field == "expire_time" and grant.HasField(field) and time <= now:
            problems.append(Problem(field, "lies in the past: choose a time to come"))
    return problems


def _shape_problems(grant: grant_pb2.Grant) -> list[Problem]:
    problems = []
    if grant.subject != ANY:
        try:
            check_principal(grant.subject)
        except InvalidName as error:
            problems.append(Problem("subject", str(error)))
    if grant.effect not in (grant_pb2.EFFECT_ALLOW, grant_pb2.EFFECT_DENY):
        problems.append(Problem("effect", "say EFFECT_ALLOW or EFFECT_DENY"))
    unknown = sorted(set(grant.actions) - ACTIONS)
    if unknown or not grant.actions:
        problems.append(
            Problem("actions", f"use one or more of {', '.join(sorted(ACTIONS))}; got {', '.join(unknown) or 'none'}")
        )
    if grant.effect == grant_pb2.EFFECT_DENY and _GOVERNING & set(grant.actions):
        problems.append(Problem("actions", "grant and administer cannot be denied: nobody could take such a denial back"))
    if grant.effect == grant_pb2.EFFECT_DENY and (grant.masks or grant.row_filter):
        problems.append(Problem("effect", "a denial has no masks and no row filter"))
    if (grant.masks or grant.row_filter or grant.columns) and "read" not in grant.actions:
        problems.append(Problem("actions", "columns, masks and row filters belong to read"))
    return problems


def _column_problems(grant: grant_pb2.Grant, port: product_pb2.Port) -> list[Problem]:
    types = column_types(port)
    problems = [Problem("columns", f"{port.name} has no column {name!r}") for name in grant.columns if name not in types]
    for mask in grant.masks:
        if mask.column not in types:
            problems.append(Problem("masks", f"{port.name} has no column {mask.column!r}"))
        elif mask.mask not in set(Mask):
            problems.append(Problem("masks", f"{mask.mask!r} is no mask: use one of {', '.join(Mask)}"))
        elif Mask(mask.mask) not in allowed_masks(types[mask.column]):
            usable = ", ".join(sorted(allowed_masks(types[mask.column])))
            problems.append(
                Problem("masks", f"{mask.mask} cannot mask {mask.column} ({types[mask.column]}): use one of {usable}")
            )
    if len({mask.column for mask in grant.masks}) < len(grant.masks):
        problems.append(Problem("masks", "a column is masked twice"))
    return problems


def check_guardrail(guardrail: grant_pb2.Guardrail, product: product_pb2.Product | None) -> None:
    """Returns if every part of the guardrail is understood. Raises: Invalid, InvalidFilter, InvalidName."""
    resource, rule = guardrail.resource, guardrail.WhichOneof("rule")
    if resource.startswith("tag:"):
        tag_object(resource)
    else:
        check_resource(resource)
    if rule is None or (rule == "deny_read" and not guardrail.deny_read):
        raise Invalid("A guardrail needs a mask, a row filter or deny_read.", resource=guardrail.id)
    if rule == "mask" and guardrail.mask not in set(Mask):
        raise Invalid(f"{guardrail.mask!r} is no mask: use one of {', '.join(Mask)}.", resource=guardrail.id)
    if rule == "row_filter":
        _check_guard_filter(guardrail, product)
    for exempt in guardrail.exempt:
        if not exempt.startswith("purpose:") and exempt != OWN_PEOPLE:
            check_principal(exempt)
    _check_rows((*guardrail_rows(guardrail), *own_data_rows(guardrail, ["sales"])), guardrail.id)


def _check_guard_filter(guardrail: grant_pb2.Guardrail, product: product_pb2.Product | None) -> None:
    port = next((p for p in product.ports if p.name == guardrail.resource), None) if product else None
    if port is not None:
        parse_row_filter(guardrail.row_filter, port)
        return
    from mesh_core.expressions.sql import parse_filter

    try:
        parse_filter(guardrail.row_filter, None)
    except InvalidExpression as error:
        raise InvalidFilter(f"The row filter cannot be understood: {error}", resource=guardrail.id) from error


def _check_rows(rows: tuple[Row, ...], resource: str) -> None:
    try:
        for row in rows:
            if isinstance(row, Rule):
                check_rule(row)
            elif isinstance(row, Link):
                check_link(row)
    except UnreadableRule as error:
        raise Invalid(str(error), resource=resource) from None
