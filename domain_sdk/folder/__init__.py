"""The mesh in git: a folder of files as what the mesh should be, and the mesh as a folder of files.

Owns the format: which files there are (`layout`), what they may say (`schemas/`), how they become resources (`reading`) and
resources become them (`writing`). `tree_of` and `files_of` are pure; only `disk` touches files. What a change of the mesh is, is
the server's to say. Loaded on first use.
"""

from __future__ import annotations

from pathlib import Path

from domain_sdk.folder.disk import load_files, store_files
from domain_sdk.folder.reading import tree_of
from domain_sdk.folder.tree import CENTRE, Case, ContractFile, Entry, FolderProblem, Place, Source, Tree, refusal, source_of
from domain_sdk.folder.writing import files_of

__all__ = [
    "CENTRE",
    "Case",
    "ContractFile",
    "Entry",
    "FolderProblem",
    "Place",
    "Source",
    "Tree",
    "files_of",
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
