"""`Transform`: a function (or a query) between governed inputs and a product, run so that a repetition changes nothing.

It is a plain callable: Airflow, Dagster and cron call it as they call any function. Each run reads its inputs in pinned versions,
which are recorded with the lineage of what it made.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from domain_sdk.errors import InvalidRequest
from domain_sdk.product import Product

if TYPE_CHECKING:
    import polars as pl

    from domain_sdk._progress import Progress
    from domain_sdk.domain import Domain
    from domain_sdk.mesh import Mesh
    from domain_sdk.publish import Publishing
    from domain_sdk.read import ScanFrame
    from domain_sdk.release import Preview, Release

__all__ = ["Transform", "TransformFunction"]

TransformFunction = Callable[..., "pl.LazyFrame | pl.DataFrame | Mapping[str, pl.LazyFrame | pl.DataFrame]"]


class Transform:
    """A function between governed inputs and a product. Call it to run it; under any scheduler it is a plain callable."""

    def __init__(
        self,
        domain: Domain,
        function: TransformFunction,
        *,
        inputs: tuple[str, ...],
        product: Product,
        purpose: str | None = None,
        sql: str = "",
        incremental: str = "",
    ) -> None:
        if bool(inputs) == bool(sql):
            raise InvalidRequest(f"The transform {function.__name__} reads `inputs` or a query (`sql`): give one of the two.")
        if incremental and incremental not in inputs:
            raise InvalidRequest(f"{incremental} is no input of {function.__name__}, so its changes cannot be followed.")
        self.domain = domain
        self.function = function
        """The function as written, for tests: frames in, frames out."""
        self.inputs = inputs
        self.sql = sql
        """The query, of a transform that is one."""
        self.incremental = incremental
        """The input of which a run reads what became different since the last one; empty if it always reads all."""
        self.purpose = purpose
        self.product = product
        functools.update_wrapper(self, function)

    def __repr__(self) -> str:
        """Inputs and output."""
        return f"Transform({', '.join(self.inputs) or 'sql'} -> {self.product.name})"

    def __call__(self) -> Release:
        """The output is published from what the inputs hold now."""
        return self.run()

    def run(
        self,
        mesh: Mesh | None = None,
        *,
        versions: Mapping[str, int] | None = None,
        run_id: str = "",
        progress: Progress = None,
    ) -> Release:
        """The output is published from what the inputs hold now, with its column lineage taken from the plan or the query.

        Args:
            mesh: As whom to read and publish; the mesh of the domain's handle when None.
            versions: Input port → the version to read, to repeat an earlier run; the ones now served when None.
            run_id: A name for this run, if it may be repeated: a run becomes at most one release, which a repetition returns.
            progress: As in `Product.publish`.

        Raises:
            AccessDenied: an input may not be read, or the output not be written.
            ContractViolated: the result breaks the output's contract.
        """
        publishing, frames = self._prepared(mesh, versions or {}, run_id)
        return publishing.publish(frames, progress)

    def preview(
        self, mesh: Mesh | None = None, *, versions: Mapping[str, int] | None = None, progress: Progress = None
    ) -> Preview:
        """What `run` would find, with nothing written."""
        publishing, frames = self._prepared(mesh, versions or {}, "")
        return publishing.preview(frames, progress)

    def is_current(self, mesh: Mesh | None = None) -> bool:
        """True if every port of the output was made from exactly the versions that its inputs have now."""
        used = mesh or self.domain.mesh
        ports = self._product_of(used)._ports_published()
        if not ports:
            return False
        now = self._versions_now(used)
        return all(_was_made_from(used, port, now) for port in ports)

    def _versions_now(self, mesh: Mesh) -> dict[str, int]:
        if self.sql:
            return {port.plan.port: port.version for port in mesh.plan_sql(self.sql, purpose=self.purpose).ports}
        return {port: mesh._source(port, purpose=self.purpose).planned().version for port in self.inputs}

    def _product_of(self, mesh: Mesh) -> Product:
        return Product(mesh, self.product.name, self.product._contract)

    def _prepared(self, mesh: Mesh | None, versions: Mapping[str, int], run_id: str) -> tuple[Publishing, dict[str, Any]]:
        from domain_sdk.publish import Publishing

        used = mesh or self.domain.mesh
        self._check_versions(versions)
        product = self._product_of(used)
        terms: dict[str, Any] = {"job": f"{self.domain.name}.{self.function.__name__}", "run_id": run_id}
        if self.sql:
            return self._queried(used, product, terms)
        scans = self._scans(used, versions)
        publishing = Publishing(used._transport, product.name, product.contract(), scans=scans, **terms)
        made = self.function(*(scan.frame for scan in scans))
        if self.incremental and not versions and not isinstance(made, Mapping):
            step = self._changes_alone(used, publishing, (product, scans, made), terms)
            if step is not None:
                return step
        return publishing, dict(made) if isinstance(made, Mapping) else {self._only_port(publishing): made}

    def _changes_alone(
        self,
        mesh: Mesh,
        whole: Publishing,
        made: tuple[Product, list[ScanFrame], pl.LazyFrame | pl.DataFrame],
        terms: Mapping[str, Any],
    ) -> tuple[Publishing, dict[str, Any]] | None:
        """What merges the changes of the one input into the output; None if the whole must be made anew."""
        from domain_sdk import _incremental
        from domain_sdk._port_lineage import planned_lineage
        from domain_sdk.publish import Publishing

        product, scans, frame = made
        port = self._only_port(whole)
        name = f"{product.name}.{port}"
        now = {scan.scan.port: scan.scan.planned().version for scan in scans}
        step = _incremental.find_step(mesh, name, self.incremental, now) if whole.serves_contract() else None
        changes = _incremental.changed_rows(mesh, step, self.purpose) if step is not None else None
        if changes is None:
            return None

        def rows(changed: pl.LazyFrame) -> pl.LazyFrame | pl.DataFrame:
            made = self.function(*(changed if it.scan.port == self.incremental else it.frame for it in scans))
            assert not isinstance(made, Mapping)
            return made

        merged = _incremental.merged(rows, *changes, whole.key_of(port), name)
        lineage = {port: planned_lineage(frame, port=name, scans=scans, inputs=())}
        publishing = Publishing(
            mesh._transport, product.name, product.contract(), lineage=lineage, modes="merge",
            delete_flag=_incremental.DELETED, scans=scans, **terms,
        )  # fmt: skip
        return publishing, {port: merged}

    def _check_versions(self, versions: Mapping[str, int]) -> None:
        unknown = sorted(set(versions) - set(self.inputs))
        if unknown:
            what = (
                "a query says its versions itself: AT (VERSION => 3)" if self.sql else f"its inputs are {', '.join(self.inputs)}"
            )
            raise InvalidRequest(
                f"{', '.join(unknown)}: no input of {self.function.__name__}; {what}.", resource=self.product.name
            )

    def _scans(self, mesh: Mesh, versions: Mapping[str, int]) -> list[ScanFrame]:
        from domain_sdk import read

        sources = [mesh._source(port, purpose=self.purpose, version=versions.get(port)) for port in self.inputs]
        for source in sources:
            source.planned()  # a denial is raised as itself here, before the function runs
        return [read.ScanFrame(source, read.scan(source)) for source in sources]

    def _queried(self, mesh: Mesh, product: Product, terms: Mapping[str, Any]) -> tuple[Publishing, dict[str, Any]]:
        from domain_sdk import sql
        from domain_sdk.publish import Publishing

        found = sql.run_query(mesh._transport, sql.to_request(self.sql, self.purpose, None, None))
        contract = product.contract()
        port = self._only_port(Publishing(mesh._transport, product.name, contract))
        lineage = replace(found.lineage, target_port=f"{product.name}.{port}")
        return Publishing(mesh._transport, product.name, contract, lineage={port: lineage}, **terms), {port: found.frame}

    def _only_port(self, publishing: Publishing) -> str:
        ports = publishing.port_names()
        if len(ports) != 1:
            how = "one query makes one port" if self.sql else f"{self.function.__name__} must return a mapping port → frame"
            raise InvalidRequest(f"{self.product.name} has the ports {', '.join(ports)}: {how}.", resource=self.product.name)
        return ports[0]


def _was_made_from(mesh: Mesh, port: str, versions: Mapping[str, int]) -> bool:
    """True if what the port's release read had these versions; an input that the result does not depend on was not recorded."""
    origins = mesh.lineage(port, direction="upstream", depth=1).origins
    recorded = [dict(it.inputs) for it in origins if it.port == port and not it.basis]
    return any(read and all(versions.get(name) == version for name, version in read.items()) for read in recorded)
