"""Datasets as nodes of the lineage graph: ports by their own names, everything else as `namespace|name`.

OpenLineage names a dataset by namespace and name, both free text. A port's node is its three-part name; any other dataset's is
`namespace|name`, with `%`, `#` and in the namespace `|` written as `%25`, `%23` and `%7C`, so that a column is `<node>#<column>`
for ports and others alike and the parts can be told again.
"""

from __future__ import annotations

from typing import NamedTuple

from mesh_core.names import MESH, InvalidName, parse_port

__all__ = ["DatasetName", "dataset_node", "is_outside", "job_node", "parse_node"]


class DatasetName(NamedTuple):
    """What OpenLineage calls a dataset (or a job)."""

    namespace: str
    name: str


def dataset_node(namespace: str, name: str) -> str:
    """The node of a dataset; `mesh` is the namespace of the ports."""
    if namespace == MESH:
        try:
            return str(parse_port(name))
        except InvalidName:
            pass
    return job_node(namespace, name)


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


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("#", "%23")


def _plain(text: str) -> str:
    return text.replace("%23", "#").replace("%25", "%")
