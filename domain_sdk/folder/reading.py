"""From files to the tree they state, or to every problem of every file at once. Pure: names and bytes in, values out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from domain_sdk.folder import resource_documents as rd
from domain_sdk.folder.documents import Document, read_document
from domain_sdk.folder.layout import CENTRE_FILES, CONTRACT, DOMAIN_FILES, Folder, folders_of
from domain_sdk.folder.tree import CENTRE, Case, ContractFile, Entry, FolderProblem, Place, Source, Tree, source_of
from mesh_core.contract import InvalidContract, load_contract
from mesh_core.contract.yaml_lines import YamlPath, lines_of
from mesh_core.contract.yaml_text import UnreadableText
from mesh_core.names import MESH, InvalidName, parse_port, parse_product

if TYPE_CHECKING:
    from google.protobuf.message import Message

__all__ = ["grant_id", "tree_of"]

_STEP = re.compile(r"\.([A-Za-z_][A-Za-z0-9_]*)|\[(\d+)\]")
_CENTRE_LISTS: Mapping[str, tuple[str, str, Callable[[Mapping[str, Any]], Message]]] = MappingProxyType(
    {
        "domains": ("domains.yaml", "name", rd.membership_message),
        "principals": ("principals.yaml", "name", rd.principal_message),
        "purposes": ("purposes.yaml", "name", rd.purpose_message),
        "tags": ("tags.yaml", "tag", rd.tag_message),
        "guardrails": ("guardrails.yaml", "id", rd.guardrail_message),
    }
)
"""List → its file, the key of its entries and what an entry becomes."""


def grant_id(owner: str, written: str) -> str:
    """The id in the mesh of a grant or approval rule in a folder; one made by hand (`g-…`) keeps its own."""
    return written if written.startswith("g-") else f"{CENTRE if owner == MESH else owner}:{written}"


def tree_of(files: Mapping[str, bytes]) -> tuple[Tree, list[FolderProblem]]:
    """The tree that the files state, and their problems; the tree is whole only if there are none."""
    folders, problems = folders_of(files)
    readers = [_Reader(folder) for folder in folders]
    sources = [source for reader in readers if (source := reader.read()) is not None]
    problems = [*problems, *(it for reader in readers for it in reader.problems), *_same_source(sources)]
    return Tree(tuple(sorted(sources, key=lambda it: (it.name != CENTRE, it.name)))), problems


def _same_source(sources: list[Source]) -> Iterator[FolderProblem]:
    seen: dict[str, str] = {}
    for source in sources:
        if source.name in seen:
            yield FolderProblem(
                Place(source.folder), f"{source.name} is stated in {seen[source.name]} already: keep one of them."
            )
        seen.setdefault(source.name, source.folder)


@dataclass(slots=True)
class _Reader:
    """Reads one source's folder."""

    folder: Folder
    problems: list[FolderProblem] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)

    def read(self) -> Source | None:
        """What the folder states; None if not even whose it is can be read."""
        schemas = CENTRE_FILES if self.folder.is_centre else DOMAIN_FILES
        documents = {name: self._document(name, schemas[name]) for name in sorted(self.folder.files) if name in schemas}
        owner = MESH if self.folder.is_centre else self._domain(documents.get("domain.yaml"), documents.get("policies.yaml"))
        if self.folder.is_centre:
            for key, (name, _, _) in _CENTRE_LISTS.items():
                self._list(documents.get(name), key)
            self._releases(documents.get("tags.yaml"))
        self._policies(documents.get("policies.yaml"), owner)
        contracts = () if self.folder.is_centre else tuple(self._contracts(owner or "unnamed"))
        cases = tuple(self._cases(documents.get("policies.test.yaml")))
        if owner is None:
            return None
        name = CENTRE if self.folder.is_centre else source_of(owner)
        return Source(name, self.folder.path, tuple(self.entries), contracts, cases)

    def _document(self, name: str, schema: str) -> Document | None:
        found = read_document(self.folder.within(name), self.folder.files[name], schema)
        if isinstance(found, Document):
            return found
        self.problems.extend(found)
        return None

    def _domain(self, document: Document | None, policies: Document | None) -> str | None:
        if document is None:
            return None
        domain = rd.domain_message(document.content)
        domain.roles.extend(rd.role_message(it) for it in (policies.content.get("roles", ()) if policies else ()))
        self.entries.append(Entry(domain, document.place("name")))
        return domain.name

    def _list(self, document: Document | None, key: str) -> None:
        if document is None:
            return
        _, identity, make = _CENTRE_LISTS[key]
        items = document.content.get(key, ())
        self._twice(document, key, [it[identity] for it in items])
        for index, item in enumerate(items):
            self.entries.append(Entry(make(item), document.place(key, index)))

    def _releases(self, document: Document | None) -> None:
        items = document.content.get("releases", ()) if document else ()
        if document and items:
            self._twice(document, "releases", [f"{it['object']} {it['tag']}" for it in items])
            self.entries.extend(
                Entry(rd.release_message(item), document.place("releases", index)) for index, item in enumerate(items)
            )

    def _policies(self, document: Document | None, owner: str | None) -> None:
        if document is None or owner is None:
            return
        if self.folder.is_centre and document.content.get("roles"):
            message = "the centre has no local roles: give mesh-wide roles in principals.yaml."
            self.problems.append(FolderProblem(document.place("roles"), message))
        self._twice(document, "roles", [it["name"] for it in document.content.get("roles", ())])
        makers = (("grants", rd.grant_message), ("approval_rules", rd.approval_rule_message))
        for key, make in makers:
            items = document.content.get(key, ())
            self._twice(document, key, [it["id"] for it in items])
            for index, item in enumerate(items):
                place = document.place(key, index)
                self._check_resource(item["resource"], owner, document.place(key, index, "resource"))
                try:
                    self.entries.append(Entry(make(item, id=grant_id(owner, item["id"])), place))
                except ValueError as error:
                    self.problems.append(FolderProblem(place, str(error)))

    def _twice(self, document: Document, key: str, names: list[str]) -> None:
        first: dict[str, int] = {}
        for index, name in enumerate(names):
            if name in first:
                before = document.place(key, first[name]).line
                message = f"{name} stands twice, first on line {before}: keep one."
                self.problems.append(FolderProblem(document.place(key, index), message))
            first.setdefault(name, index)

    def _check_resource(self, resource: str, owner: str, place: Place) -> None:
        try:
            if resource.count(".") == 1:
                parse_product(resource)
            elif "." in resource:
                parse_port(resource)
        except InvalidName as error:
            self.problems.append(FolderProblem(place, str(error)))
            return
        if resource.partition(".")[0] != owner:
            whose = (
                "the centre's folder holds grants on mesh" if owner == MESH else f"the folder of {owner} holds grants on {owner}"
            )
            self.problems.append(FolderProblem(place, f"{resource} is not {owner}'s: {whose} only."))

    def _contracts(self, domain: str) -> Iterator[ContractFile]:
        for name in sorted(self.folder.files):
            product, _, file = name.rpartition("/")
            if file != CONTRACT or not product:
                continue
            place = Place(self.folder.within(name), 1)
            data = self.folder.files[name]
            try:
                parse_product(f"{domain}.{product}")
                load_contract(data)
            except InvalidName as error:
                self.problems.append(FolderProblem(Place(self.folder.within(product)), str(error)))
            except InvalidContract as error:
                self.problems.extend(_contract_problems(place.path, data, error))
            else:
                yield ContractFile(f"{domain}.{product}", data, place)

    def _cases(self, document: Document | None) -> Iterator[Case]:
        for index, item in enumerate(document.content.get("tests", ()) if document else ()):
            assert document is not None
            yield Case(item, document.place("tests", index))


def _contract_problems(path: str, data: bytes, error: InvalidContract) -> Iterator[FolderProblem]:
    """Each violation of a contract at its line."""
    cause = error.__cause__
    if isinstance(cause, UnreadableText):
        yield FolderProblem(Place(path, cause.line), cause.problem)
        return
    lines: dict[YamlPath, int] = {} if isinstance(cause, UnicodeDecodeError) else lines_of(data.decode("utf-8"))
    for violation in error.violations:
        at: YamlPath = tuple(int(index) if index else key for key, index in _STEP.findall(violation.path))
        while at and at not in lines:
            at = at[:-1]
        yield FolderProblem(Place(path, lines.get(at, 1)), f"{violation.path}: {violation.message}")
