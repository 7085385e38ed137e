"""A data subject in storage: writing a table without it, and leaving nothing that tells of it in logs, passages and caches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from domainmesh.v1 import product_pb2
from governance_server.asking.records import is_about, is_feedback_about
from governance_server.backend import Backend
from governance_server.publishing.known_people import primary_key, record_digest
from governance_server.rules.errors import Conflict
from governance_server.storage.answers import forget_answers
from governance_server.storage.turns import forget_turns
from governance_server.upkeep.erased_mentions import Gone
from governance_server.upkeep.subject_survey import Subject, Survey, SurveyedPort
from governance_server.upkeep.versions import kept_releases
from governance_server.vector_access import VectorAccess
from governance_server.warehouse.faults import fault_point
from governance_server.warehouse.layout import Warehouse

if TYPE_CHECKING:
    from governance_server.warehouse.subject_values import SubjectRows

__all__ = ["SubjectStorage"]


class SubjectStorage:
    """Where rows and passages of a subject lie."""

    def __init__(self, backend: Backend, warehouse: Warehouse, vectors: VectorAccess) -> None:
        self._backend = backend
        self._warehouse = warehouse
        self._vectors = vectors

    def write_without(self, port: SurveyedPort, subject: Subject, rows: int, said: tuple[str, int]) -> int:
        """The Delta version of the table without the subject's rows."""
        from governance_server.warehouse.subject_rows import holds_version, write_without

        root = self._warehouse.port_location(port.port)
        if not holds_version(root, port.served):
            raise Conflict(f"{port.port} holds something that is not served: publish it again, then erase.", resource=port.port)
        held, scratch = self._rows(port, port.served, subject), self._backend.settings.scratch
        written = write_without(root, held, erasure_id=said[0], version=said[1], scratch=scratch)
        if left := self._rows(port, written, subject).count():
            raise Conflict(f"{left} of {rows} rows of {port.port} were not removed: repeat the command.", resource=port.port)
        return written

    def gone(self, found: Survey, subject: Subject) -> Gone:
        """What the erasure is going to take away, of all versions that may be read."""
        collections = [it.port for it in found.ports if it.kind == product_pb2.PORT_KIND_COLLECTION]
        records = (record for port in found.ports for record in self._records(found, port, subject))
        return Gone(frozenset(records), {name: self._vectors.store.about(name, subject.is_in) for name in collections})

    def _records(self, found: Survey, port: SurveyedPort, subject: Subject) -> Iterator[bytes]:
        """The keyed hashes of the subject's records in the table."""
        keys = [primary_key(it) for it in found.product.ports if it.name == port.port]
        released = (it for release in found.releases if release.version in found.holding for it in release.ports)
        for delta_version in {it.delta_version for it in released if it.port == port.port and any(keys)}:
            for key in self._rows(port, delta_version, subject).keys(keys[0]):
                yield record_digest(self._backend, port.port, key)

    def _rows(self, port: SurveyedPort, delta_version: int, subject: Subject) -> SubjectRows:
        from governance_server.gateway.table_source import open_table
        from governance_server.warehouse.subject_values import SubjectRows

        source = open_table(port.port, self._warehouse.port_location(port.port), delta_version)
        tagged = port.tagged.get(delta_version) or {name: name in port.texts for name in port.columns}
        columns = tuple(name for name in tagged if name in source.schema)
        texts = frozenset(name for name in columns if tagged[name])
        return SubjectRows(source.frame, source.schema, columns, subject.values, texts)

    def _clean_log(self, product: str, port: str, subject: Subject) -> None:
        """No entry of the log tells of rows that no version needs which may be read."""
        from governance_server.warehouse.subject_rows import files_of, remove_folders, scrub_log

        released = [it for release in kept_releases(self._backend.catalog, product) for it in release.ports if it.port == port]
        kept = {it.delta_version for it in released} | {it.changes.delta_version for it in released if it.HasField("changes")}
        root = self._warehouse.port_location(port)
        scrub_log(root, files_of(root, sorted(kept)), subject.values)
        remove_folders(root, subject.values)

    def _clear_cache(self) -> None:
        """No governed file is kept; they are written anew when they are asked for."""
        from governance_server.gateway.file_cache import FileCache

        FileCache(self._backend.settings.home / "files", 0).clear()

    def clear(self, found: Survey, subject: Subject) -> None:
        """Nothing beside the rows of versions that may be read tells of the subject; what no version needs is gone before."""
        for port in found.ports:
            if port.kind == product_pb2.PORT_KIND_COLLECTION:
                self._vectors.store.erase(port.port, subject.is_in)
            else:
                self._clean_log(found.product.name, port.port, subject)
            fault_point("erase.port_cleared")
        self._clear_cache()
        forget_answers(self._backend.database, is_about(subject.is_in))
        forget_turns(self._backend.database, is_feedback_about(subject.is_in))
