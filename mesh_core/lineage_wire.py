"""Lineage between its values and the wire: what the SDK sends and the server stores is the same message."""

from __future__ import annotations

from domainmesh.v1 import lineage_pb2 as pb
from mesh_core.lineage import Basis, ColumnEdge, InputVersion, PortLineage, RowEdge, Transformation, TransformationType

__all__ = ["lineage_from_wire", "lineage_to_wire", "transformation_from_wire"]

_TYPE_TO_WIRE = {
    TransformationType.DIRECT: pb.TRANSFORMATION_TYPE_DIRECT,
    TransformationType.INDIRECT: pb.TRANSFORMATION_TYPE_INDIRECT,
}
_BASES = {str(basis): basis for basis in Basis}
_TYPE_FROM_WIRE = {wire: kind for kind, wire in _TYPE_TO_WIRE.items()}


def lineage_to_wire(lineage: PortLineage, *, job: str = "", run_id: str = "") -> pb.PortLineage:
    """The message for a port's lineage."""
    return pb.PortLineage(
        port=lineage.target_port,
        inputs=[pb.InputVersion(port=i.port, version=i.version) for i in lineage.inputs],
        edges=[_edge_to_wire(e, e.target_column) for e in lineage.edges],
        row_edges=[_edge_to_wire(e, "") for e in lineage.row_edges],
        unknown_inputs=lineage.unknown_inputs,
        job=job,
        run_id=run_id,
        source=lineage.source,
        basis=lineage.basis,
    )


def lineage_from_wire(message: pb.PortLineage) -> PortLineage:
    """The values of a message; an edge of unstated type counts as direct, which is the cautious reading."""
    return PortLineage(
        target_port=message.port,
        inputs=tuple(InputVersion(i.port, i.version) for i in message.inputs),
        edges=tuple(
            ColumnEdge(e.source_port, e.source_column, e.target_column, transformation_from_wire(e)) for e in message.edges
        ),
        unknown_inputs=tuple(message.unknown_inputs),
        row_edges=tuple(RowEdge(e.source_port, e.source_column, transformation_from_wire(e)) for e in message.row_edges),
        source=message.source,
        basis=_BASES.get(message.basis, Basis.PUBLICATION),
    )


def _edge_to_wire(edge: ColumnEdge | RowEdge, target_column: str) -> pb.ColumnEdge:
    return pb.ColumnEdge(
        source_port=edge.source_port,
        source_column=edge.source_column,
        target_column=target_column,
        type=_TYPE_TO_WIRE[edge.transformation.type],
        subtype=edge.transformation.subtype,
        is_masking=edge.transformation.masking,
        function=edge.transformation.function,
    )


def transformation_from_wire(edge: pb.ColumnEdge) -> Transformation:
    """What happens on an edge; of unstated type it counts as direct, which is the cautious reading."""
    kind = _TYPE_FROM_WIRE.get(edge.type, TransformationType.DIRECT)
    return Transformation(kind, edge.subtype, edge.function, edge.is_masking)
