"""The sample domains: found where they are installed, set up as the central team would, and published by their own pipelines."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from domain_sdk.errors import NotConfigured

if TYPE_CHECKING:
    from domain_sdk.mesh import Mesh
    from domain_sdk.release import Release

__all__ = ["apply_policies", "central", "pipeline", "publish", "set_up"]


def central() -> dict[str, Any]:
    """What the central team sets up."""
    return _document("central/mesh.yaml")


def set_up(admin: Mesh) -> None:
    """Purposes, principals, domains, guardrails and the central team's grants exist."""
    wanted = central()
    for purpose in wanted["purposes"]:
        admin.admin.create_purpose(purpose["name"], parent=purpose.get("parent", ""), description=purpose["description"])
    for principal in wanted["principals"]:
        admin.admin.create_principal(**principal)
    for domain in wanted["domains"]:
        admin.admin.create_domain(**domain)
    for guardrail in wanted["guardrails"]:
        rule = {name: value for name, value in guardrail.items() if name != "id"}
        admin.admin.create_guardrail(guardrail["id"], **rule)
    for grant in wanted["grants"]:
        admin.grant(grant["subject"], grant["resource"], actions=grant["actions"], reason=grant["reason"])


def apply_policies(owner: Mesh, domain: str) -> int:
    """How many grants of the domain's policies.yaml now hold."""
    grants = _document(f"{domain}/policies.yaml")["grants"]
    for grant in grants:
        owner.grant(grant["subject"], grant["resource"], actions=grant["actions"], reason=grant["reason"])
    return len(grants)


def publish(mesh: Mesh, product: str) -> Release:
    """A release of the product, made by its pipeline."""
    released: Release = pipeline(product).publish(mesh)
    return released


def pipeline(product: str) -> Any:  # noqa: ANN401 # a module that is known only when it is there
    """The pipeline module of the product.

    Raises:
        NotConfigured: the sample domains are not installed.
    """
    _root()
    return importlib.import_module(f"sample_domains.{product}.pipeline")


def _document(path: str) -> dict[str, Any]:
    import yaml

    document: dict[str, Any] = yaml.safe_load((_root() / path).read_text(encoding="utf-8"))
    return document


def _root() -> Path:
    try:
        module = importlib.import_module("sample_domains")
    except ModuleNotFoundError as error:
        raise NotConfigured(
            "The sample domains are not installed, so there is nothing to play with: install domain-mesh from its wheel, or run "
            "`make demo` in its repository."
        ) from error
    return Path(str(module.__file__)).parent
