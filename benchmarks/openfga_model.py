"""The benchmark's policy in OpenFGA's terms: the same grants, denials, groups, containment and purpose, as a model and tuples.

A grant for any purpose is the relation of its action, one for the purpose `work` has a relation of its own; so have denials.
What a user can do for work is what one of the first two gives and none of the others takes: deny overrides, as in the mesh.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.policy_sample import PolicySample

__all__ = ["ACTIONS", "authorization_model", "relation", "tuples"]

ACTIONS = ("read", "discover", "write")

_CONTAINED = {"domain": None, "product": "domain", "port": "product"}


def relation(action: str) -> str:
    """What to check: may the user do this for the purpose `work`."""
    return f"can_{action}"


def authorization_model() -> dict[str, Any]:
    """Users, groups, and domains that contain products that contain ports."""
    group = _type("group", {"member": {"this": {}}}, {"member": [{"type": "user"}]})
    return {
        "schema_version": "1.1",
        "type_definitions": [{"type": "user"}, group, *(_container(name, parent) for name, parent in _CONTAINED.items())],
    }


def _type(name: str, relations: dict[str, Any], direct: dict[str, Any]) -> dict[str, Any]:
    metadata = {key: {"directly_related_user_types": users} for key, users in direct.items()}
    return {"type": name, "relations": relations, "metadata": {"relations": metadata}}


def _container(name: str, parent: str | None) -> dict[str, Any]:
    relations: dict[str, Any] = {}
    direct: dict[str, Any] = {}
    if parent:
        relations["parent"] = {"this": {}}
        direct["parent"] = [{"type": parent}]
    for action in ACTIONS:
        given = [action, f"{action}_for_work"]
        taken = [f"no_{action}", f"no_{action}_for_work"]
        for key in (*given, *taken):
            relations[key] = _inherited(key) if parent else {"this": {}}
            direct[key] = [{"type": "user"}, {"type": "group", "relation": "member"}]
        relations[relation(action)] = {"difference": {"base": _any_of(given), "subtract": _any_of(taken)}}
    return _type(name, relations, direct)


def _inherited(key: str) -> dict[str, Any]:
    above = {"tupleToUserset": {"tupleset": {"relation": "parent"}, "computedUserset": {"relation": key}}}
    return {"union": {"child": [{"this": {}}, above]}}


def _any_of(keys: list[str]) -> dict[str, Any]:
    return {"union": {"child": [{"computedUserset": {"relation": key}} for key in keys]}}


def tuples(sample: PolicySample) -> Iterator[dict[str, str]]:
    """Every grant, membership and containment of the sample; the same fact only once, as OpenFGA wants it."""
    from domainmesh.v1 import grant_pb2, principal_pb2, product_pb2
    from governance_server.rules import kinds

    made: dict[tuple[str, str, str], None] = {}
    for write in sample.writes():
        if write.kind == kinds.GRANT:
            grant = grant_pb2.Grant.FromString(write.body or b"")
            prefix = "no_" if grant.effect == grant_pb2.EFFECT_DENY else ""
            suffix = "_for_work" if grant.purpose else ""
            for action in grant.actions:
                made[_subject(grant.subject), f"{prefix}{action}{suffix}", _object(grant.resource)] = None
        elif write.kind == kinds.PRINCIPAL:
            for group in principal_pb2.Principal.FromString(write.body or b"").groups:
                made[write.name, "member", group] = None
        elif write.kind == kinds.PRODUCT:
            made[_object(write.name.partition(".")[0]), "parent", _object(write.name)] = None
            for port in product_pb2.Product.FromString(write.body or b"").ports:
                made[_object(write.name), "parent", _object(port.name)] = None
    yield from ({"user": user, "relation": key, "object": obj} for user, key, obj in made)


def _subject(name: str) -> str:
    return f"{name}#member" if name.startswith("group:") else name


def _object(name: str) -> str:
    return f"{('domain', 'product', 'port')[name.count('.')]}:{name}"
