"""Which domain owns a job or dataset by its OpenLineage namespace and name: what the central team registered, the longest match.

A registration is a namespace (`s3://bucket`, `airflow-risk`) or a namespace and the beginning of names in it
(`file|/data/risk/`). In the namespace `mesh` names begin with their domain, and nothing needs to be registered.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mesh_core.dataset_names import DatasetName, parse_node
from mesh_core.names import MESH, InvalidName, check_domain

__all__ = ["NamespaceOwners", "check_registration"]

_LONGEST = 1024


class NamespaceOwners:
    """The registrations of every domain; it never changes."""

    def __init__(self, registered: Mapping[str, Iterable[str]]) -> None:
        """Domain → its registrations."""
        self.registered = {domain: tuple(texts) for domain, texts in registered.items() if texts}
        self._prefixes: dict[str, list[tuple[str, str]]] = {}
        for domain, texts in self.registered.items():
            for text in texts:
                namespace, prefix = _parts(text)
                self._prefixes.setdefault(namespace, []).append((prefix, domain))
        for prefixes in self._prefixes.values():
            prefixes.sort(key=lambda it: (-len(it[0]), it[1]))

    def with_domain(self, domain: str, texts: Iterable[str]) -> NamespaceOwners:
        """The same, but for the domain's registrations."""
        return NamespaceOwners({**self.registered, domain: tuple(texts)})

    def owner_of(self, namespace: str, name: str) -> str:
        """The domain that owns the job or dataset; empty if nobody does."""
        if namespace == MESH:
            try:
                return check_domain(name.partition(".")[0])
            except InvalidName:
                return ""
        found = self._prefixes.get(namespace, ())
        return next((domain for prefix, domain in found if _begins(name, prefix)), "")

    def holder(self, text: str) -> str:
        """The domain that has exactly this registration; empty if none has."""
        wanted = _parts(text)
        return next((domain for domain, texts in self.registered.items() if wanted in map(_parts, texts)), "")


def check_registration(text: str) -> str:
    """The registration, if it is one. Raises: InvalidName."""
    namespace, _ = _parts(text)
    if not namespace or len(text) > _LONGEST or not text.isprintable() or text != text.strip():
        raise InvalidName(f"{text!r} is no namespace: write it as s3://bucket, or with the names' beginning as file|/data/risk/.")
    if namespace == MESH:
        raise InvalidName("The namespace 'mesh' is that of the ports, whose names say whose they are: register another one.")
    return text


def _parts(text: str) -> DatasetName:
    return parse_node(text) if "|" in text else DatasetName(text, "")


def _begins(name: str, prefix: str) -> bool:
    """True if the name lies below the prefix: `/data/risk` is no beginning of `/data/risk2`."""
    if not name.startswith(prefix):
        return False
    return not prefix or len(name) == len(prefix) or not (prefix[-1].isalnum() and name[len(prefix)].isalnum())
