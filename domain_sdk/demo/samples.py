"""The sample domains: found where they are installed, set up as the central team would, and published by their own pipelines."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from domain_sdk.errors import NotConfigured

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain_sdk.folder import Tree
    from domain_sdk.folder.testing import CaseResult
    from domain_sdk.mesh import Mesh
    from domain_sdk.release import Release

__all__ = ["apply_policies", "pipeline", "publish", "set_up", "stated", "test", "tree"]


def tree() -> Tree:
    """What the folder of the sample domains states."""
    from domain_sdk.folder import read_folder

    return read_folder(_root())


def set_up(admin: Mesh) -> None:
    """What the central team states holds: purposes, principals, domains, guardrails, grants on the mesh."""
    admin.changes.apply_folder(_root() / "mesh")


def apply_policies(owner: Mesh, domain: str) -> None:
    """What the domain's folder states holds."""
    owner.changes.apply_folder(_root() / domain)


def test(owner: Mesh, domain: str) -> Sequence[CaseResult]:
    """How the policy tests of the domain's folder come out."""
    return owner.changes.test_folder(_root() / domain)


def stated(source: str, kind: str) -> list[Any]:
    """The resources of one kind that a source of the sample domains states, in the order of the files."""
    found = [entry.resource for it in tree().sources if it.name == source for entry in it.entries]
    return [it for it in found if type(it).__name__ == kind]


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


def _root() -> Path:
    try:
        module = importlib.import_module("sample_domains")
    except ModuleNotFoundError as error:
        raise NotConfigured(
            "The sample domains are not installed, so there is nothing to play with: install domain-mesh from its wheel, or run "
            "`make demo` in its repository."
        ) from error
    return Path(str(module.__file__)).parent
