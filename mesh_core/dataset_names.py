"""Datasets as nodes of the lineage graph: ports by their own names, everything else as `namespace|name`.

OpenLineage names a dataset by namespace and name, both free text. A port's node is its three-part name; any other dataset's is
`namespace|name`, with `%`, `#` and in the namespace `|` written as `%25`, `%23` and `%7C`, so that a column is `<node>#<column>`
for ports and others alike and the parts can be told again.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from mesh_core.names import MESH, InvalidName, parse_port

__all__ = ["DatasetName", "dataset_node", "is_outside", "job_node", "parse_node"]


_OBJECT_STORES = frozenset({"s3", "gs", "abfss", "abfs", "wasbs", "wasb", "az", "adl", "oss"})


class DatasetName(NamedTuple):
    """What OpenLineage calls a dataset (or a job)."""

    namespace: str
    name: str


@lru_cache(maxsize=1 << 14)
def dataset_node(namespace: str, name: str) -> str:
    """The node of a dataset; `mesh` is the namespace of the ports.

    Ways of writing that mean the same are one: `s3a` is `s3`, and neither a slash before an object's key nor one after a folder
    counts. Source: OpenLineage naming specification.
    """
    if namespace == MESH:
        try:
            return str(parse_port(name))
        except InvalidName:
            pass
    return job_node(*_usual(namespace, name))


def job_node(namespace: str, name: str) -> str:
    """A job as one text, written as a dataset outside the mesh is."""
    return f"{_escaped(namespace).replace('|', '%7C')}|{_escaped(name)}"


def is_outside(node: str) -> bool:
    """True if the node (or column object) is no port's: a dataset that the mesh does not serve, or does not know to be a port."""
    return "|" in node.partition("#")[0]


def parse_node(node: str) -> DatasetName:
    """Namespace and name of a node without column; a port lies in the namespace `mesh`."""
    namespace, bar, name = node.partition("|")
    if not bar:
        return DatasetName(MESH, node)
    return DatasetName(_plain(namespace.replace("%7C", "|")), _plain(name))


def _usual(namespace: str, name: str) -> tuple[str, str]:
    scheme, found, rest = namespace.partition("://")
    if not found:
        return (namespace, name.rstrip("/") or name) if namespace == "file" else (namespace, name)
    if scheme in ("s3a", "s3n"):
        return _usual(f"s3://{rest}", name)
    if scheme in _OBJECT_STORES:
        return namespace.rstrip("/"), name.strip("/") or name
    return namespace, name


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("#", "%23")


def _plain(text: str) -> str:
    return text.replace("%23", "#").replace("%25", "%")
