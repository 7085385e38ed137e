"""A lineage graph of any size: layers of ports, each column made of five columns of the layer before, journaled in bulk."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from domainmesh.v1 import lineage_pb2
    from governance_server.rules.apply import ResourceWrite

__all__ = ["LAYERS", "LineageSample"]

LAYERS = 11
"""So that ten hops lead from the first to the last."""
_COLUMNS, _SOURCES, _EDGES = 5, 3, 5
"""Columns of a port, ports a port is made of, columns a column is made of."""
_PORTS_OF_PRODUCT = 10


@dataclass(frozen=True)
class LineageSample:
    """About so many column edges between a fifth as many columns; made from one seed."""

    edges: int

    @property
    def ports_of_layer(self) -> int:
        """How many ports there are in each layer."""
        return max(_PORTS_OF_PRODUCT, round(self.edges / (_COLUMNS * _EDGES * (LAYERS - 1))))

    def port(self, layer: int, number: int) -> str:
        """A port's name."""
        return f"layer{layer}.p{number // _PORTS_OF_PRODUCT}.t{number % _PORTS_OF_PRODUCT}"

    def lineages(self) -> Iterator[lineage_pb2.PortLineage]:
        """The lineage of every port but those of the first layer."""
        from domainmesh.v1 import lineage_pb2

        chance = random.Random(20_261_126)
        width = self.ports_of_layer
        for layer in range(1, LAYERS):
            for number in range(width):
                sources = [self.port(layer - 1, chance.randrange(width)) for _ in range(_SOURCES)]
                made = lineage_pb2.PortLineage(
                    port=self.port(layer, number), job=f"layer{layer}.job", version=1,
                    inputs=[lineage_pb2.InputVersion(port=source, version=1) for source in sources],
                )  # fmt: skip
                for column in range(_COLUMNS):
                    for _ in range(_EDGES):
                        made.edges.add(
                            source_port=chance.choice(sources), source_column=f"column{chance.randrange(_COLUMNS)}",
                            target_column=f"column{column}", type=lineage_pb2.TRANSFORMATION_TYPE_DIRECT,
                            subtype="TRANSFORMATION",
                        )  # fmt: skip
                yield made

    def writes(self) -> Iterator[ResourceWrite]:
        """Every domain, product and lineage, as the journal stores it."""
        from domainmesh.v1 import domain_pb2, product_pb2
        from governance_server.backend import store
        from governance_server.rules import kinds

        columns = [product_pb2.Column(name=f"column{number}", logical_type="string") for number in range(_COLUMNS)]
        for layer in range(LAYERS):
            yield store(kinds.DOMAIN, f"layer{layer}", domain_pb2.Domain(name=f"layer{layer}", owners=["user:owner"]))
            for first in range(0, self.ports_of_layer, _PORTS_OF_PRODUCT):
                numbers = range(first, min(first + _PORTS_OF_PRODUCT, self.ports_of_layer))
                ports = [
                    product_pb2.Port(name=self.port(layer, number), kind=product_pb2.PORT_KIND_TABLE, columns=columns)
                    for number in numbers
                ]
                name = ports[0].name.rpartition(".")[0]
                yield store(kinds.PRODUCT, name, product_pb2.Product(name=name, version=1, ports=ports))
        for lineage in self.lineages():
            yield store(kinds.LINEAGE, lineage.port, lineage)
