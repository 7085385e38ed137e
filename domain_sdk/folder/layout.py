"""Which files a folder of the mesh has, and which of them belong to whom.

A domain's folder has a `domain.yaml`; the centre's has one of its own files. Either is the folder itself or lies directly in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from domain_sdk.folder.tree import FolderProblem, Place
from mesh_core.near_names import IN_TEXT, near_names

__all__ = ["CENTRE_FILES", "CENTRE_FOLDER", "CONTRACT", "DOMAIN_FILES", "Folder", "folders_of", "is_known", "strange_files"]

CENTRE_FOLDER = "mesh"
"""What an export calls the centre's folder; no domain can have this name."""
CONTRACT = "contract.odcs.yaml"
_SHARED: Mapping[str, str] = MappingProxyType({"policies.yaml": "policies", "policies.test.yaml": "policies.test"})
DOMAIN_FILES: Mapping[str, str] = MappingProxyType({"domain.yaml": "domain", **_SHARED})
"""File → schema."""
_CENTRE_ONLY: Mapping[str, str] = MappingProxyType(
    {f"{name}.yaml": name for name in ("domains", "principals", "purposes", "tags", "guardrails")}
)
CENTRE_FILES: Mapping[str, str] = MappingProxyType({**_CENTRE_ONLY, **_SHARED})
"""File → schema."""
_KNOWN = frozenset({*DOMAIN_FILES, *CENTRE_FILES})


@dataclass(frozen=True, slots=True)
class Folder:
    """One source's folder."""

    path: str
    """Relative to the tree; empty if it is the tree."""
    is_centre: bool
    files: Mapping[str, bytes]
    """Name within the folder → content: the source's own files and `<product>/contract.odcs.yaml`."""

    def within(self, name: str) -> str:
        """The path of a file of the folder, relative to the tree."""
        return f"{self.path}/{name}" if self.path else name


def is_known(path: str) -> bool:
    """True if a file at this relative path may belong to a tree."""
    parts = path.split("/")
    return (parts[-1] in _KNOWN and len(parts) <= 2) or (parts[-1] == CONTRACT and 2 <= len(parts) <= 3)


def folders_of(files: Mapping[str, bytes]) -> tuple[list[Folder], list[FolderProblem]]:
    """The sources' folders by path, and what keeps other folders from being one."""
    if any(name in _KNOWN for name in files):
        folder, problems = _folder("", files)
        return [folder] if folder else [], problems
    groups: dict[str, dict[str, bytes]] = {}
    for path, data in files.items():
        head, _, rest = path.partition("/")
        groups.setdefault(head, {})[rest] = data
    found: list[Folder] = []
    problems = []
    for path in sorted(groups):
        if not any(name in _KNOWN for name in groups[path]):
            continue  # a folder with contracts alone is somebody's, but no domain's
        folder, wrong = _folder(path, groups[path])
        found += [folder] if folder else []
        problems.extend(wrong)
    if not found and not problems:
        problems.append(
            FolderProblem(
                Place("."), "there is no domain's folder (with a domain.yaml) and no centre's (with domains.yaml, …) in it."
            )
        )
    return found, problems


def _folder(path: str, files: Mapping[str, bytes]) -> tuple[Folder | None, list[FolderProblem]]:
    centre = sorted(name for name in files if name in _CENTRE_ONLY)
    problems = []
    if "domain.yaml" in files:
        problems += [
            FolderProblem(Place(_join(path, it)), "a domain's folder has no such file: it is the centre's.") for it in centre
        ]
    elif not centre:
        alone = sorted(name for name in files if name in _KNOWN)
        message = (
            "it belongs to nobody: a domain's folder has a domain.yaml, the centre's domains.yaml, principals.yaml or the like."
        )
        return None, [FolderProblem(Place(_join(path, it)), message) for it in alone]
    return Folder(path, "domain.yaml" not in files, files), problems


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def strange_files(paths: Iterator[str] | list[str]) -> Iterator[FolderProblem]:
    """YAML files whose name is so near to one of the format's that it is rather misspelt than somebody else's."""
    for path in sorted(paths):
        name, depth = path.rpartition("/")[2], path.count("/")
        wanted = [*sorted(_KNOWN), CONTRACT] if 0 < depth < 2 else [CONTRACT] if depth else sorted(_KNOWN)
        close = near_names(name, wanted, alike=IN_TEXT)
        if close:
            yield FolderProblem(Place(path), f"it is not read: did you mean {close[0]}?")
