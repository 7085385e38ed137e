"""What is said of a version that the vector store lost passages of."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from domainmesh.v1 import product_pb2
from governance_server.rules import kinds
from governance_server.rules.errors import Precondition, Unavailable
from governance_server.services.whole_versions import WholeVersions
from mesh_core.vectors.passages import Hit
from mesh_core.vectors.store import CollectionOutdated, CollectionUnfinished, Published

PORT = "crm.letters.pages"


@dataclass
class Journal:
    """One release, as it is kept, and no erasure."""

    release: product_pb2.Release

    def get(self, kind: str, name: str) -> bytes | None:
        return self.release.SerializeToString() if kind == kinds.RELEASE else None

    def list(self, kind: str, *, prefix: str) -> tuple[tuple[str, bytes], ...]:
        return ()


@pytest.fixture
def journal() -> Journal:
    released = product_pb2.ReleasedPort(
        port=PORT, kind=product_pb2.PORT_KIND_COLLECTION, row_count=9, newest_version=3, newest_count=9
    )
    return Journal(product_pb2.Release(product="crm.letters", version=3, ports=[released]))


def lost(published: Published | None) -> list[Hit]:
    raise CollectionOutdated(f"version 3 has 7 passages, {published} were published")


def test_a_version_that_lost_passages_may_come_back_and_is_told_once_a_minute_in_the_log(
    journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    whole = WholeVersions(SimpleNamespace(catalog=journal))  # type: ignore[arg-type]
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            with pytest.raises(Unavailable, match=r"lost passages of version 3, .*run `mesh reindex crm\.letters`"):
                whole.search(PORT, 3, Published(9, 3, 9), lost)
    (record,) = caplog.records
    assert record.exc_info is None


def test_a_version_that_was_retired_while_it_was_searched_is_told_as_retired(journal: Journal) -> None:
    whole = WholeVersions(SimpleNamespace(catalog=journal))  # type: ignore[arg-type]

    def retired(published: Published | None) -> list[Hit]:
        journal.release.retire_reason = "its retention is over"
        journal.release.retire_time.GetCurrentTime()
        return lost(published)

    with pytest.raises(Precondition, match="was retired on"):
        whole.search(PORT, 3, Published(9, 3, 9), retired)


def test_what_an_erasure_took_while_a_version_was_searched_is_not_lost(journal: Journal) -> None:
    whole = WholeVersions(SimpleNamespace(catalog=journal))  # type: ignore[arg-type]

    def erased(published: Published | None) -> list[Hit]:
        journal.release.ports[0].row_count = 7
        return lost(published) if published is not None else []

    assert whole.search(PORT, 3, Published(9, 3, 9), erased) == []


def test_what_cannot_be_searched_while_an_erasure_is_under_way_is_refused_without_a_count(
    journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    whole = WholeVersions(SimpleNamespace(catalog=journal))  # type: ignore[arg-type]

    def erased(published: Published | None) -> list[Hit]:
        journal.release.ports[0].row_count = 7
        return lost(published)

    with caplog.at_level(logging.WARNING), pytest.raises(Unavailable, match=r"run `mesh reindex crm\.letters`") as told:
        whole.search(PORT, 3, Published(9, 3, 9), erased)
    assert "7 passages" not in str(told.value)
    assert ["7 passages" in it.getMessage() for it in caplog.records] == [True]


def test_what_was_not_built_anew_for_a_new_attribute_is_not_told_as_lost(
    journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    whole = WholeVersions(SimpleNamespace(catalog=journal))  # type: ignore[arg-type]

    def unfinished(published: Published | None) -> list[Hit]:
        raise CollectionUnfinished("of 7 passages attr_team is not known to be null")

    with caplog.at_level(logging.WARNING), pytest.raises(Unavailable, match=r"run `mesh reindex crm\.letters`") as told:
        whole.search(PORT, 3, Published(9, 3, 9), unfinished)
    assert not any(word in str(told.value) for word in ("lost", "7", "team"))
    assert ["of 7 passages attr_team" in it.getMessage() for it in caplog.records] == [True]


@pytest.mark.parametrize(("newest_version", "is_served", "is_read"), [(3, True, False), (3, False, True), (0, True, True)])
def test_what_must_be_in_the_version_served_is_read_only_if_its_entry_does_not_say_it(
    journal: Journal, newest_version: int, is_served: bool, is_read: bool
) -> None:
    read = []
    catalog = SimpleNamespace(get=lambda kind, name: read.append(name) or journal.get(kind, name))
    entry = product_pb2.Port(name=PORT, row_count=9, newest_version=newest_version, newest_count=9)
    whole = WholeVersions(SimpleNamespace(catalog=catalog))  # type: ignore[arg-type]
    assert whole.published(entry, 3, is_served=is_served) == Published(9, 3, 9)
    assert bool(read) == is_read
