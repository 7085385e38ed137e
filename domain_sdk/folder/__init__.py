"""The mesh in git: a folder of files as what the mesh should be, and the mesh as a folder of files.

Owns the format: which files there are (`layout`), what they may say (`schemas/`), how they become resources (`reading`) and
resources become them (`writing`). `tree_of` and `files_of` are pure; only `disk` touches files. What a change of the mesh is, is
the server's to say. Loaded on first use.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from domain_sdk import _catalog_calls, _change_calls
from domain_sdk.errors import AccessDenied, NotFound
from domain_sdk.folder.contract_checks import ContractCheck
from domain_sdk.folder.disk import load_files, store_files
from domain_sdk.folder.planning import FolderPlan, SourcePlan, apply_source, plan_source, plan_tree
from domain_sdk.folder.reading import tree_of
from domain_sdk.folder.tree import CENTRE, Case, ContractFile, Entry, FolderProblem, Place, Source, Tree, refusal, source_of
from domain_sdk.folder.writing import files_of

if TYPE_CHECKING:
    from domain_sdk._transport import Transport

__all__ = [
    "CENTRE",
    "Case",
    "ContractCheck",
    "ContractFile",
    "Entry",
    "FolderPlan",
    "FolderProblem",
    "Place",
    "Source",
    "SourcePlan",
    "Tree",
    "apply_source",
    "export_folder",
    "files_of",
    "plan_source",
    "plan_tree",
    "read_folder",
    "source_of",
    "store_files",
    "tree_of",
]


def read_folder(root: Path) -> Tree:
    """The tree in the folder.

    Raises:
        InvalidRequest: something in it is wrong; every problem of every file is listed, with its line.
    """
    files, unread = load_files(root)
    tree, problems = tree_of(files)
    if unread or problems:
        raise refusal([*unread, *problems], str(root))
    return tree


def export_folder(transport: Transport, root: Path, *, force: bool = False) -> list[str]:
    """The files of the mesh, as far as the caller administers it, written to the folder; their paths.

    Raises:
        InvalidRequest: the folder holds something and `force` is not set.
    """
    resources = _change_calls.exported(transport)
    contracts: dict[str, str] = {}
    for domain in [it.domain.name for it in resources if it.WhichOneof("resource") == "domain"]:
        for product in _catalog_calls.list_products(transport, domain):
            try:
                contracts[product.name] = _catalog_calls.get_contract(transport, product.name, prefer_registered=True)
            except (NotFound, AccessDenied):
                continue  # begun and never released: there is no contract to keep
    return store_files(root, files_of(resources, contracts), force=force)
