"""Judging a delivery as a whole: what it makes of each table, and every result of every check on that.

Runs under the product's lease, before the intent. Owns the order: first what tables will be, then counted rules, then what takes
whole files or other ports.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from domainmesh.v1 import product_pb2, publication_pb2
from governance_server.backend import Backend, read
from governance_server.caller import current_caller
from governance_server.publishing.candidate import CandidateChecks
from governance_server.publishing.candidate_files import candidate_of
from governance_server.publishing.combining import Combiner
from governance_server.publishing.rewrites import Rewrites
from governance_server.publishing.whole_quality import Before, WholeQuality
from governance_server.rules import kinds
from governance_server.rules.errors import Conflict, Problem
from governance_server.warehouse.errors import VersionConflict
from governance_server.warehouse.layout import Warehouse
from mesh_core.contract import Contract

__all__ = ["Judge", "failed_key"]


def failed_key(problem: Problem) -> product_pb2.QualityResult:
    """The result for a key that does not hold over the whole table."""
    return product_pb2.QualityResult(
        port=problem.path, check="key", status=product_pb2.QUALITY_STATUS_FAILED, is_blocking=True, message=problem.message
    )


class Judge:
    """Judges deliveries."""

    def __init__(self, backend: Backend, warehouse: Warehouse, checks: CandidateChecks, parse: Callable[[str], Contract]) -> None:
        self._backend = backend
        self._warehouse = warehouse
        self._checks = checks
        self._parse = parse
        self._combiner = Combiner(warehouse, backend.settings.scratch, Rewrites(backend, warehouse))
        self._whole = WholeQuality(warehouse)

    def judged(
        self,
        publication: publication_pb2.Publication,
        contract: Contract,
        verified: Sequence[publication_pb2.VerifiedPort],
        base: product_pb2.Product,
        claimed: Sequence[product_pb2.QualityResult],
    ) -> list[product_pb2.QualityResult]:
        """Every result, failed ones among them; the verified ports say what their tables will be.

        Raises: ContractViolated if keys do not hold over the whole table, Conflict, Precondition.
        """
        catalog = self._backend.catalog
        names = [kinds.versioned_name(base.name, version) for version in range(publication.base_version + 1, base.version + 1)]
        bodies = [body for name in names if (body := catalog.get(kinds.RELEASE, name)) is not None]
        since = [product_pb2.Release.FromString(body) for body in bodies]
        try:
            self._combiner.combine(publication, contract, verified, base, since)
            results = self._whole.judged(publication, contract, verified, claimed, self._before(base))
        except VersionConflict as error:
            raise Conflict(f"{publication.product} cannot be added to: {error}", resource=publication.product) from error
        candidate = candidate_of(self._warehouse, publication, contract, verified, base)
        return self._checks.judge(candidate, results, current_caller())

    def _before(self, base: product_pb2.Product) -> Before:
        if not base.version:
            return Before(base, None, ())
        name = kinds.versioned_name(base.name, base.version)
        text = read(self._backend.catalog, kinds.CONTRACT, name, product_pb2.Contract).text
        quality = read(self._backend.catalog, kinds.RELEASE, name, product_pb2.Release).quality
        return Before(base, self._parse(text), quality)
