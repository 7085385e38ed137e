"""What the journal says was published as a version of a collection."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from domainmesh.v1 import product_pb2
from governance_server.rules import kinds
from governance_server.upkeep.whole_collections import published_as
from mesh_core.vectors.store import Published

PORT = "crm.letters.pages"


@dataclass
class Journal:
    """One release, as it is kept."""

    release: product_pb2.Release

    def get(self, kind: str, name: str) -> bytes | None:
        return (
            self.release.SerializeToString() if (kind, name) == (kinds.RELEASE, kinds.versioned_name("crm.letters", 3)) else None
        )


@pytest.mark.parametrize(
    ("newest_version", "newest_count", "published"),
    [
        (2, 4, Published(9, newest=2, newest_count=4)),
        (2, 0, Published(9, newest=2, newest_count=0)),
        (0, 0, None),  # made before this was kept
    ],
)
def test_a_release_that_does_not_say_its_newest_version_is_not_compared(
    newest_version: int, newest_count: int, published: Published | None
) -> None:
    released = product_pb2.ReleasedPort(
        port=PORT, kind=product_pb2.PORT_KIND_COLLECTION, row_count=9, newest_version=newest_version, newest_count=newest_count
    )
    journal = Journal(product_pb2.Release(product="crm.letters", version=3, ports=[released]))
    assert published_as(journal, PORT, 3) == published  # type: ignore[arg-type]
