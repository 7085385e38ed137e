"""From resources to the files of a tree: the same resources, the same bytes, whatever order they come in. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from domain_sdk.folder import resource_documents as rd
from domain_sdk.folder.layout import CENTRE_FOLDER, CONTRACT
from domain_sdk.folder.tree import CENTRE
from domain_sdk.folder.yaml_writing import write_yaml
from domainmesh.v1 import change_set_pb2 as pb
from domainmesh.v1 import domain_pb2
from mesh_core.names import MESH

__all__ = ["files_of"]

_COMMENTS: Mapping[str, str] = MappingProxyType(
    {
        "domains.yaml": "Which domains there are and whose they are.",
        "principals.yaml": "Who calls: people, services, groups.",
        "purposes.yaml": "What data may be read for; what is granted for a parent is granted for its children.",
        "tags.yaml": "Tags that the centre governs, and where it consented to lose one.",
        "guardrails.yaml": "Rules that bind every domain.",
        "domain.yaml": "What the domain says about itself; whose it is, the centre says.",
        "policies.yaml": "Grants, roles and approval rules; applied with `mesh apply`.",
    }
)


@dataclass(slots=True)
class _Kinds:
    """The resources by kind."""

    domains: list[Any] = field(default_factory=list)
    principals: list[Any] = field(default_factory=list)
    purposes: list[Any] = field(default_factory=list)
    governed_tags: list[Any] = field(default_factory=list)
    tag_releases: list[Any] = field(default_factory=list)
    guardrails: list[Any] = field(default_factory=list)
    grants: list[Any] = field(default_factory=list)
    approval_rules: list[Any] = field(default_factory=list)

    @property
    def has_centre(self) -> bool:
        """True if something is here that only the centre states."""
        return bool(self.principals or self.purposes or self.governed_tags or self.tag_releases or self.guardrails)


def files_of(resources: Iterable[pb.DesiredResource], contracts: Mapping[str, str]) -> dict[str, bytes]:
    """Relative path → content of a tree that states exactly these resources.

    Args:
        resources: What the server exports. The centre's folder is written if anything in it is the centre's.
        contracts: Product → text of the contract that is registered or served, written unchanged.
    """
    kinds = _Kinds()
    for it in resources:
        kind = it.WhichOneof("resource")
        if kind is not None and not it.is_absent:
            getattr(kinds, f"{kind}s").append(getattr(it, kind))
    files = _centre(kinds) if kinds.has_centre else {}
    for domain in kinds.domains:
        files.update(_domain(domain, kinds))
    for product, text in contracts.items():
        domain_name, _, name = product.partition(".")
        files[f"{domain_name}/{name}/{CONTRACT}"] = text.encode("utf-8")
    return dict(sorted(files.items()))


def _centre(kinds: _Kinds) -> dict[str, bytes]:
    tags: dict[str, Any] = {"tags": _listed(kinds.governed_tags, rd.tag_document, ("tag",))}
    if kinds.tag_releases:
        tags["releases"] = _listed(kinds.tag_releases, rd.release_document, ("object", "tag"))
    documents: dict[str, dict[str, Any]] = {
        "domains.yaml": {"domains": _listed(kinds.domains, rd.membership_document, ("name",))},
        "principals.yaml": {"principals": _listed(kinds.principals, rd.principal_document, ("name",))},
        "purposes.yaml": {"purposes": _listed(kinds.purposes, rd.purpose_document, ("name",))},
        "tags.yaml": tags,
        "guardrails.yaml": {"guardrails": _listed(kinds.guardrails, rd.guardrail_document, ("id",))},
        "policies.yaml": _policies(MESH, kinds),
    }
    return {f"{CENTRE_FOLDER}/{name}": _written(name, document) for name, document in documents.items()}


def _domain(domain: domain_pb2.Domain, kinds: _Kinds) -> dict[str, bytes]:
    policies = _policies(domain.name, kinds)
    if domain.roles:
        policies = {"roles": _listed(domain.roles, rd.role_document, ("name",)), **policies}
    documents = {"domain.yaml": rd.domain_document(domain), "policies.yaml": policies}
    return {f"{domain.name}/{name}": _written(name, document) for name, document in documents.items()}


def _policies(owner: str, kinds: _Kinds) -> dict[str, Any]:
    def of_owner(found: Sequence[Any]) -> list[Any]:
        return [it for it in found if it.resource.partition(".")[0] == owner]

    grants, rules = of_owner(kinds.grants), of_owner(kinds.approval_rules)
    prefix = f"{CENTRE if owner == MESH else owner}:"
    document: dict[str, Any] = {
        "grants": _listed(grants, lambda it: rd.grant_document(it, id=it.id.removeprefix(prefix)), ("id",))
    }
    if rules:
        write = lambda it: rd.approval_rule_document(it, id=it.id.removeprefix(prefix))  # noqa: E731 # one expression
        document["approval_rules"] = _listed(rules, write, ("id",))
    return document


def _listed(found: Iterable[Any], write: Callable[[Any], rd.Document], keys: tuple[str, ...]) -> list[rd.Document]:
    documents = [write(it) for it in found]
    return sorted(documents, key=lambda it: tuple(str(it[key]) for key in keys))


def _written(name: str, document: dict[str, Any]) -> bytes:
    return write_yaml(document, comment=[_COMMENTS[name]])
